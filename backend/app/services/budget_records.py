"""What calls to Claude may cost and did cost: the part of the database service for the ledger.

Knows the tables `budget` and `claude_calls`; which shares a call counts in and what its tokens cost is
`budget_service`' business.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date

import psycopg2.errors

from backend.app.services.claude_budget import CallOutcome, PlannedTry
from backend.app.services.claude_reply import Usage
from backend.app.services.named_queries import NamedQueries


@dataclass(frozen=True, slots=True)
class HeldMoney:
    """What the ledger holds for one call, and what was spent of the day's money before it."""

    call_id: int
    day: date
    spent_microusd: int


class BudgetRecords(NamedQueries):
    """One statement for each method. Money is whole millionths of a dollar, the day that of the database in UTC."""

    async def reserve_budget(
        self, planned: PlannedTry, microusd: int, limits: Mapping[str, int], lease_s: float
    ) -> HeldMoney | None:
        """Hold so much in each of these shares of the day, of which one is "all", or in none: None when one of them
        has not so much left."""
        binds = {"user_id": planned.user_id, "feature": planned.feature, "model": planned.model}
        counted = {"shares": list(limits), "limits": list(limits.values()), "microusd": microusd}
        lease = {"prompt_version": planned.prompt_version, "lease_s": lease_s}
        try:
            (row,) = await self._all("reserve_budget", **binds, **counted, **lease)
        except psycopg2.errors.CheckViolation:
            return None
        return HeldMoney(*row)

    async def settle_budget(
        self, call_id: int, outcome: CallOutcome, cost_microusd: int | None, usage: Usage, request_id: str | None
    ) -> None:
        """Once: a call that is settled or swept stays as it is. A cost of None is all that was held."""
        await self._all(
            "settle_budget",
            call_id=call_id,
            outcome=outcome,
            cost_microusd=cost_microusd,
            claude_request_id=request_id,
            **asdict(usage),
        )

    async def sweep_budget(self) -> int:
        """Count what dead processes hold as spent; how many calls that were."""
        ((lost,),) = await self._all("sweep_budget")
        return lost

    async def look_at_budget(self, shares: Sequence[str]) -> dict[str, int]:
        """What is spent and held of them today."""
        rows = await self._all("look_at_budget", shares=list(shares))
        return {share: spent + reserved for share, spent, reserved in rows}

    async def forget_reader_shares(self) -> None:
        """Of days that are over."""
        await self._all("forget_reader_shares")
