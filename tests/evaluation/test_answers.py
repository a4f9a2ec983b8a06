"""Answers of a scripted Claude, through the product's own AnswerService: what is counted, and what it may cost."""

from decimal import Decimal
from typing import Any

import pytest
from pydantic import SecretStr

from backend.app.errors import ConfigurationError, EvaluationError
from backend.app.utils.config import Settings
from tests.evaluation.conftest import Ask, asked
from tests.fakes import claude_wire as wire
from tests.fakes.claude import FakeClaude

pytestmark = pytest.mark.anyio

DRIFT = asked(
    "Why does a gyroscope drift?",
    ("intro.md", "Its bias makes the angle drift"),
    answer_keywords=["bias", "elephant"],
)
NEAR = {"id": "near", "kind": "near_domain_unanswerable", "question": "What does a gyroscope cost?", "gold": []}
OFF = {"id": "off", "kind": "off_topic", "question": "Who won the football match last night?", "gold": []}
REFUSAL = "I don't have this information in the book."


@pytest.fixture
def with_claude(measuring: Settings, claude: FakeClaude) -> Settings:
    return measuring.model_copy(
        update={"anthropic_api_key": SecretStr("sk-test"), "anthropic_base_url": claude.base_url}
    )


def values(report: Any) -> dict[str, float]:
    return {name: figure.value for name, figure in report.groups[0].figures.items()}


async def test_answers_refusals_citations_keywords_and_cost(
    ask: Ask, with_claude: Settings, claude: FakeClaude
) -> None:
    def truth_and_a_lie(body: Any) -> list[dict[str, Any]]:
        (*_, true) = wire.default_content(body)
        cited = {**true, "text": "Its bias makes it drift."}
        lie = {**true["citations"][0], "cited_text": "Elephants never forget a gyroscope."}
        return [cited, {**cited, "text": " And elephants.", "citations": [lie]}]

    claude.says(truth_and_a_lie)
    claude.says(REFUSAL)
    report = await ask(DRIFT, NEAR, OFF, settings=with_claude, model="answers")
    found = values(report)
    assert found["grounded"] == 1.0
    assert found["refusal_recall"] == 1.0
    assert found["refusal_precision"] == 1.0
    assert found["true_citations"] == 0.5
    assert found["keywords"] == 0.5
    assert report.model_use
    assert report.model_use.cost_microusd == sum(seen.answer.cost_microusd for seen in report.observed) > 0
    assert report.observed[2].answer.cost_microusd == 0  # the gate refused: nobody was asked
    assert len([request for request in claude.requests if request.path == "/v1/messages"]) == 2


async def test_nothing_is_asked_when_no_model_is_wanted(ask: Ask, with_claude: Settings, claude: FakeClaude) -> None:
    report = await ask(DRIFT, settings=with_claude)
    assert claude.requests == []
    assert report.model_use is None


async def test_questions_are_rewritten_as_for_readers(ask: Ask, with_claude: Settings, claude: FakeClaude) -> None:
    urdu = asked("یہ آلہ کیوں بہکتا ہے؟", ("intro.md", "Its bias makes the angle drift"), lang="ur")
    claude.says("Why does a gyroscope drift?")
    (plain,) = (await ask(urdu)).observed
    (rewritten,) = (await ask(urdu, settings=with_claude, model="rewrite")).observed
    assert (rewritten.in_context, rewritten.answer) == (1.0, None)
    assert rewritten.best_cosine > plain.best_cosine


async def test_the_limit_ends_the_asking_before_it_is_passed(
    ask: Ask, with_claude: Settings, claude: FakeClaude
) -> None:
    records = [
        asked(f"Why does gyroscope {n} drift?", ("intro.md", "angle drift"), question_id=f"q{n}") for n in range(12)
    ]
    report = await ask(*records, settings=with_claude, model="answers", max_usd=Decimal("0.003"))
    assert 0 < report.unasked < 12
    assert report.model_use
    assert 500 < report.model_use.cost_microusd <= 3_000
    assert len(report.observed) == 12  # finding costs nothing and was finished


async def test_no_money_at_all_asks_nothing(ask: Ask, with_claude: Settings, claude: FakeClaude) -> None:
    report = await ask(DRIFT, settings=with_claude, model="answers", max_usd=Decimal(0))
    assert report.unasked == 1
    assert report.model_use
    assert report.model_use.cost_microusd == 0


async def test_one_failure_is_told_apart_and_many_end_the_run(
    ask: Ask, with_claude: Settings, claude: FakeClaude
) -> None:
    claude.fails(400)
    report = await ask(DRIFT, settings=with_claude, model="answers")
    (seen,) = report.observed
    assert seen.answer
    assert seen.answer.outcome == "failed"
    assert "grounded" not in values(report)
    claude.fails(400, times=50)
    records = [
        asked(f"Why does gyroscope {n} drift?", ("intro.md", "angle drift"), question_id=f"q{n}") for n in range(30)
    ]
    with pytest.raises(EvaluationError, match="in a row"):
        await ask(*records, settings=with_claude, model="answers")
    assert len(claude.requests) < 30


async def test_a_thread_is_answered_turn_by_turn(ask: Ask, with_claude: Settings, claude: FakeClaude) -> None:
    turns: list[dict[str, Any]] = [
        {"question": "What does a gyroscope measure?", "standalone": "What does a gyroscope measure?"},
        {"question": "and why is it wrong after a while?", "standalone": "Why does a gyroscope drift?"},
    ]
    turns[1]["gold"] = [{"file": "intro.md", "must_contain": "Its bias makes the angle drift"}]
    report = await ask({"id": "c", "lang": "en", "turns": turns}, settings=with_claude, model="answers")
    assert [seen.answer.outcome for seen in report.observed] == ["answered", "answered"]
    asked_for = "\n".join(str(request.body["messages"]) for request in claude.requests if "messages" in request.body)
    assert "What does a gyroscope measure?" in asked_for  # the first turn was really asked


async def test_what_a_model_needs_is_told_before_anything_is_spent(
    ask: Ask, measuring: Settings, with_claude: Settings, claude: FakeClaude
) -> None:
    with pytest.raises(ConfigurationError, match="ANTHROPIC_API_KEY"):
        await ask(DRIFT, settings=measuring, model="answers")
    with pytest.raises(EvaluationError, match="CLAUDE_MODEL=claude-tomorrow: its price is not known"):
        await ask(DRIFT, settings=with_claude.model_copy(update={"claude_model": "claude-tomorrow"}), model="answers")
    with pytest.raises(EvaluationError, match="--max-usd"):
        await ask(DRIFT, settings=with_claude, model="answers", max_usd=Decimal("nan"))
    nobody = with_claude.model_copy(update={"anthropic_base_url": "http://127.0.0.1:1"})
    with pytest.raises(EvaluationError, match="refuses or does not answer"):
        await ask(DRIFT, settings=nobody, model="answers")
    assert claude.requests == []
