"""Whether the book has anything to say, before a model is asked."""

import pytest

from backend.app.services.gate import is_answerable, relevant
from tests.fakes.book import NODE, hit

IK = "Inverse kinematics (IK) computes joint angles; M(q)q̈ is the inertia term, and `--symlink-install` a flag."


def test_a_good_cosine_is_enough() -> None:
    assert is_answerable([hit(dense=0.1), hit(dense=0.30)], "zebra", 0.30)
    assert not is_answerable([hit(dense=0.299)], "zebra", 0.30)


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
def test_a_question_whose_words_stand_in_a_passage_passes(question: str) -> None:
    assert is_answerable([hit(IK, dense=0.15, lexical=3.0)], question, 0.30)


@pytest.mark.parametrize(
    "question", ["capital of France", "best way to cook rice", "IK or dynamics or control", "what is this?", "", "؟"]
)
def test_a_question_whose_words_do_not_is_stopped(question: str) -> None:
    assert not is_answerable([hit(IK, dense=0.15, lexical=3.0)], question, 0.30)


def test_words_count_only_where_lexical_search_found_some() -> None:
    assert not is_answerable([hit(IK, dense=0.15, lexical=0.0)], "IK", 0.30)


def test_without_hits_there_is_nothing_to_say() -> None:
    assert not is_answerable([], "IK", 0.30)


def test_only_hits_that_are_evidence_are_relevant() -> None:
    hits = [hit(NODE, 0, dense=0.5), hit(NODE, 1, dense=0.1), hit(IK, 2, dense=0.1, lexical=2.0)]
    assert [found.chunk.position for found in relevant(hits, ["IK", "zebra"], 0.30)] == [0, 2]
