"""What is told is added up: for who looks now, and for each day until it is saved."""

from typing import get_args

import pytest

from backend.app.services.claude_budget import Feature
from backend.app.services.claude_reply import Usage
from backend.app.services.latency_buckets import bucket_of
from backend.app.services.tally import MAX_UNSAVED, Tally
from backend.app.services.telemetry import LABELS, Event, Stage, timed

DAY_S = 86_400


class Clock:
    def __init__(self) -> None:
        self.now = 20_000.5 * DAY_S

    def __call__(self) -> float:
        return self.now


def test_what_is_told_is_there_now_and_for_its_day() -> None:
    clock = Clock()
    tally = Tally(clock=clock)
    tally.happened("answers", "claude", "answered")
    tally.took("embed", 0.004)
    clock.now += DAY_S
    tally.happened("answers", "claude", "answered", times=2)
    tally.took("embed", 0.004)

    assert tally.events["answers", "claude/answered"] == 3
    assert tally.latencies["embed"].buckets == {bucket_of(0.004): 2}
    assert tally.latencies["embed"].sum_s == pytest.approx(0.008)
    unsaved = tally.take_unsaved()
    assert unsaved.events == {
        (20_000, "answers", "claude/answered"): 1,
        (20_001, "answers", "claude/answered"): 2,
    }
    assert unsaved.latencies == {(20_000, "embed", bucket_of(0.004)): 1, (20_001, "embed", bucket_of(0.004)): 1}


def test_what_was_taken_is_not_taken_twice_and_stays_to_be_seen() -> None:
    tally = Tally()
    tally.happened("refusals", "gate")
    assert len(tally.take_unsaved()) == 1
    assert len(tally.take_unsaved()) == 0
    assert tally.events["refusals", "gate"] == 1


def test_what_waits_for_a_database_that_is_gone_is_bounded() -> None:
    clock = Clock()
    tally = Tally(clock=clock)
    for _ in range(MAX_UNSAVED + 10):
        clock.now += DAY_S
        tally.happened("refusals", "gate")
    assert tally.is_full
    assert tally.events["refusals", "gate"] == MAX_UNSAVED + 10
    assert len(tally.take_unsaved()) == MAX_UNSAVED
    tally.happened("refusals", "gate")
    assert len(tally.take_unsaved()) == 1


def test_money_and_requests_are_kept_for_who_looks_now_only() -> None:
    tally = Tally()
    tally.spent("answer", "m", Usage(10, 20, 30, 40, 5), 1_234)
    tally.spent("answer", "m", Usage(1, 2, 3, 4, 0), 1)
    tally.served("GET", "/api/chapters/{chapter_id}", 200)
    assert tally.cost_microusd == {("answer", "m"): 1_235}
    assert {kind: count for (_, _, kind), count in tally.tokens.items()} == {
        "input": 11, "output": 22, "cache_read": 33, "cache_write": 44, "thinking": 5,
    }  # fmt: skip
    assert tally.requests == {("GET", "/api/chapters/{chapter_id}", 200): 1}
    assert len(tally.take_unsaved()) == 0


def test_a_block_is_timed_and_one_that_fails_is_not() -> None:
    tally = Tally()
    with timed(tally, "search"):
        pass
    with pytest.raises(ZeroDivisionError), timed(tally, "search"):
        _ = 1 / 0
    assert sum(tally.latencies["search"].buckets.values()) == 1


def test_each_feature_that_calls_claude_has_a_stage_and_each_event_its_labels() -> None:
    assert {f"claude_{feature}" for feature in get_args(Feature)} <= set(get_args(Stage))
    assert set(LABELS) == set(get_args(Event))
