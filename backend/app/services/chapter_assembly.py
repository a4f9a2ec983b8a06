"""The pieces of one chapter, written in any order -> the chapter, in the order of the book.

Each piece is finished as soon as all before it are there, because what is said at a term's first use depends on them.
"""

import asyncio
from collections.abc import Callable, Iterable, Iterator

from backend.app.adaptation.task import Finisher
from backend.app.models.adaptation import AdaptedChapter, SectionReady
from backend.app.services.adaptation_plan import Plan, PlannedPiece, Written

Tell = Callable[[SectionReady], None]


class ChapterAssembly:
    """One for each time that a chapter is put together. `tell` hears of each section, in order."""

    def __init__(self, plan: Plan, tell: Tell, corrections: str = "") -> None:
        """`corrections`: the version of those that are put in."""
        self._plan = plan
        self._corrections = corrections
        self._tell = tell
        self._finisher: Finisher = plan.task.finisher(plan.order.chapter.title)
        self._written: dict[int, Written] = {}
        self._finished: list[str] = []
        self._putting = asyncio.Lock()

    @property
    def missing(self) -> list[PlannedPiece]:
        """In the order of the chapter."""
        return [planned for planned in self._plan.pieces if planned.index not in self._written]

    @property
    def cost_microusd(self) -> int:
        return sum(written.cost_microusd for written in self._written.values())

    async def put_all(self, found: Iterable[tuple[PlannedPiece, Written]]) -> None:
        """Pieces are there. Those that waited for them are told with them. Finding (lazily) and finishing them is
        work for a thread: some 10 ms for each piece."""
        async with self._putting:
            ready = await asyncio.to_thread(lambda: [each for pair in found for each in self._put(*pair)])
        for section in ready:
            self._tell(section)

    def _put(self, planned: PlannedPiece, written: Written) -> Iterator[SectionReady]:
        self._written[planned.index] = written
        pieces = self._plan.pieces
        while (index := len(self._finished)) in self._written:
            written_next = self._written[index]
            finish = self._finisher.keep if written_next.by_people else self._finisher.add
            text = finish(pieces[index].piece, written_next.text)
            self._finished.append(text)
            yield SectionReady(index, len(self._written), len(pieces), text)

    def chapter(self, *, cached: bool) -> AdaptedChapter:
        """When nothing is missing."""
        source = self._plan.order.chapter
        return AdaptedChapter(
            title=self._finisher.title or source.title,
            content="".join(self._finished),
            content_hash=source.content_hash,
            sections=len(self._finished),
            cached=cached,
            changes=tuple(self._finisher.changes),
            corrections=self._corrections,
        )
