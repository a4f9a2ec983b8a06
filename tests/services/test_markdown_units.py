"""Where text is cut depends on the text alone; code, tables and formulas stay whole."""

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backend.app.services.markdown_units import Unit, UnitSplitter


def units_of(*pieces: str) -> list[Unit]:
    splitter = UnitSplitter()
    return [*itertools.chain.from_iterable(map(splitter.feed, pieces)), *splitter.finish()]


def texts(*pieces: str) -> list[str]:
    return [unit.text for unit in units_of(*pieces)]


@pytest.mark.parametrize(
    ("text", "units"),
    [
        ("One. Two! Three", ["One. ", "Two! ", "Three"]),
        ("یہ روبوٹ ہے۔کیا؟ ہاں۔", ["یہ روبوٹ ہے۔", "کیا؟ ", "ہاں۔"]),
        ("See e.g. Fig. 3 of Dr. Khan. It moves.", ["See e.g. Fig. 3 of Dr. Khan. ", "It moves."]),
        ("Use `a. B` here. Then $x. Y$ too. End", ["Use `a. B` here. ", "Then $x. Y$ too. ", "End"]),
        ("An open ` stays. With its. Line\nNext", ["An open ` stays. With its. Line\n", "Next"]),
        ("- one. Two\n- three\n\nFour", ["- one. ", "Two\n", "- three\n", "\n", "Four"]),
        ("See http://a.b/c۔d. Then", ["See http://a.b/c۔d. ", "Then"]),
    ],
)
def test_prose_is_cut_into_sentences_and_lines(text: str, units: list[str]) -> None:
    assert texts(text) == units


@pytest.mark.parametrize(
    "block",
    [
        "```python\na = 1. \n\nb\n```\n",
        "~~~~\n```\n~~~\n~~~~\n",
        "   ```xml\n   <a>\n   ```\n",
        "> ```\n> a\n> ```\n",
        ">1. ```\na. B\n```\n",
        "| a. B | c |\n|---|---|\n| 1. 2 | 3 |\n",
        "$$\na = b. C\n$$\n",
        "$$a. B$$\n",
    ],
)
def test_a_block_is_one_unit(block: str) -> None:
    assert units_of(f"Before.\n{block}After.") == [Unit("Before.\n"), Unit(block, is_block=True), Unit("After.")]


@pytest.mark.parametrize(
    ("text", "is_complete"),
    [
        ("It ends.", True),
        ("It ends (here).", True),
        ("It", False),
        ("- an item\n", True),
        ("```\nopen\n", False),
        ("```\nclosed\n```", True),
        ("| a |\n|---|\n| b |", True),
        ("| a |\n|---|\n| b", False),
        ("$$\nx", False),
    ],
)
def test_the_last_unit_tells_whether_it_is_complete(text: str, is_complete: bool) -> None:
    assert units_of(text)[-1].is_complete is is_complete


def test_a_sentence_comes_with_the_first_character_of_the_next() -> None:
    splitter = UnitSplitter()
    assert list(splitter.feed("One. ")) == []
    assert list(splitter.feed("T")) == [Unit("One. ")]


PIECES = [
    *(
        "One",
        ". ",
        "? ",
        "۔",
        "\n",
        "\n\n",
        " ",
        "`",
        "```",
        "~~~",
        "$",
        "$$",
        "|",
        "|-|",
        "- ",
        "1. ",
        "> ",
        ">",
        "e.g. ",
    ),
    *("\\", "http://a.b", ")", '"', "\r", "    ", "B"),
]


@settings(max_examples=600, deadline=None)
@given(st.lists(st.sampled_from(PIECES), max_size=25), st.data())
def test_nothing_is_lost_and_pieces_do_not_matter(words: list[str], data: st.DataObject) -> None:
    text = "".join(words)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=12)))
    pieces = [text[start:end] for start, end in itertools.pairwise([0, *cuts, len(text)])]
    whole = units_of(text)
    assert "".join(unit.text for unit in whole) == text
    assert units_of(*pieces) == units_of(*text) == whole


@pytest.mark.parametrize("block", [">1. ```\na\n```\n", "1. ~~~\na\n~~~\n", ">- 2) $$a$$\n", ">1. | a |\n"])
def test_a_block_in_a_list_is_one_unit_in_whatever_pieces_it_comes(block: str) -> None:
    assert units_of(*block) == units_of(block) == [Unit(block, is_block=True)]


@pytest.mark.parametrize(
    "piece", [") ", "_", "a. ", "A) ", "`Aa. ", "$a. B ", "http://a", "۔", "!", " ", "\n", "|\n"]
)
def test_a_long_hostile_text_is_cut_alike_in_small_pieces(piece: str) -> None:
    text = (piece * 20_000)[:20_000]
    pieces = [text[start : start + 7] for start in range(0, len(text), 7)]
    assert units_of(*pieces) == units_of(text)
