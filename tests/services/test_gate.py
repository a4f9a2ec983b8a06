"""Whether the book has anything to say, before a model is asked."""

import pytest

from backend.app.models.domain import Manifest
from backend.app.services.gate import Gate, gate_of, relevant
from backend.app.textbook.calibration import USUAL, Calibration
from tests.fakes.book import NODE, hit

IK = "Inverse kinematics (IK) computes joint angles; M(q)q̈ is the inertia term, and `--symlink-install` a flag."
OWN_COSINE = Gate(line=0.9, cosine=0.30)
LINE = Gate(line=0.30)


def test_the_line_is_the_book_s_own_unless_the_owner_set_a_cosine() -> None:
    manifest = Manifest(gate=Calibration(threshold=0.21).as_json())
    assert gate_of(manifest, None) == Gate(0.21, None)
    assert gate_of(manifest, 0.4) == Gate(0.21, 0.4)
    assert gate_of(Manifest(), None) == Gate(USUAL, None)


def test_evidence_above_the_line_is_relevant() -> None:
    hits = [hit(NODE, 0, dense=0.5), hit(NODE, 1, dense=0.1), hit(IK, 2, dense=0.2, lexical=2.0)]
    assert [found.chunk.position for found in relevant(hits, "zebra", LINE)] == [0]
    assert [found.chunk.position for found in relevant(hits, "IK", LINE)] == [0, 2]
    assert relevant(hits, "zebra", Gate(line=0.5)) == []
    assert relevant([], "IK", LINE) == []


@pytest.mark.parametrize(
    "question",
    [
        "What is this book about?",
        "who is this online course for",
        "How many chapters are there?",
        "What do I have to know before I start reading?",
        "yeh kitab kis baare mein hai",
        "یہ کتاب کس بارے میں ہے؟",
    ],
)
def test_what_is_asked_about_the_book_itself_is_for_the_book_to_answer(question: str) -> None:
    hits = [hit(NODE, 0, dense=0.01)]
    assert relevant(hits, question, LINE) == hits == relevant(hits, question, OWN_COSINE)


@pytest.mark.parametrize("question", ["recommend me a good book", "What is the most read book of all times?"])
def test_other_books_are_not_meant(question: str) -> None:
    assert not relevant([hit(NODE, 0, dense=0.1)], question, LINE)


def test_a_cosine_that_the_owner_set_is_enough() -> None:
    assert relevant([hit(dense=0.1), hit(dense=0.30)], "zebra", OWN_COSINE) == [hit(dense=0.30)]
    assert not relevant([hit(dense=0.299)], "zebra", OWN_COSINE)


@pytest.mark.parametrize(
    "question",
    [
        "IK",
        "what is IK?",
        "M(q)q̈",
        "--symlink-install",
        "IK کیا ہے؟",
        "joint angles",
        "IK kya hai?",
        "inverse kinematics kaise kaam karti hai",
    ],
)
def test_beside_it_a_question_whose_words_stand_in_a_passage_passes(question: str) -> None:
    assert relevant([hit(IK, dense=0.15, lexical=3.0)], question, OWN_COSINE)


@pytest.mark.parametrize(
    "question",
    ["capital of France", "best way to cook rice", "IK or dynamics or control", "what is this?", "hi", "", "؟"],
)
def test_beside_it_a_question_whose_words_do_not_is_stopped(question: str) -> None:
    assert not relevant([hit(IK, dense=0.15, lexical=3.0)], question, OWN_COSINE)


def test_words_count_only_where_lexical_search_found_some() -> None:
    assert not relevant([hit(IK, dense=0.15, lexical=0.0)], "IK", OWN_COSINE)
