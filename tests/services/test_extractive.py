"""Answers without a model show what fits, not what merely came along."""

import pytest

from backend.app.models.domain import QuestionLanguage
from backend.app.services.extractive import MAX_PASSAGES, quote_passages
from tests.fakes.book import NODE, TOPIC, passage

ONE_LINER = "One question on nodes."


@pytest.mark.parametrize(
    ("scores", "shown"),
    [
        ((0.42, 0.16, 0.14), [0]),
        ((0.5, 0.31, 0.2), [0, 1]),
        ((0.2, 0.18, 0.13), [0, 1, 2]),
        ((1.0, 0.4, 0.3), [0, 1, 2]),  # marked text first
        ((1.0, 0.4, 0.1), [0, 1]),
        ((1.0, 1.0), [0, 1]),
        ((0.0, 0.0), [0, 1]),
        ((0.5, 0.5, 0.5, 0.5), [0, 1, 2]),
    ],
)
def test_a_passage_far_behind_the_best_is_not_shown(scores: tuple[float, ...], shown: list[int]) -> None:
    passages = [passage(NODE, number, score=score) for number, score in enumerate(scores)]
    answer = quote_passages(passages)
    assert answer is not None
    assert [quote.passage for quote in answer.quotes] == [passages[number] for number in shown]
    assert len(answer.quotes) <= MAX_PASSAGES


def test_a_one_liner_is_shown_only_when_there_is_nothing_else() -> None:
    liner, topic = passage(ONE_LINER, 0, score=0.9), passage(TOPIC, 1, score=0.4)
    beside, alone = quote_passages([liner, topic]), quote_passages([liner])
    assert beside is not None
    assert alone is not None
    assert [quote.passage for quote in beside.quotes] == [topic]
    assert [quote.passage for quote in alone.quotes] == [liner]
    assert quote_passages([]) is None


@pytest.mark.parametrize("language", ["en", "ur", "ur-Latn", "other"])
def test_only_without_a_model_the_answer_says_that_there_is_none(language: QuestionLanguage) -> None:
    without, unpaid = quote_passages([passage()], language), quote_passages([passage()], language, has_model=True)
    assert without is not None
    assert unpaid is not None
    assert "AI" in without.text.partition("\n")[0]
    assert "AI" not in unpaid.text
    assert without.text.partition("\n")[2] == unpaid.text.partition("\n")[2]
