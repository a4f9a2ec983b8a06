"""Batches of calls to Claude that are under way: the part of the database service that outlives the process.

A batch stands here, with its money held, before it is sent and until every line of it is saved and settled. A section
is in one batch at most.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import psycopg2.errors

from backend.app.models.adaptation import AdaptationKind
from backend.app.models.domain import ChapterId
from backend.app.services.named_queries import NamedQueries


class SectionsUnderWay(Exception):
    """Another batch is to bring one of these sections."""


@dataclass(frozen=True, slots=True)
class NewLine:
    """One request of a batch that is to be sent, and the most that it can cost."""

    section_key: str
    kind: AdaptationKind
    variant: str
    chapter_id: ChapterId
    feature: str
    model: str
    prompt_version: str
    microusd: int


@dataclass(frozen=True, slots=True)
class KnownBatch:
    """`token` begins the custom id of every line; `claude_batch_id` None: it is not known whether Claude has it.
    `age_s` was its age when this was read."""

    id: int
    token: str
    claude_batch_id: str | None
    started_at: datetime
    age_s: float

    @property
    def custom_id_prefix(self) -> str:
        return f"{self.token}_"

    def custom_id(self, number: int) -> str:
        return f"{self.custom_id_prefix}{number}"


@dataclass(frozen=True, slots=True)
class KnownLine:
    """`call_id` is its row in the ledger, which holds `held_microusd` for it until it is settled."""

    number: int
    call_id: int
    section_key: str
    kind: AdaptationKind
    variant: str
    chapter_id: ChapterId
    model: str
    held_microusd: int


class BatchRecords(NamedQueries):
    """One statement for each method."""

    async def hold_batch(
        self, token: str, lines: Sequence[NewLine], limits: Mapping[str, int], lease_s: float
    ) -> KnownBatch | None:
        """None when a share of the day has not so much left. Raises SectionsUnderWay."""
        columns: dict[str, object] = {
            "section_keys": [line.section_key for line in lines],
            "kinds": [line.kind for line in lines],
            "variants": [line.variant for line in lines],
            "chapter_ids": [line.chapter_id for line in lines],
            "features": [line.feature for line in lines],
            "models": [line.model for line in lines],
            "prompt_versions": [line.prompt_version for line in lines],
            "microusds": [line.microusd for line in lines],
        }
        counted = {"shares": list(limits), "limits": list(limits.values()), "lease_s": lease_s}
        try:
            (row,) = await self._all("hold_batch", token=token, **columns, **counted)
        except psycopg2.errors.CheckViolation:
            return None
        except psycopg2.errors.UniqueViolation as error:
            raise SectionsUnderWay from error
        return KnownBatch(*row)

    async def list_batches(self) -> list[KnownBatch]:
        """The oldest first."""
        return [KnownBatch(*row) for row in await self._all("list_batches")]

    async def list_batch_lines(self, batch_id: int) -> list[KnownLine]:
        return [KnownLine(*row) for row in await self._all("list_batch_lines", batch_id=batch_id)]

    async def list_sections_under_way(self) -> frozenset[str]:
        return frozenset(key for (key,) in await self._all("list_sections_under_way"))

    async def name_batch(self, batch_id: int, claude_batch_id: str) -> bool:
        """False when nobody waits for it any more."""
        return bool(await self._all("name_batch", batch_id=batch_id, claude_batch_id=claude_batch_id))

    async def forget_batch(self, batch_id: int) -> bool:
        """False as long as money is held for one of its lines."""
        return bool(await self._all("forget_batch", batch_id=batch_id))
