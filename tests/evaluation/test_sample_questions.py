"""The question set that ships with the sample book: true, varied, and answered no worse than when it was measured."""

import json
from collections import Counter
from io import StringIO
from typing import Any

import pytest
from rich.console import Console

from backend.app.evaluation import command, table
from backend.app.evaluation.baseline import compare
from backend.app.evaluation.question_file import read_questions
from backend.app.evaluation.report import Report, read_earlier
from backend.app.lifespan import SAMPLE_BOOK
from backend.app.textbook.calibration import off_topic_questions
from backend.app.utils.config import Settings

BASELINE = SAMPLE_BOOK.parent / "questions" / "baseline.json"
ABSENT = (
    *("realsense", "sigma point", "denavit", "harmonic drive", "moveit", "reward function", "ubuntu"),
    *("particle filter", "unitree", "elastic actuator", "language model", "slam", "arduino", "candle", "shakespeare"),
)
"""What the unanswerable questions ask about."""
RENEW = "python -m backend evaluate --json backend/app/sample_book/questions/baseline.json"


def records() -> list[dict[str, Any]]:
    lines = [line for path in command.SAMPLE_QUESTIONS for line in path.read_text(encoding="utf-8").splitlines()]
    return [json.loads(line) for line in lines]


def golds() -> list[dict[str, str]]:
    """Of questions and of every turn of a conversation."""
    turns = [turn for record in records() for turn in record.get("turns", [record])]
    return [gold for turn in turns for gold in turn["gold"]]


def normal(text: str) -> str:
    return " ".join(text.split())


def test_each_gold_stands_word_for_word_on_its_page_under_a_heading_that_it_has() -> None:
    pages = {path: (SAMPLE_BOOK / path).read_text(encoding="utf-8") for path in {gold["file"] for gold in golds()}}
    assert len(pages) == 6
    for gold in golds():
        page = pages[gold["file"]]
        assert normal(gold["must_contain"]) in normal(page), gold
        assert not gold["heading"] or f"# {gold['heading']}" in page, gold


def test_it_has_every_kind_of_question_in_three_languages() -> None:
    questions = read_questions(command.SAMPLE_QUESTIONS).questions
    counts = Counter((q.kind, q.lang) for q in questions if q.view == "alone")
    kinds = Counter(q.kind for q in questions if q.view == "alone")
    assert counts["answerable", "en"] >= 20
    assert counts["answerable", "ur"] >= 10
    assert counts["answerable", "roman"] >= 10
    assert kinds["near_domain_unanswerable"] >= 10
    assert kinds["off_topic"] >= 6
    assert {q.lang for q in questions if q.kind == "off_topic"} == {"en", "ur", "roman"}
    assert min(kinds["short"], kinds["meta"], kinds["code"], kinds["selection"]) >= 3
    assert sum("turns" in record for record in records()) >= 5


def test_questions_are_no_copies_of_the_sentences_that_answer_them() -> None:
    """A question that repeats its gold measures the lexical search only."""
    for record in records():
        if record.get("kind") == "answerable" and record["lang"] == "en":
            asked = set(record["question"].lower().strip("?").split())
            for gold in record["gold"]:
                held = set(gold["must_contain"].lower().split())
                assert len(asked & held) <= 0.6 * len(held), record["id"]


def test_what_is_not_in_the_book_shares_no_telling_word_with_it() -> None:
    pages = " ".join(path.read_text(encoding="utf-8") for path in SAMPLE_BOOK.rglob("*.md*")).lower()
    assert [term for term in ABSENT if term in pages] == []


def test_the_gate_is_not_asked_what_it_was_calibrated_with() -> None:
    calibrated = {question.casefold() for question in off_topic_questions()}
    assert len(calibrated) > 100
    assert [record["id"] for record in records() if record.get("question", "").casefold() in calibrated] == []


@pytest.fixture(scope="module")
async def measured(tmp_path_factory: pytest.TempPathFactory) -> Report:
    return await command.measure(Settings(data_dir=tmp_path_factory.mktemp("measuring")), command.Request())


@pytest.mark.anyio
async def test_every_answer_is_in_a_passage(measured: Report) -> None:
    assert measured.unreachable == []


@pytest.mark.anyio
async def test_no_figure_is_worse_than_when_the_baseline_was_stored(measured: Report) -> None:
    comparison = compare(measured.observed, read_earlier(BASELINE).results)
    text = StringIO()
    table.show_comparison(comparison, Console(file=text, width=110))
    told = f"{text.getvalue()}\nWhen this is meant, or worth what it brings, store a new baseline:\n  {RENEW}\n"
    assert not comparison.worse, told
    assert comparison.compared == len(measured.observed), (
        f"The questions have changed. Store a new baseline:\n  {RENEW}"
    )
