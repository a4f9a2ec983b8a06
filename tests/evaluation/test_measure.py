"""What counts as found: over a small book and a small corpus, through the product's own search."""

from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from backend.app.errors import EvaluationError
from tests.evaluation.conftest import Ask, asked, write_lines

pytestmark = pytest.mark.anyio

DRIFT = ("intro.md", "Its bias makes the angle drift")
CHARGER = ("intro.md", "forty minutes on the grey charger")
FORWARD = ("arms/kinematics.md", "It has exactly one answer")


async def test_a_question_finds_the_words_on_their_page(ask: Ask) -> None:
    report = await ask(asked("Why does a gyroscope drift?", DRIFT))
    (seen,) = report.observed
    assert (seen.in_context, seen.recall, seen.reciprocal_rank) == (1.0, (1.0, 1.0, 1.0), 1.0)
    assert seen.passed_gate
    assert seen.best_cosine > 0.4
    assert seen.found[0].endswith("#gyroscopes")
    assert report.unreachable == []


async def test_the_same_words_on_another_page_are_no_hit(ask: Ask) -> None:
    report = await ask(asked("Why does a gyroscope drift?", ("arms/kinematics.md", DRIFT[1])))
    (seen,) = report.observed
    assert (seen.in_context, seen.reciprocal_rank) == (0.0, 0.0)
    assert report.unreachable == ["q"]


async def test_words_may_break_lines_otherwise_than_the_page(ask: Ask) -> None:
    (seen,) = (await ask(asked("gyroscope drift", ("intro.md", "Its bias\n makes   the angle\tdrift")))).observed
    assert seen.in_context == 1.0


async def test_one_of_several_golds_is_enough_unless_all_are_asked_for(ask: Ask) -> None:
    nowhere = ("intro.md", "words that no page has")
    question = "Why does a gyroscope drift?"
    report = await ask(
        asked(question, nowhere, DRIFT, question_id="any"),
        asked(question, nowhere, DRIFT, question_id="all", gold_mode="all"),
        asked(question, CHARGER, DRIFT, question_id="both", gold_mode="all"),
    )
    one, every, both = report.observed
    assert (one.in_context, every.in_context, both.in_context) == (1.0, 0.0, 1.0)
    assert (one.reciprocal_rank, every.reciprocal_rank) == (1.0, 0.0)
    assert both.reciprocal_rank < 1.0  # the rank of the later one
    assert report.unreachable == ["all"]


async def test_a_gold_without_words_is_its_page_or_section(ask: Ask) -> None:
    page = {
        "id": "page",
        "question": "What does forward kinematics compute?",
        "gold": [{"file": "arms/kinematics.md"}],
    }
    section = page | {"id": "section", "gold": [{"file": "arms/kinematics.md", "heading": "Singularities"}]}
    whole, part = (await ask(page, section)).observed
    assert (whole.reciprocal_rank, whole.in_context) == (1.0, 1.0)
    assert part.reciprocal_rank < 1.0


async def test_words_that_run_over_the_end_of_a_passage_are_found_in_either_half(ask: Ask, docs: Path) -> None:
    paragraphs = [
        f"Paragraph {number} of the manual says that lever {number} opens valve {number}." for number in range(60)
    ]
    (docs / "manual.md").write_text("# Manual\n\n" + "\n\n".join(paragraphs), encoding="utf-8")
    golds = [f"{one} {other}" for one, other in pairwise(paragraphs)]
    records = [
        asked(f"Which valve does lever {n} open?", ("manual.md", gold), question_id=f"q{n}")
        for n, gold in enumerate(golds)
    ]
    assert (await ask(*records)).unreachable == []


async def test_off_topic_questions_have_no_recall_and_are_counted_at_the_gate(ask: Ask) -> None:
    off = {"id": "off", "kind": "off_topic", "question": "Who won the football match last night?", "gold": []}
    near = {"id": "near", "kind": "near_domain_unanswerable", "question": "What does a gyroscope cost?", "gold": []}
    report = await ask(off, near, asked("Why does a gyroscope drift?", DRIFT))
    everything = report.groups[0]
    assert report.observed[0].recall is None
    assert everything.figures["off_topic_passes"].value == 0.0
    assert everything.figures["near_domain_passes"].value == 1.0
    assert everything.figures["wrong_refusals"].value == 0.0
    assert everything.figures["recall_in_context"].count == 1
    assert {group.name for group in report.groups} == {"all", "off_topic", "near_domain_unanswerable", "answerable"}


async def test_a_follow_up_is_found_through_its_thread(ask: Ask) -> None:
    turns: list[dict[str, Any]] = [
        {"question": "What does a gyroscope measure?", "standalone": "What does a gyroscope measure?"},
        {"question": "and why is it wrong after a while?", "standalone": "Why does a gyroscope drift?"},
    ]
    turns[1]["gold"] = [{"file": DRIFT[0], "must_contain": DRIFT[1]}]
    report = await ask({"id": "c", "lang": "en", "turns": turns})
    assert [(seen.question.view, seen.in_context) for seen in report.observed] == [
        ("thread", 1.0),
        ("standalone", 1.0),
    ]


async def test_a_marked_passage_is_part_of_the_question(ask: Ask) -> None:
    marked = asked("Why?", DRIFT, selected_text="Its bias makes the angle drift, so that after a minute")
    (seen,) = (await ask(marked)).observed
    assert seen.in_context == 1.0


async def test_over_a_corpus_each_gold_passage_counts_for_its_share(ask: Ask, corpus: Path) -> None:
    report = await ask(
        {"id": "1", "text": "Which planet is covered with iron oxide?", "gold": ["p1"], "answerable": True},
        {"id": "2", "text": "Which planet rotates backwards?", "gold": ["p2", "p1"]},
        corpus=corpus,
    )
    one, two = report.observed
    assert one.recall == (1.0, 1.0, 1.0)
    assert two.recall[0] == 0.5
    assert two.recall[2] == 1.0
    assert two.reciprocal_rank == 1.0


async def test_a_long_passage_counts_once_with_its_best_part(ask: Ask, tmp_path: Path) -> None:
    filler = "The expedition wrote about stones, dust, weather and food every single evening. " * 60
    long = {"id": "long", "text": f"{filler}The captain buried a golden compass beneath the lighthouse. {filler}"}
    other = {"id": "other", "text": "Lighthouses warn ships of rocks."}
    path = write_lines(tmp_path / "long.jsonl", [long, other])
    question = {"id": "1", "text": "Where is the golden compass buried?", "gold": ["long"]}
    second = {"id": "2", "text": "What do lighthouses warn ships of?", "gold": ["other"]}
    found, behind = (await ask(question, second, corpus=path)).observed
    assert found.recall[0] == 1.0
    assert behind.reciprocal_rank >= 0.5  # however many parts the long one has, it takes one place


async def test_a_page_that_the_book_lacks_is_named_with_what_is_like_it(ask: Ask) -> None:
    with pytest.raises(EvaluationError, match=r"1 page .*\n  - arms/kinematic\.md; did you mean arms/kinematics\.md"):
        await ask(asked("Why?", ("arms/kinematic.md", "x")))


@pytest.fixture
def folder_above(docs: Path) -> None:
    """The book stands one folder deeper."""
    above = docs.parent / "above"
    above.mkdir()
    docs.rename(above / "book")
    above.rename(docs)


@pytest.mark.usefixtures("folder_above")
async def test_the_end_of_a_path_is_enough_where_one_page_has_it(ask: Ask) -> None:
    (seen,) = (await ask(asked("Why does a gyroscope drift?", DRIFT))).observed
    assert seen.reciprocal_rank == 1.0
