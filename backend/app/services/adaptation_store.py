"""Whole adapted chapters in the database, whatever was done to them."""

from dataclasses import dataclass

from backend.app.models.adaptation import AdaptedChapter, Recipe, Target, Translate
from backend.app.models.domain import ChapterId
from backend.app.services.adaptation_records import AdaptationRecords


@dataclass(frozen=True, slots=True)
class AdaptationStore:
    """One statement for each method."""

    db: AdaptationRecords

    async def find(self, target: Target, chapter_id: ChapterId, recipe: Recipe) -> AdaptedChapter | None:
        """Only what was made of the chapter as the book has it today."""
        if isinstance(target, Translate):
            return await self.db.find_translation(chapter_id, target, recipe)
        return await self.db.find_personalization(chapter_id, target, recipe)

    async def save(
        self, target: Target, chapter_id: ChapterId, recipe: Recipe, chapter: AdaptedChapter, cost_microusd: int
    ) -> None:
        if isinstance(target, Translate):
            await self.db.save_translation(chapter_id, target, recipe, chapter, cost_microusd)
        else:
            await self.db.save_personalization(chapter_id, target, recipe, chapter, cost_microusd)
