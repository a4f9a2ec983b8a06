"""Adapted chapters, the sections they are made of, and who is adapting which: the part of the database service.

One method for each block of `adaptation.sql`. What a key covers is the callers' business, except that no text of a
chapter is found which the book does not have word for word today.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from uuid import UUID

from backend.app.models.adaptation import (
    AdaptedChapter,
    Change,
    KeptReply,
    Personalize,
    Recipe,
    Target,
    Translate,
)
from backend.app.models.domain import ChapterId
from backend.app.services.named_queries import NamedQueries


@dataclass(frozen=True, slots=True)
class LeaseState:
    """Who holds a lease; `failure` is the code with which that owner gave up."""

    owner: UUID
    failure: str | None


class AdaptationRecords(NamedQueries):
    """One statement for each method."""

    async def find_translation(
        self, chapter_id: ChapterId, target: Translate, recipe: Recipe
    ) -> AdaptedChapter | None:
        row = await self._one("find_translation", chapter_id=chapter_id, language=target.language, **asdict(recipe))
        return AdaptedChapter(*row, cached=True) if row else None

    async def find_personalization(
        self, chapter_id: ChapterId, target: Personalize, recipe: Recipe
    ) -> AdaptedChapter | None:
        row = await self._one("find_personalization", chapter_id=chapter_id, **asdict(target), **asdict(recipe))
        if row is None:
            return None
        *fields, changes, coverage = row
        said = tuple(Change(**change) for change in changes)
        return AdaptedChapter(*fields, cached=True, changes=said, coverage=coverage)

    async def save_translation(
        self, chapter_id: ChapterId, target: Translate, recipe: Recipe, chapter: AdaptedChapter, cost_microusd: int
    ) -> None:
        """Not when the book does not have the chapter like this any more."""
        await self._all(
            "save_translation",
            chapter_id=chapter_id,
            language=target.language,
            cost_microusd=cost_microusd,
            **asdict(recipe),
            **_text_of(chapter),
        )

    async def save_personalization(
        self, chapter_id: ChapterId, target: Personalize, recipe: Recipe, chapter: AdaptedChapter, cost_microusd: int
    ) -> None:
        """The same."""
        await self._all(
            "save_personalization",
            chapter_id=chapter_id,
            cost_microusd=cost_microusd,
            changes=json.dumps([asdict(change) for change in chapter.changes]),
            coverage=chapter.coverage,
            **asdict(target),
            **asdict(recipe),
            **_text_of(chapter),
        )

    async def find_sections(self, keys: Sequence[str]) -> dict[str, KeptReply]:
        """Those that are kept; in no order."""
        rows = await self._all("find_sections", keys=list(keys))
        return {key: KeptReply(reply, cost) for key, reply, cost in rows}

    async def save_section(
        self, section_key: str, target: Target, recipe: Recipe, reply: KeptReply, stop_reason: str
    ) -> None:
        """The database itself refuses every stop reason but "end_turn"."""
        await self._all(
            "save_section",
            section_key=section_key,
            kind=target.kind,
            variant=target.variant,
            reply=reply.text,
            cost_microusd=reply.cost_microusd,
            stop_reason=stop_reason,
            **asdict(recipe),
        )

    async def sweep_adaptations(self) -> None:
        """Some of it: 500 rows of each table at most."""
        await self._all("sweep_adaptations")

    async def take_lease(self, key: str, owner: UUID, lease_s: float) -> bool:
        """Whether it is this owner's now; of simultaneous calls one gets it."""
        return bool(await self._all("take_lease", key=key, owner=str(owner), lease_s=lease_s))

    async def renew_lease(self, key: str, owner: UUID, lease_s: float) -> bool:
        """Whether it is still this owner's."""
        return bool(await self._all("renew_lease", key=key, owner=str(owner), lease_s=lease_s))

    async def look_at_lease(self, key: str) -> LeaseState | None:
        """None when it is free to take."""
        row = await self._one("look_at_lease", key=key)
        return LeaseState(UUID(row[0]), row[1]) if row else None

    async def give_up_lease(self, key: str, owner: UUID, failure: str | None = None) -> None:
        """Nothing when it is somebody else's by now."""
        await self._all("give_up_lease", key=key, owner=str(owner), failure=failure)


def _text_of(chapter: AdaptedChapter) -> dict[str, object]:
    return {
        "content_hash": chapter.content_hash,
        "title": chapter.title,
        "content": chapter.content,
        "sections": chapter.sections,
        "corrections": chapter.corrections,
    }
