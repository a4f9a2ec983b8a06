"""What is told of figures that fell, and what is not taken for a fall."""

import json
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from backend.app.errors import EvaluationError
from backend.app.evaluation import table
from backend.app.evaluation.baseline import Comparison, compare
from backend.app.evaluation.observed import Answered, Observed
from backend.app.evaluation.questions import Gold, Question
from backend.app.evaluation.report import _result as as_result  # pyright: ignore[reportPrivateUsage]
from backend.app.evaluation.report import read_earlier

GOLD = (Gold("intro.md", "", "words"),)


def seen(number: int, found: float = 1.0, *, kind: str = "answerable", passed: bool = True, **more: Any) -> Observed:
    question = Question(f"q{number}", "alone", kind, "en", f"Question {number}?", kind == "answerable", GOLD)
    measured = kind == "answerable"
    return Observed(
        question=question,
        passed_gate=passed,
        recall=(found, found, found) if measured else None,
        reciprocal_rank=found if measured else None,
        in_context=found if measured else None,
        best_cosine=0.5,
        latency_ms=10.0,
        found=("/docs/intro#words",),
        **more,
    )


def compared(now: list[Observed], before: list[Observed]) -> Comparison:
    stored = json.loads(json.dumps([as_result(one) for one in before]))
    return compare(now, {f"{result['id']}/{result['view']}": result for result in stored})


def worse(comparison: Comparison) -> set[str]:
    return {change.figure for change in comparison.worse}


def test_equal_figures_are_no_fall() -> None:
    before = [seen(number, 1 / 3) for number in range(7)]
    comparison = compared(before, before)
    assert comparison.compared == 7
    assert comparison.worse == ()
    assert comparison.lost == ()


@pytest.mark.parametrize(("misses", "falls"), [(1, False), (2, False), (3, True)])
def test_more_than_two_points_are_a_fall(misses: int, falls: bool) -> None:
    before = [seen(number) for number in range(100)]
    now = [seen(number, float(number >= misses)) for number in range(100)]
    comparison = compared(now, before)
    assert bool(comparison.worse) is falls
    assert len(comparison.lost) == misses


def test_a_gain_elsewhere_does_not_hide_the_fall_of_one_group() -> None:
    before = [seen(1), seen(2, 0.0)]
    now = [seen(1, 0.0), seen(2)]
    assert worse(compared(now, before)) == set()  # one group: the gain makes up for the loss
    off = seen(3, kind="off_topic", passed=False)
    assert worse(compared([*now, seen(3, kind="off_topic")], [*before, off])) == {"off_topic_passes"}


def test_more_refusals_are_worse_and_fewer_near_domain_passes_are_not() -> None:
    near = seen(1, kind="near_domain_unanswerable", passed=True)
    refused = seen(1, kind="near_domain_unanswerable", passed=False)
    assert worse(compared([refused], [near])) == worse(compared([near], [refused])) == set()
    assert worse(compared([seen(2, passed=False)], [seen(2)])) == {"wrong_refusals"}


def test_only_questions_that_are_the_same_are_compared() -> None:
    before = [seen(1), seen(2), seen(3)]
    reworded = Question("q2", "alone", "answerable", "en", "Another question?", True, GOLD)
    now = [seen(1), seen(4, 0.0), Observed(reworded, False, (0, 0, 0), 0, 0, 0, 0, ())]
    comparison = compared(now, before)
    assert comparison.compared == 1
    assert comparison.worse == ()


def test_answers_are_compared_too() -> None:
    def answered(outcome: Any, true_citations: int) -> Observed:
        return seen(1, answer=Answered(outcome, 2, true_citations, 1.0, 500, 0.1))

    assert worse(compared([answered("answered", 1)], [answered("answered", 2)])) == {"true_citations"}
    assert worse(compared([answered("not_in_book", 2)], [answered("partial", 2)])) == {"grounded"}


def test_the_table_names_figures_and_questions() -> None:
    shown = StringIO()
    comparison = compared([seen(number, float(number > 0)) for number in range(10)], [seen(n) for n in range(10)])
    table.show_comparison(comparison, Console(file=shown, width=100))
    text = shown.getvalue()
    assert "recall_in_context" in text
    assert "-10.0" in text
    assert "q0 (alone): Question 0?" in text


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("{}", "is no report of `evaluate`"),
        ("[]", "is no report of `evaluate`"),
        ("{broken", "is no report of `evaluate`"),
        ('{"schema": 99, "results": []}', "schema 99"),
        ('{"schema": 1, "results": [{}]}', "is no report of `evaluate`"),
        ('{"schema": 1, "results": [], "model": "x"}', "is no report of `evaluate`"),
    ],
)
def test_another_file_is_no_baseline(tmp_path: Path, content: str, said: str) -> None:
    path = tmp_path / "baseline.json"
    path.write_text(content)
    with pytest.raises(EvaluationError, match=said):
        read_earlier(path)
