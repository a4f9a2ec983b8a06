"""The ledger of Claude's money: what a call may cost at most is held before it is made, what it cost is kept after.

Knows prices, limits and shares; where they are counted is the database's business, so that all processes share one
day. A call that cannot be counted is not made. Money is whole millionths of a dollar, a day is UTC's.
"""

import asyncio
import time
from collections.abc import Coroutine, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, date, datetime
from decimal import Decimal

import structlog

from backend.app.errors import AppError, ConfigurationError, Unavailable
from backend.app.services.budget_records import HeldMoney
from backend.app.services.claude_budget import CallOutcome, Feature, NoMoney, PlannedTry, Reservation, WhyNoMoney
from backend.app.services.claude_prices import MICROUSD, Price, find_price, price_table
from backend.app.services.claude_reply import Usage
from backend.app.services.db_service import DBService
from backend.app.services.telemetry import Telemetry, Unheard
from backend.app.utils.config import Settings

LEASE_MARGIN_S = 60.0
"""So long after its deadline a call that told nothing is lost: longer than the database may keep it waiting."""
RESERVE_WAIT_S = 5.0
SWEEP_EVERY_S = 60.0
CHEAPER_FROM = Decimal("0.8")
_TOLD_AT = (50, 80)  # percent of the day's money
_NEEDS_LOGIN: tuple[Feature, ...] = ("translate", "personalize")

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


class BudgetService:
    """One per process."""

    def __init__(self, settings: Settings, db: DBService, telemetry: Telemetry | None = None) -> None:
        """Raises ConfigurationError for a model without a price."""
        self._db = db
        self._telemetry = telemetry or Unheard()
        self._limit = _microusd(settings.daily_budget_usd)
        self._reader_share = settings.budget_reader_share
        self._anonymous_share = settings.budget_anonymous_share
        self._owner_limits = owner_limits(settings)
        self._feature_shares: dict[Feature, Decimal] = {
            "answer": settings.budget_answer_share,
            "rewrite": settings.budget_rewrite_share,
            "translate": settings.budget_translate_share,
            "personalize": settings.budget_personalize_share,
        }
        self._cheaper_model = settings.claude_cheaper_model
        self._prices = known_prices(settings)
        self._saving: set[asyncio.Task[None]] = set()
        self._swept_at = float("-inf")
        self._seen: tuple[date, int] = (date.min, 0)
        self._told: set[tuple[date, int]] = set()

    def choose_model(self, preferred: str) -> str:
        """The cheaper one, where there is one, once this process has seen four fifths of the day's money spent."""
        day, spent = self._seen
        is_short = day == datetime.now(UTC).date() and spent >= self._limit * CHEAPER_FROM
        return self._cheaper_model if self._cheaper_model and is_short else preferred

    async def reserve(self, planned: PlannedTry) -> Reservation:
        """Hold the dearest outcome, in one statement. Raises NoMoney; cancelled, it holds nothing."""
        self._sweep_now_and_then()
        price, limits = self._prices[planned.model], self._limits(planned)
        microusd = price.cost_microusd(planned.dearest)
        lease_s = planned.deadline_s + LEASE_MARGIN_S
        holding = asyncio.ensure_future(self._db.reserve_budget(planned, microusd, limits, lease_s))
        try:
            async with asyncio.timeout(RESERVE_WAIT_S):
                held = await asyncio.shield(holding)
        except (Unavailable, TimeoutError, asyncio.CancelledError) as failure:
            self.later(self._give_back(holding))
            if isinstance(failure, asyncio.CancelledError):
                raise
            log.error("budget_unreachable", reason=type(failure).__name__)
            raise self._refuse(planned, "unreachable") from failure
        if held is None:
            raise self._refuse(planned, await self._why(microusd, limits) or "day")  # if there is enough meanwhile
        self._see(held.day, held.spent_microusd)
        return _Held(self, held.call_id, planned, microusd, price)

    async def foresee(self, planned: Sequence[PlannedTry]) -> None:
        """One statement, which writes nothing."""
        if not planned:
            return
        microusd = sum(self._prices[each.model].cost_microusd(each.dearest) for each in planned)
        if why := await self._why(microusd, self._limits(planned[0])):
            raise self._refuse(planned[0], why)

    async def close(self) -> None:
        """Wait for what is being written."""
        await asyncio.gather(*self._saving)

    async def write(
        self, call_id: int, outcome: CallOutcome, cost_microusd: int | None, usage: Usage, request_id: str | None
    ) -> bool:
        """Settle a call; None costs what was held. What cannot be written stays held until it is swept into what is
        spent; then False."""
        try:
            await self._db.settle_budget(call_id, outcome, cost_microusd, usage, request_id)
        except AppError as failure:
            log.error("call_not_settled", call_id=call_id, code=failure.code)
            return False
        return True

    def tell_spent(self, planned: PlannedTry, usage: Usage, cost_microusd: int) -> None:
        """A call was settled."""
        self._telemetry.spent(planned.feature, planned.model, usage, cost_microusd)

    def _refuse(self, planned: PlannedTry, why: WhyNoMoney) -> NoMoney:
        self._telemetry.happened("budget_refusals", planned.feature, why)
        return NoMoney(why)

    def later(self, work: Coroutine[None, None, None]) -> None:
        """Do this whatever becomes of the caller."""
        task = asyncio.create_task(work)
        self._saving.add(task)
        task.add_done_callback(self._saving.discard)

    async def _give_back(self, holding: asyncio.Future[HeldMoney | None]) -> None:
        with suppress(Unavailable):
            if held := await holding:
                await self.write(held.call_id, "not_billed", 0, Usage(), None)

    def _limits(self, planned: PlannedTry) -> dict[str, int]:
        """What the call counts in, and how much each may have. A share of the whole needs no row of its own."""
        if planned.user_id is None and planned.feature in _NEEDS_LOGIN:
            return self._owner_limits
        shares = {f"feature:{planned.feature}": self._feature_shares[planned.feature]}
        if planned.user_id is not None:
            shares[f"reader:{planned.user_id}"] = self._reader_share
        else:
            shares["anonymous"] = self._anonymous_share
        return _amounts(self._limit, shares)

    async def _why(self, microusd: int, limits: dict[str, int]) -> WhyNoMoney | None:
        """Which part of the money has not so much left; None: all have."""
        try:
            used = await self._db.look_at_budget(list(limits))
        except Unavailable:
            return "unreachable"
        short = [name for name, limit in limits.items() if used.get(name, 0) + microusd > limit]
        if "all" in short:
            self._tell(datetime.now(UTC).date(), 100, used.get("all", 0))
            return "day"
        if not short:
            return None
        return "feature" if any(name.startswith("feature:") for name in short) else "share"

    def _see(self, day: date, spent_microusd: int) -> None:
        self._seen = (day, spent_microusd)
        for percent in _TOLD_AT:
            if spent_microusd * 100 >= self._limit * percent:
                self._tell(day, percent, spent_microusd)

    def _tell(self, day: date, percent: int, used_microusd: int) -> None:
        """Once in each process and day."""
        self._told = {told for told in self._told if told[0] == day}
        if (day, percent) not in self._told:
            self._told.add((day, percent))
            log.warning("daily_budget_used", percent=percent, used_usd=used_microusd / MICROUSD)

    def _sweep_now_and_then(self) -> None:
        """Beside the caller: it changes no sum, because what is held counts like what is spent."""
        if time.monotonic() - self._swept_at >= SWEEP_EVERY_S:
            self._swept_at = time.monotonic()
            self.later(self._sweep())

    async def _sweep(self) -> None:
        with suppress(Unavailable):
            if lost := await self._db.sweep_budget():
                log.warning("calls_lost", calls=lost)
            await self._db.forget_reader_shares()


class _Held:
    """A reservation in the ledger."""

    def __init__(self, budget: BudgetService, call_id: int, planned: PlannedTry, microusd: int, price: Price) -> None:
        self._budget = budget
        self._call_id = call_id
        self._planned = planned
        self._microusd = microusd
        self._price = price

    def settle(self, outcome: CallOutcome, usage: Usage | None = None, request_id: str | None = None) -> None:
        cost = self._price.cost_microusd(usage) if usage else None
        if outcome == "not_billed":
            cost = 0
        if cost is not None and cost > self._microusd:
            log.error("call_cost_more_than_held", cost_microusd=cost, held_microusd=self._microusd)
        self._budget.later(self._write(outcome, cost, usage or Usage(), request_id))

    async def _write(
        self, outcome: CallOutcome, cost_microusd: int | None, usage: Usage, request_id: str | None
    ) -> None:
        if await self._budget.write(self._call_id, outcome, cost_microusd, usage, request_id):
            cost = self._microusd if cost_microusd is None else cost_microusd
            self._budget.tell_spent(self._planned, usage, cost)


def known_prices(settings: Settings) -> dict[str, Price]:
    """Of the models that the settings name. Raises ConfigurationError for one without a price."""
    wanted = {
        "CLAUDE_MODEL": settings.claude_model,
        "CLAUDE_TRANSLATION_MODEL": settings.claude_translation_model,
        "CLAUDE_CHEAPER_MODEL": settings.claude_cheaper_model,
    }
    named = {setting: model for setting, model in wanted.items() if model}
    prices = {model: price for model in named.values() if (price := find_price(model))}
    known = ", ".join(price_table().prices)
    problems = [
        f"{setting}={model}: its price is not known here, so DAILY_BUDGET_USD could not be kept (known: {known})."
        for setting, model in named.items()
        if model not in prices
    ]
    if problems:
        raise ConfigurationError(problems)
    return prices


def owner_limits(settings: Settings) -> dict[str, int]:
    """What the owner's calls count in: no share of readers, so that neither can use up the other's."""
    return _amounts(_microusd(settings.daily_budget_usd), {"owner": settings.budget_owner_share})


def _amounts(limit_microusd: int, shares: Mapping[str, Decimal]) -> dict[str, int]:
    parts = {name: int(limit_microusd * of) for name, of in shares.items() if of < 1}
    return {"all": limit_microusd, **parts}


def _microusd(usd: Decimal) -> int:
    return int(usd * MICROUSD)
