"""The ledger: what is held before a call, what is spent after it, whose share it is, and what happens when it cannot
be counted."""

import asyncio
from collections.abc import AsyncIterator, Callable
from decimal import Decimal
from typing import Any

import pytest
from structlog.testing import capture_logs

from backend.app.errors import ConfigurationError
from backend.app.models.domain import UserId
from backend.app.services.budget_service import BudgetService
from backend.app.services.claude_budget import Feature, NoMoney, PlannedTry
from backend.app.services.claude_prices import MICROUSD
from backend.app.services.claude_reply import Usage
from backend.app.services.db_service import DBService, open_db
from backend.app.utils.config import Settings
from tests.fixtures.budget import Ledger, read_ledger
from tests.fixtures.database import statements

pytestmark = pytest.mark.anyio
MODEL = "claude-haiku-5-5"
DEAREST = Usage(input_tokens=5_000, output_tokens=1_000)
HELD = 1_000  # micro-dollars: 5,000 x 0.10 + 1,000 x 0.50
USED = Usage(
    input_tokens=2_000, output_tokens=300, cache_read_tokens=1_000, cache_write_tokens=800, thinking_tokens=50
)
COST = 460  # 200 + 150 + 10 + 100


def a_try(user_id: int | None = None, feature: Feature = "answer", dearest: Usage = DEAREST) -> PlannedTry:
    return PlannedTry(feature, MODEL, "0123456789ab", UserId(user_id) if user_id else None, dearest, 20.0)


Open = Callable[..., BudgetService]


@pytest.fixture
async def budget_of(db: DBService) -> AsyncIterator[Open]:
    """`budget_of(calls=3)`: a day's money for so many of `a_try`, in a process of its own; nobody has less than all
    of it unless a test says so."""
    opened: list[BudgetService] = []

    def make(calls: float = 100, db: DBService = db, **changes: Any) -> BudgetService:
        everything = {f"budget_{name}_share": Decimal(1) for name in ("reader", "anonymous", "answer", "rewrite")}
        usd = Decimal(str(calls)) * HELD / MICROUSD
        opened.append(BudgetService(Settings(daily_budget_usd=usd, **(everything | changes)), db))
        return opened[-1]

    yield make
    for budget in opened:
        await budget.close()


@pytest.fixture
async def readers(database_url: str) -> list[int]:
    """Ids of two readers."""
    with statements(database_url) as cursor:
        cursor.execute("INSERT INTO users (email, password_hash) VALUES ('a', 'h'), ('b', 'h') RETURNING id")
        return [user_id for (user_id,) in cursor.fetchall()]


async def refused(budget: BudgetService, planned: PlannedTry) -> str:
    with pytest.raises(NoMoney) as refusal:
        await budget.reserve(planned)
    return refusal.value.why


@pytest.mark.parametrize(
    ("outcome", "usage", "cost"),
    [
        ("complete", USED, COST),
        ("unknown", USED, COST),
        ("unknown", None, HELD),
        ("not_billed", None, 0),
        ("not_billed", USED, 0),
    ],
)
async def test_what_was_held_becomes_what_it_cost(
    budget_of: Open, database_url: str, outcome: Any, usage: Usage | None, cost: int
) -> None:
    budget = budget_of()
    reservation = await budget.reserve(a_try())
    assert read_ledger(database_url) == Ledger(spent=0, reserved=HELD, spent_in_rows=0, reserved_in_rows=HELD)
    reservation.settle(outcome, usage, "req_1")
    await budget.close()
    assert read_ledger(database_url) == Ledger(spent=cost, reserved=0, spent_in_rows=cost, reserved_in_rows=0)


async def test_a_row_tells_all_about_a_try_and_outlives_the_readers_account(
    budget_of: Open, db: DBService, database_url: str, readers: list[int]
) -> None:
    budget = budget_of(budget_reader_share=Decimal("0.5"))
    (await budget.reserve(a_try(readers[0]))).settle("complete", USED, "req_1")
    await budget.close()
    columns = """user_id, feature, model, prompt_version, outcome, input_tokens, output_tokens, thinking_tokens,
        cache_read_tokens, cache_write_tokens, reserved_microusd, cost_microusd, claude_request_id, shares"""
    told = [MODEL, "0123456789ab", "complete", 2_000, 300, 50, 1_000, 800, HELD, COST, "req_1", []]
    with statements(database_url) as cursor:
        cursor.execute(f"SELECT {columns} FROM claude_calls WHERE settled_at > started_at")
        assert [list(row) for row in cursor.fetchall()] == [[readers[0], "answer", *told]]
        await db.delete_user(UserId(readers[0]))
        cursor.execute(f"SELECT {columns} FROM claude_calls")
        assert [list(row) for row in cursor.fetchall()] == [[None, "answer", *told]]


async def test_a_call_is_settled_once(budget_of: Open, database_url: str) -> None:
    budget = budget_of()
    reservation = await budget.reserve(a_try())
    for _ in range(3):
        reservation.settle("complete", USED)
    await budget.close()
    assert read_ledger(database_url) == Ledger(COST, 0, COST, 0)


async def test_the_last_call_that_fits_is_made_and_the_next_is_not(budget_of: Open, database_url: str) -> None:
    budget = budget_of(calls=3)
    held = [await budget.reserve(a_try()) for _ in range(3)]
    assert await refused(budget, a_try()) == "day"
    held[0].settle("not_billed")
    await budget.close()
    await budget.reserve(a_try())  # what was given back is there again
    assert await refused(budget, a_try(dearest=Usage(input_tokens=1))) == "day"
    assert read_ledger(database_url) == Ledger(0, 3 * HELD, 0, 3 * HELD)


async def test_a_budget_that_is_lowered_refuses_at_once(budget_of: Open) -> None:
    await budget_of(calls=3).reserve(a_try())
    assert await refused(budget_of(calls=1.5), a_try()) == "day"
    await budget_of(calls=2).reserve(a_try())


async def test_a_call_that_cost_more_than_was_held_is_counted_in_full_and_told(
    budget_of: Open, database_url: str
) -> None:
    budget = budget_of(calls=1)
    reservation = await budget.reserve(a_try())
    with capture_logs() as logs:
        reservation.settle("complete", Usage(output_tokens=10_000))
        await budget.close()
    assert logs[0]["event"] == "call_cost_more_than_held"
    assert read_ledger(database_url) == Ledger(5_000, 0, 5_000, 0)


async def test_a_reader_has_a_share_and_the_others_keep_theirs(
    budget_of: Open, database_url: str, readers: list[int]
) -> None:
    budget = budget_of(calls=10, budget_reader_share=Decimal("0.2"), budget_anonymous_share=Decimal("0.3"))
    first, second = readers
    held = [await budget.reserve(a_try(first)) for _ in range(2)]
    assert await refused(budget, a_try(first)) == "share"
    await budget.reserve(a_try(second))
    for _ in range(3):
        await budget.reserve(a_try())
    assert await refused(budget, a_try()) == "share"
    held[0].settle("complete", USED)
    await budget.close()
    assert await refused(budget, a_try(first)) == "share"  # 460 of 2,000 are spent and 1,000 held
    await budget.reserve(a_try(first, dearest=Usage(output_tokens=1_000)))
    with statements(database_url) as cursor:
        cursor.execute("SELECT share, spent_microusd, reserved_microusd FROM budget ORDER BY share")
        assert cursor.fetchall() == [
            ("all", COST, 5 * HELD + 500),
            ("anonymous", 0, 3 * HELD),
            (f"reader:{first}", COST, HELD + 500),
            (f"reader:{second}", 0, HELD),
        ]


async def test_a_feature_has_a_share(budget_of: Open) -> None:
    budget = budget_of(calls=10, budget_rewrite_share=Decimal("0.1"))
    await budget.reserve(a_try(feature="rewrite"))
    assert await refused(budget, a_try(feature="rewrite")) == "feature"
    await budget.reserve(a_try())


async def test_what_all_calls_of_a_chapter_may_cost_can_be_asked_beforehand(
    budget_of: Open, database_url: str, readers: list[int]
) -> None:
    budget = budget_of(calls=10, budget_reader_share=Decimal("0.3"), budget_translate_share=Decimal("0.5"))
    await budget.foresee([])
    await budget.foresee([a_try(readers[0], "translate")] * 3)
    await budget.foresee([a_try(None, "translate")] * 5)
    assert read_ledger(database_url) == Ledger(0, 0, 0, 0)
    await budget.reserve(a_try(readers[0], "translate"))
    for planned, why in (
        ([a_try(readers[0], "translate")] * 3, "share"),
        ([a_try(readers[1], "translate")] * 5, "feature"),
        ([a_try(None, "translate")] * 10, "day"),
    ):
        with pytest.raises(NoMoney) as refusal:
            await budget.foresee(planned)
        assert refusal.value.why == why


async def test_the_owner_and_the_readers_cannot_use_up_each_others_share(
    budget_of: Open, database_url: str, readers: list[int]
) -> None:
    budget = budget_of(
        calls=10,
        budget_anonymous_share=Decimal("0.1"),
        budget_translate_share=Decimal("0.1"),
        budget_owner_share=Decimal("0.4"),
    )
    await budget.reserve(a_try())
    await budget.reserve(a_try(readers[0], "translate"))
    assert await refused(budget, a_try(readers[1], "translate")) == "feature"
    for feature in ("translate", "personalize") * 2:
        await budget.reserve(a_try(feature=feature))
    assert await refused(budget, a_try(feature="translate")) == "share"
    await budget.reserve(a_try(readers[1]))
    with statements(database_url) as cursor:
        cursor.execute("SELECT share, reserved_microusd FROM budget WHERE share IN ('all', 'owner') ORDER BY share")
        assert cursor.fetchall() == [("all", 7 * HELD), ("owner", 4 * HELD)]


async def test_a_new_day_has_all_its_money_and_a_late_call_counts_on_its_own_day(
    budget_of: Open, database_url: str
) -> None:
    budget = budget_of(calls=1)
    reservation = await budget.reserve(a_try())
    with statements(database_url) as cursor:
        cursor.execute("UPDATE claude_calls SET day = day - 1; UPDATE budget SET day = day - 1")
    await budget.reserve(a_try())
    reservation.settle("complete", USED)
    await budget.close()
    with statements(database_url) as cursor:
        cursor.execute("SELECT spent_microusd, reserved_microusd FROM budget ORDER BY day")
        assert cursor.fetchall() == [(COST, 0), (0, HELD)]


async def test_what_dead_processes_hold_is_swept_into_what_is_spent(
    budget_of: Open, database_url: str, readers: list[int]
) -> None:
    gone = budget_of(budget_reader_share=Decimal("0.9"))
    for user_id in (*readers, readers[0], None):
        await gone.reserve(a_try(user_id))
    with statements(database_url) as cursor:
        cursor.execute("SELECT date_part('epoch', expires_at - started_at)::int FROM claude_calls")
        assert {lease for (lease,) in cursor.fetchall()} == {80}  # the deadline and a minute
        cursor.execute("UPDATE claude_calls SET expires_at = now() - interval '1 s' WHERE id < 4")
    with capture_logs() as logs:
        budget = budget_of()
        await budget.reserve(a_try())
        await budget.close()
    assert logs[0] == {"event": "calls_lost", "calls": 3, "log_level": "warning"}
    assert read_ledger(database_url) == Ledger(3 * HELD, 2 * HELD, 3 * HELD, 2 * HELD)
    with statements(database_url) as cursor:
        cursor.execute("SELECT spent_microusd FROM budget WHERE share = %s", (f"reader:{readers[0]}",))
        assert cursor.fetchall() == [(2 * HELD,)]


async def test_which_reader_had_how_much_of_a_day_is_forgotten(
    budget_of: Open, database_url: str, readers: list[int]
) -> None:
    await budget_of(budget_reader_share=Decimal("0.9")).reserve(a_try(readers[0]))
    with statements(database_url) as cursor:
        cursor.execute("UPDATE budget SET day = day - 2")
        budget = budget_of()
        await budget.reserve(a_try())
        await budget.close()
        cursor.execute("SELECT share FROM budget ORDER BY day, share")
        assert cursor.fetchall() == [("all",), ("all",)]


async def test_a_reader_whose_account_is_gone_meanwhile_pays_nobodys_debt(
    budget_of: Open, db: DBService, database_url: str, readers: list[int]
) -> None:
    budget = budget_of(budget_reader_share=Decimal("0.9"))
    reservation = await budget.reserve(a_try(readers[0]))
    await db.delete_user(UserId(readers[0]))
    reservation.settle("complete", USED)
    await budget.reserve(a_try(readers[0]))  # deleted between the login's check and the call
    await budget.close()
    assert read_ledger(database_url) == Ledger(COST, HELD, COST, HELD)


async def test_without_the_database_no_call_is_made(budget_of: Open) -> None:
    nowhere = open_db("postgresql://nobody@127.0.0.1:9/none?connect_timeout=1")
    assert await refused(budget_of(db=nowhere), a_try()) == "unreachable"
    await nowhere.close()


async def test_what_cannot_be_settled_stays_held(budget_of: Open, database_url: str) -> None:
    budget = budget_of()
    reservation = await budget.reserve(a_try())
    with capture_logs() as logs:
        reservation.settle("complete", Usage(input_tokens=10**12))  # no column holds that
        await budget.close()
    assert logs[-1]["event"] == "call_not_settled"
    assert read_ledger(database_url) == Ledger(0, HELD, 0, HELD)


async def test_a_reservation_that_nobody_waits_for_any_more_is_given_back(budget_of: Open, database_url: str) -> None:
    budget = budget_of()
    await budget.reserve(a_try())
    with statements(database_url) as cursor:
        cursor.execute("BEGIN; SELECT FROM budget FOR UPDATE")
        reserving = asyncio.create_task(budget.reserve(a_try()))
        while not _waits(database_url):  # noqa: ASYNC110  # another connection knows
            await asyncio.sleep(0.01)
        reserving.cancel()
        with pytest.raises(asyncio.CancelledError):
            await reserving
        cursor.execute("COMMIT")
    await budget.close()
    assert read_ledger(database_url) == Ledger(0, HELD, 0, HELD)
    with statements(database_url) as cursor:
        cursor.execute("SELECT outcome FROM claude_calls ORDER BY id")
        assert cursor.fetchall() == [("reserved",), ("not_billed",)]


def _waits(database_url: str) -> bool:
    with statements(database_url) as cursor:
        cursor.execute("SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'")
        return bool(cursor.fetchall())


async def test_half_four_fifths_and_all_of_the_money_are_told_once_and_the_cheaper_model_takes_over(
    budget_of: Open,
) -> None:
    budget = budget_of(calls=10, claude_model="claude-sonnet-5-5", claude_cheaper_model=MODEL)
    models: list[str] = []
    with capture_logs() as logs:
        for _ in range(10):
            (await budget.reserve(a_try())).settle("unknown")
            await budget.close()
            models.append(budget.choose_model("claude-sonnet-5-5"))
        for _ in range(2):
            assert await refused(budget, a_try()) == "day"
    told = [(entry["percent"], entry["used_usd"]) for entry in logs if entry["event"] == "daily_budget_used"]
    assert told == [(50, 0.005), (80, 0.008), (100, 0.01)]
    assert models == ["claude-sonnet-5-5"] * 8 + [MODEL] * 2
    assert budget_of().choose_model("claude-sonnet-5-5") == "claude-sonnet-5-5"


async def test_a_model_without_a_price_is_refused_by_name(budget_of: Open) -> None:
    with pytest.raises(ConfigurationError) as refusal:
        budget_of(claude_model="claude-tomorrow", claude_cheaper_model="gpt")
    assert [problem.partition(":")[0] for problem in refusal.value.problems] == [
        "CLAUDE_MODEL=claude-tomorrow",
        "CLAUDE_CHEAPER_MODEL=gpt",
    ]
