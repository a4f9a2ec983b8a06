"""Sections of adapted chapters that people corrected or wrote themselves: the part of the database service for them.

One method for each block of `corrections.sql`. What a correction has to be like is
`adaptation.corrections`' business.
"""

from collections.abc import Sequence

from backend.app.models.adaptation import AdaptationKind, Correction, Corrections, Target
from backend.app.models.domain import ChapterId
from backend.app.services.named_queries import NamedQueries


class CorrectionRecords(NamedQueries):
    """One statement for each method."""

    async def find_corrections(self, chapter_id: ChapterId, target: Target) -> Corrections:
        """Those of a chapter in no order, also for sections that it does not have any more."""
        binds = {"chapter_id": chapter_id, "kind": target.kind, "variant": target.variant}
        rows = await self._all("find_corrections", **binds)
        return Corrections(tuple(Correction(*row[:-1]) for row in rows), rows[0][-1] if rows else "")

    async def list_corrections(self, target: Target) -> dict[ChapterId, list[Correction]]:
        """Those of all chapters, also of chapters that the book does not have any more."""
        found: dict[ChapterId, list[Correction]] = {}
        for chapter_id, *fields in await self._all("list_corrections", kind=target.kind, variant=target.variant):
            found.setdefault(chapter_id, []).append(Correction(*fields))
        return found

    async def replace_corrections(
        self, chapter_id: ChapterId, kind: AdaptationKind, variants: Sequence[str], corrections: Corrections
    ) -> None:
        """All of a chapter's, for each of these variants, or nothing."""
        sections = corrections.sections
        await self._all(
            "replace_corrections",
            chapter_id=chapter_id,
            kind=kind,
            variants=list(variants),
            version=corrections.version,
            source_hashes=[section.source_hash for section in sections],
            positions=list(range(len(sections))),
            headings=[section.heading for section in sections],
            correcteds=[section.text for section in sections],
        )
