"""Only what stands in a passage that was sent is a source; what leans on an invented quote is not shown."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backend.app.models.domain import ScoredChunk
from backend.app.services.citations import find_quote
from backend.app.services.claude_reply import Citation, ClaudeReply, read_reply
from backend.app.services.passages import Passage
from tests.fakes import claude_wire as wire
from tests.fakes.book import NODE, TOPIC, chunk, passage
from tests.fakes.checking import check_answer

PASSAGES = (
    passage(NODE, 0),
    passage(TOPIC, 1),
    passage("Line one\nof a paragraph.\n\n```python\nrclpy.init()\n```", 2),
)


def cites(index: int = 0, start: int = 0, end: int = 1, **changes: Any) -> dict[str, Any]:
    cited = PASSAGES[index]
    text = "".join(cited.blocks[start:end])
    found = {"type": "search_result_location", "source": cited.source, "cited_text": text}
    return found | {"start_block_index": start, "end_block_index": end} | changes


def reply(*blocks: dict[str, Any]) -> ClaudeReply:
    return read_reply({"content": list(blocks), "stop_reason": "end_turn"}, request_id=None, latency_ms=0)


INVENTED = {"cited_text": "A node is a small animal that lives in trees."}
UNKNOWN = {"source": "book://elsewhere/chunk-9"}


def test_a_true_citation_makes_a_source() -> None:
    checked = check_answer(reply(wire.text("It is a process.", cites())), PASSAGES)
    assert checked is not None
    assert checked.text == "It is a process."
    assert [quote.text for quote in checked.quotes] == ["A node is a process that performs computation."]
    assert checked.quotes[0].passage is PASSAGES[0]


@pytest.mark.parametrize(
    "untrue", [INVENTED, UNKNOWN, {"cited_text": ""}, {"cited_text": " \n "}, {"type": "page_location"} | INVENTED]
)
def test_an_answer_without_a_true_citation_is_none(untrue: dict[str, Any]) -> None:
    assert check_answer(reply(wire.text("It is an animal.", cites(**untrue))), PASSAGES) is None


def test_an_answer_without_any_citation_is_none() -> None:
    assert check_answer(reply(wire.text("Trust me.")), PASSAGES) is None
    assert check_answer(reply(), PASSAGES) is None


def test_a_citation_of_nothing_visible_is_none() -> None:
    assert check_answer(reply(wire.text("Trust me."), wire.text(" ", cites())), PASSAGES) is None


def test_a_sentence_that_leans_on_an_invented_quote_is_removed_as_a_whole() -> None:
    checked = check_answer(
        reply(
            wire.text("A node computes.", cites()),
            wire.text(" The book adds that "),
            wire.text("it lives in trees", cites(**INVENTED)),
            wire.text(", as everyone knows. "),
            wire.text("Topics are many-to-many.", cites(1, 1, 2)),
        ),
        PASSAGES,
    )
    assert checked is not None
    assert checked.text == "A node computes. Topics are many-to-many."
    assert [quote.passage for quote in checked.quotes] == [PASSAGES[0], PASSAGES[1]]
    assert checked.dropped == 1


def test_a_true_citation_in_a_removed_sentence_is_no_source() -> None:
    blocks = (wire.text("A node computes ", cites()), wire.text("in trees.", cites(**INVENTED)))
    assert check_answer(reply(*blocks), PASSAGES) is None


def test_a_block_with_one_true_and_one_untrue_citation_stays() -> None:
    checked = check_answer(reply(wire.text("A node computes.", cites(**UNKNOWN), cites())), PASSAGES)
    assert checked is not None
    assert checked.text == "A node computes."
    assert (len(checked.quotes), checked.dropped) == (1, 1)


def test_text_that_claims_no_quote_stays_beside_cited_text() -> None:
    checked = check_answer(reply(wire.text("In short: "), wire.text("it computes.", cites())), PASSAGES)
    assert checked is not None
    assert checked.text == "In short: it computes."


def test_each_passage_is_a_source_once_in_the_order_of_first_citation() -> None:
    checked = check_answer(
        reply(
            wire.text("Topics. ", cites(1, 1, 2)),
            wire.text("Nodes. ", cites(0)),
            wire.text("Topics again.", cites(1, 0, 1), cites(0, 1, 2)),
        ),
        PASSAGES,
    )
    assert checked is not None
    assert [quote.passage for quote in checked.quotes] == [PASSAGES[1], PASSAGES[0]]
    assert checked.quotes[0].text == "Topics are many-to-many."


def test_a_code_block_that_leans_on_an_invented_quote_is_left_out_whole() -> None:
    blocks = (
        wire.text("Start it:", cites()),
        wire.text("\n```python\nrclpy.init()\n"),
        wire.text("rclpy.fly()\n```\n", cites(**INVENTED)),
    )
    checked = check_answer(reply(*blocks, wire.text("\nThen stop.")), PASSAGES, "How do I start and then stop?")
    assert checked is not None
    assert checked.text == "Start it:\n\nThen stop."


# --- the quote itself


def quote_of(cited_text: str, start: int = -1, end: int = -1, within: Passage = PASSAGES[0]) -> str | None:
    found = find_quote(Citation(within.source, cited_text, start, end), within)
    return found.text if found else None


def test_the_cited_blocks_joined_are_the_quote() -> None:
    assert quote_of(NODE, 0, 2) == NODE
    assert quote_of(PASSAGES[0].blocks[0], 0, 1) == "A node is a process that performs computation."


def test_wrong_block_numbers_are_forgiven_when_the_words_stand_there() -> None:
    assert quote_of("performs computation. Nodes talk", 7, 3) == "performs computation. Nodes talk"


def section(*parts: tuple[str, str]) -> Passage:
    """A passage of several chunks, each given by its text and its anchor."""
    chunks = tuple(chunk(text, number, anchor=anchor) for number, (text, anchor) in enumerate(parts))
    return Passage(ScoredChunk(chunks[-1], 0.7, 0.7, 0.0), chunks)


def test_a_quote_knows_the_chunk_in_which_it_begins() -> None:
    whole = section((NODE, "nodes"), (TOPIC, "topics"))
    assert whole.text == f"{NODE}\n\n{TOPIC}" == "".join(whole.blocks)
    by_block = find_quote(Citation(whole.source, whole.blocks[2], 2, 3), whole)
    by_words = find_quote(Citation(whole.source, "Topics are many-to-many.", -1, -1), whole)
    across = find_quote(Citation(whole.source, f"services and actions. {TOPIC}", -1, -1), whole)
    assert by_block
    assert by_words
    assert across
    assert [by_block.chunk, by_words.chunk, across.chunk] == [whole.chunks[1], whole.chunks[1], whole.chunks[0]]
    assert across.text == f"services and actions.\n\n{TOPIC}"


def test_each_cited_section_of_a_passage_is_a_source() -> None:
    whole = section((NODE, "nodes"), (TOPIC, "topics"), ("More on topics.", "topics"))
    found = [
        wire.text(said, cites(0) | {"source": whole.source, "cited_text": cited})
        for said, cited in (("B. ", TOPIC), ("C. ", "More on topics."), ("A.", NODE))
    ]
    checked = check_answer(reply(*found), [whole])
    assert checked is not None
    assert [quote.chunk.anchor for quote in checked.quotes] == ["topics", "nodes"]


def test_white_space_may_differ_and_the_passages_own_is_returned() -> None:
    assert quote_of("Line one of a  paragraph.", within=PASSAGES[2]) == "Line one\nof a paragraph."


def test_a_script_without_spaces_can_be_quoted_from_the_middle() -> None:
    japanese = passage("これはロボットのノードですから計算します。", 3)
    assert quote_of("ロボットのノードですから計算", within=japanese) == "ロボットのノードですから計算"


@pytest.mark.parametrize(
    "invented",
    [
        "a node is a process that performs computation.",  # another case
        "A node is a process which performs computation.",
        "A node is a process that performs computation. And more.",
        "node",  # too short to mean anything
        "performs comput",  # half a word: no browser finds it, and it may say something else
        "ode is a process",
        "A node .* computation",
        "A node is a process" + " x" * 5_000,
    ],
)
def test_words_that_do_not_stand_there_are_no_quote(invented: str) -> None:
    assert quote_of(invented) is None


# --- a reply that ran into its token limit


def test_a_cut_answer_ends_with_its_last_complete_cited_sentence() -> None:
    cut = reply(
        wire.text("A node computes", cites()),
        wire.text(". Topics carry messages.", cites(1)),
        wire.text(" Services are "),
        wire.text("a request and", cites(0, 1, 2)),
    )
    checked = check_answer(cut, PASSAGES, cut_short=True)
    assert checked is not None
    assert checked.text == "A node computes. Topics carry messages."
    assert [quote.passage for quote in checked.quotes] == [PASSAGES[0], PASSAGES[1]]


@pytest.mark.parametrize("said", ["A node compu", "", "A node performs compu"])
def test_a_cut_answer_without_a_complete_cited_sentence_is_none(said: str) -> None:
    blocks = (wire.text("Well, this is uncited. "), wire.text(said, cites()))
    assert check_answer(reply(*blocks), PASSAGES, cut_short=True) is None


def test_a_cut_list_keeps_its_finished_items() -> None:
    cut = reply(wire.text("- nodes\n", cites()), wire.text("- top", cites(1)))
    checked = check_answer(cut, PASSAGES, cut_short=True)
    assert checked is not None
    assert checked.text == "- nodes"


# --- whatever Claude says

words = st.text(alphabet="ab cN.\n`", max_size=30)
citations = st.builds(
    lambda index, start, end, text, source, honest: cites(
        index, start, end, **({} if honest else {"cited_text": text, "source": source})
    ),
    st.integers(0, 2),
    st.integers(-2, 4),
    st.integers(-2, 4),
    st.one_of(words, st.sampled_from([NODE, TOPIC, NODE[3:40], TOPIC[:25].replace(" ", "\n")])),
    st.sampled_from([p.source for p in PASSAGES] + ["book://x", ""]),
    st.booleans(),
)
blocks = st.builds(lambda text, cited: wire.text(text, *cited), words, st.lists(citations, max_size=3))


@settings(max_examples=300, deadline=None)
@given(st.lists(blocks, max_size=6), st.booleans())
def test_every_returned_quote_stands_in_a_passage_that_was_sent(content: list[dict[str, Any]], cut: bool) -> None:
    said = reply(*content)
    checked = check_answer(said, PASSAGES, cut_short=cut)
    if checked is None:
        return
    assert checked.quotes
    assert checked.text
    for quote in checked.quotes:
        assert quote.text.strip()
        assert quote.passage in PASSAGES
        assert quote.text in quote.passage.text
    shown, position = checked.text.replace("\n", "").replace(" ", ""), 0
    for character in shown:  # nothing is added: what is shown is the reply with pieces left out
        position = said.text.index(character, position) + 1
