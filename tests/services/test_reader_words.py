"""The one block that holds all a reader said: in which order, how much of it, and the line that is ours."""

import re

import pytest

from backend.app.models.domain import ChapterId, PastTurn, QuestionLanguage, Source
from backend.app.services.passages import estimate_tokens
from backend.app.services.reader_words import (
    DEFAULT_QUESTION,
    SEARCHED_CHARS,
    THREAD_TOKENS,
    question_block,
    recent_turns,
    rewrite_block,
)


def turn(question: str, answer: str = "It computes.", *sections: str) -> PastTurn:
    sources = tuple(Source(ChapterId("c"), section, 0.5, "T", "/c", "q") for section in sections)
    return PastTurn(question, answer, sources)


def shape(block: str) -> str:
    """Without the code that differs each time."""
    return re.sub(r"(?<=[a-z])-[0-9a-f]{12}(?=[> ])", "", block)


def test_a_question_alone_is_all_there_is() -> None:
    assert (
        shape(question_block("What is a node?")) == "<question>\nWhat is a node?\n</question>\n\nAnswer in English."
    )


def test_thread_selection_and_question_stand_in_this_order() -> None:
    block = question_block(
        "why?",
        "A node waits.",
        origin="book",
        thread=[turn("What is a node?", "A process.", "Nodes", "Nodes", "Topics")],
    )
    assert shape(block) == (
        "<conversation>\n<asked>\nWhat is a node?\n</asked>\n"
        "<answered>\nA process.\n(Sections: Nodes, Topics)\n</answered>\n</conversation>\n\n"
        '<selected_text from="book">\nA node waits.\n</selected_text>\n\n'
        "<question>\nwhy?\n</question>\n\nAnswer in English."
    )


@pytest.mark.parametrize(
    ("language", "line"),
    [
        ("en", "Answer in English."),
        ("ur", "Answer in Urdu, in Urdu script."),
        ("ur-Latn", "Answer in Roman Urdu: Urdu in Latin letters."),
        ("other", "Answer in the language and script of the question."),
    ],
)
def test_the_last_line_names_the_language_of_the_answer(language: QuestionLanguage, line: str) -> None:
    assert question_block("What?", language=language).splitlines()[-1] == line


def test_a_rewrite_gets_no_line_of_ours_and_the_beginning_of_the_selection() -> None:
    block = shape(rewrite_block("", "x" * 20_000))
    assert block.endswith(f"\n\n<question>\n{DEFAULT_QUESTION}\n</question>")
    assert f"\n{'x' * SEARCHED_CHARS}\n</selected_text>" in block


@pytest.mark.parametrize("word", ["node ", "سینسر ", "x", "👍"])
def test_the_last_turns_stay_within_their_tokens(word: str) -> None:
    endless = [turn(word * 2_000, word * 9_000) for _ in range(30)]
    kept = recent_turns(endless)
    assert kept
    spent = sum(estimate_tokens(one.question + one.answer) for one in kept)
    assert spent <= THREAD_TOKENS or len(kept) == 1


def test_the_newest_turns_are_kept_oldest_first() -> None:
    kept = recent_turns([turn(str(number)) for number in range(9)])
    assert [one.question for one in kept] == ["5", "6", "7", "8"]


def test_what_was_cut_twice_is_what_was_cut_once() -> None:
    once = recent_turns([turn("why " * 400, "because " * 400)])
    assert recent_turns(once) == once
