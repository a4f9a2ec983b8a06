"""An answer that is checked while it is written is the answer that is checked at once; nothing untrue goes out."""

import itertools
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backend.app.services.citations import AnswerCheck, Quote
from backend.app.services.claude_reply import Citation, ClaudeReply, read_reply
from backend.app.services.claude_stream import BlockEnd, ReplyPart, TextPiece
from tests.fakes import claude_wire as wire
from tests.fakes.book import NODE, TOPIC, passage
from tests.fakes.checking import check_answer

PASSAGES = (passage(NODE, 0), passage(TOPIC, 1, anchor="topics"), passage("Call `rclpy.init()` first.", 2))
NODE_CITED = Citation(PASSAGES[0].source, PASSAGES[0].blocks[0], 0, 1)
TOPIC_CITED = Citation(PASSAGES[1].source, PASSAGES[1].blocks[1], 1, 2)
UNTRUE = Citation(PASSAGES[0].source, "A node is a small animal in a tree.", 0, 1)


class Heard:
    """What came out of a check, and when."""

    def __init__(self) -> None:
        self.check = AnswerCheck(PASSAGES, "What is a node, a topic or a computation?")
        self.texts: list[str] = []
        self.quotes: list[Quote] = []

    def hear(self, *parts: ReplyPart | str) -> str:
        """-> the words that these parts made certain."""
        before = len(self.texts)
        for part in parts:
            self._note(self.check.hear(TextPiece(part) if isinstance(part, str) else part))
        return "".join(self.texts[before:])

    def finish(self, *, cut_short: bool = False) -> str:
        before = len(self.texts)
        self._note(self.check.finish(cut_short=cut_short))
        return "".join(self.texts[before:])

    def _note(self, found: list[Any]) -> None:
        for verified in found:
            self.texts.append(verified.text)
            self.quotes += verified.quotes

    @property
    def text(self) -> str:
        return "".join(self.texts)


@pytest.fixture
def heard() -> Heard:
    return Heard()


def test_a_sentence_waits_for_its_end_and_the_end_of_its_block(heard: Heard) -> None:
    assert heard.hear("A node computes. Topics", NODE_CITED) == ""
    assert heard.hear(BlockEnd()) == "A node computes."
    assert heard.hear(" carry messages", BlockEnd(), ".", BlockEnd()) == ""
    assert heard.hear(" Nodes") == " Topics carry messages."
    assert heard.hear(BlockEnd()) == ""
    assert heard.finish() == " Nodes"


def test_uncited_opening_words_wait_for_the_first_cited_sentence(heard: Heard) -> None:
    assert heard.hear("A node is this. A topic is that. ", BlockEnd()) == ""
    assert heard.hear("It computes. ", NODE_CITED, BlockEnd()) == ""
    assert heard.hear("A topic") == "A node is this. A topic is that. It computes."
    assert heard.hear(" is a node. So", BlockEnd()) == " A topic is a node."


def test_a_sentence_with_an_untrue_citation_never_goes_out(heard: Heard) -> None:
    assert heard.hear("A node computes. ", NODE_CITED, BlockEnd(), "It is ", BlockEnd()) == "A node computes."
    assert heard.hear("an animal", UNTRUE, BlockEnd(), " in a tree. Topics", BlockEnd()) == ""
    assert heard.hear(" too.", TOPIC_CITED, BlockEnd()) == ""
    assert heard.finish() == " Topics too."
    assert heard.check.dropped == 1


def test_each_source_comes_once_and_with_its_first_words(heard: Heard) -> None:
    heard.hear("A node. ", NODE_CITED, NODE_CITED, BlockEnd(), "A topic. ", TOPIC_CITED, NODE_CITED, BlockEnd(), "X")
    heard.hear(BlockEnd())
    assert [quote.passage for quote in heard.quotes] == [PASSAGES[0], PASSAGES[1]]


@pytest.mark.parametrize(
    "beginning",
    [
        "I don't have this information in the book.",
        "I don’t have this",
        "**I don't have this information in the book",
    ],
)
def test_what_may_become_a_refusal_waits(heard: Heard, beginning: str) -> None:
    assert heard.hear(beginning, NODE_CITED, BlockEnd()) == ""
    assert heard.hear("\n", BlockEnd()) == ""


def test_what_only_began_like_a_refusal_goes_out_when_it_is_none(heard: Heard) -> None:
    assert heard.hear("I don't have\n", NODE_CITED, BlockEnd()) == ""
    assert heard.hear("a node. ") == "I don't have"
    refusing = Heard()
    refusing.hear("I don't have this information in the book.", NODE_CITED, BlockEnd())
    assert refusing.finish() == ""


def test_code_and_tables_go_out_whole(heard: Heard) -> None:
    heard.hear("A node:", NODE_CITED, BlockEnd())
    assert heard.hear("\n\n```python\nnode. Init()\n\n", TOPIC_CITED, BlockEnd()) == "A node:"
    assert heard.hear("node()\n") == ""
    assert heard.hear("```\n| node |\n|---|\n", BlockEnd()) == "\n\n```python\nnode. Init()\n\nnode()\n```"
    assert heard.hear("| topic |\n", BlockEnd()) == ""
    assert heard.hear("\nA node") == "\n| node |\n|---|\n| topic |"


def test_what_is_shown_is_inert_wherever_it_is_cut(heard: Heard) -> None:
    for letter in "See [a](https://evil.example). A <img src=x> node":
        heard.hear(letter)
    heard.hear(NODE_CITED, BlockEnd())
    heard.finish()
    assert heard.text == "See [a] (…). A < img src=x> node"


def test_a_line_keeps_its_end_when_its_last_sentence_is_left_out(heard: Heard) -> None:
    heard.hear("- A node. ", NODE_CITED, BlockEnd(), "Untrue.\n", UNTRUE, BlockEnd(), "- A topic\n", BlockEnd())
    heard.finish()
    assert heard.text == "- A node.\n- A topic"


def test_an_open_part_is_told(heard: Heard) -> None:
    heard.hear("A node computes.\n", NODE_CITED, BlockEnd(), "\n[open] The book does not say since when.", BlockEnd())
    heard.finish()
    checked = heard.check.checked()
    assert checked is not None
    assert (checked.text, checked.leaves_open) == (
        "A node computes.\n\nThe book does not say since when.",
        True,
    )


def test_a_cut_answer_leaves_out_what_is_not_complete(heard: Heard) -> None:
    heard.hear("A node computes. A topic", NODE_CITED, BlockEnd())
    assert heard.finish(cut_short=True) == ""
    assert heard.text == "A node computes."


# --- the same at once and in pieces

WORDS = [
    *("A node", "computes", ". ", "! ", "۔ ", "\n", "\n\n", "- ", "1. ", "`", "```\n", "|", "$", "topic", "x[0](y)"),
    *("https://evil.example", "<b>", "[a](b)", "I don't have this information in the book.", "[open] ", "42", "    "),
]
CITATIONS = [NODE_CITED, TOPIC_CITED, UNTRUE, Citation("book://elsewhere", "A node", 0, 1)]
blocks = st.tuples(
    st.lists(st.sampled_from(WORDS), max_size=8).map("".join), st.lists(st.sampled_from(CITATIONS), max_size=2)
)


def reply_of(content: list[tuple[str, list[Citation]]]) -> ClaudeReply:
    said = [
        wire.text(
            text,
            *(
                {
                    "source": cited.source,
                    "cited_text": cited.cited_text,
                    "start_block_index": cited.start,
                    "end_block_index": cited.end,
                }
                for cited in citations
            ),
        )
        for text, citations in content
    ]
    return read_reply({"content": said, "stop_reason": "end_turn"}, request_id=None, latency_ms=0)


def cut(text: str, cuts: list[int]) -> list[str]:
    ends = sorted({min(end, len(text)) for end in cuts} | {len(text)})
    return [text[start:end] for start, end in itertools.pairwise([0, *ends])]


@settings(max_examples=600, deadline=None)
@given(st.lists(blocks, max_size=7), st.booleans(), st.booleans(), st.lists(st.integers(0, 60), max_size=6))
def test_streamed_text_joined_is_the_whole_answer(
    content: list[tuple[str, list[Citation]]], cut_short: bool, cites_late: bool, cuts: list[int]
) -> None:
    question = "What is a node, a topic or a computation?"
    whole = check_answer(reply_of(content), PASSAGES, question, cut_short=cut_short)
    heard = Heard()
    for text, citations in content:
        said = cut(text, cuts)
        heard.hear(*(said if cites_late else citations), *(citations if cites_late else said), BlockEnd())
    heard.finish(cut_short=cut_short)
    streamed = heard.check.checked()
    assert streamed == whole
    assert heard.text == (whole.text if whole else "")
    assert tuple(heard.quotes) == (whole.quotes if whole else ())
