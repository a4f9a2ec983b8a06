"""The database dies while a chapter is written: 503, nothing half-written, nobody counted, and what was kept is not
paid again."""

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace
from typing import Any

import psutil
import pytest

from backend.app.errors import DatabaseUnavailable
from backend.app.models.adaptation import Order
from backend.app.services.adaptation_service import AdaptationService
from backend.app.services.adaptation_tasks import AdaptationTasks
from backend.app.services.claude_service import ClaudeService
from backend.app.services.db_service import DBService, open_db
from backend.app.services.embedding_service import EmbeddingService
from backend.app.services.limit_windows import MemoryWindows
from backend.app.services.rate_limiter import RateLimiter
from backend.app.utils.config import Settings
from backend.app.utils.embedded import EmbeddedPostgres
from tests.fakes import translators
from tests.fakes.claude import Body, FakeClaude
from tests.fixtures.adaptation import URDU, Pipeline, Readers, long_chapter
from tests.fixtures.database import public_folder

pytestmark = [pytest.mark.anyio, pytest.mark.chaos]
CHAPTER = long_chapter()
SECTIONS = 4


@dataclass
class Mortal:
    """A pipeline whose database can be killed and started again."""

    pipeline: Pipeline
    start: Callable[[], EmbeddedPostgres]
    servers: list[EmbeddedPostgres]

    def kill(self) -> None:
        pid = (self.servers[-1].cluster / "postmaster.pid").read_text().splitlines()[0]
        postmaster = psutil.Process(int(pid))
        family = [postmaster, *postmaster.children(recursive=True)]
        for process in family:
            process.kill()
        psutil.wait_procs(family, timeout=10)

    def revive(self) -> None:
        self.servers.append(self.start())


@pytest.fixture
async def mortal(claude: FakeClaude, embedder: EmbeddingService) -> AsyncIterator[Mortal]:
    settings = Settings()
    with public_folder() as folder:
        server = EmbeddedPostgres.start(folder)
        db: DBService = open_db(server.dsn)
        model = ClaudeService("k", settings.claude_model, base_url=claude.base_url)
        service = AdaptationService(AdaptationTasks(settings), model, db, embedder, lease_s=0.5)
        readers = Readers(RateLimiter(settings, MemoryWindows()))
        pipeline = Pipeline(service, db, claude, readers, server.dsn)
        mortal = Mortal(pipeline, lambda: EmbeddedPostgres.start(folder), [server])
        try:
            await db.migrate()
            await db.replace_chapters([CHAPTER])
            yield mortal
        finally:
            await service.close()
            await model.close()
            await db.close()
            for each in reversed(mortal.servers):
                each.stop()


def dying_at(mortal: Mortal, number: int) -> Callable[[Body], Any]:
    """A good translator during whose n-th reply the database dies."""
    asked = 0

    def reply(body: Body) -> Any:
        nonlocal asked
        asked += 1
        if asked == number:
            mortal.kill()
        return translators.good(body)

    return reply


@pytest.mark.parametrize("number", [1, 2, 4])
async def test_a_database_that_dies_while_a_chapter_is_written_costs_no_quota_and_no_kept_section(
    mortal: Mortal, number: int
) -> None:
    pipeline = mortal.pipeline
    pipeline.claude.adapts(dying_at(mortal, number))
    with pytest.raises(DatabaseUnavailable):
        await pipeline.adapt(CHAPTER)
    assert await pipeline.readers.used() == 0
    with pytest.raises(DatabaseUnavailable):
        await pipeline.adapt(CHAPTER)
    mortal.revive()
    kept = pipeline.rows("section_cache")
    assert kept < SECTIONS
    assert pipeline.rows("translations_cache") == 0
    calls = pipeline.calls
    pipeline.claude.adapts(translators.good)
    made = await pipeline.adapt(CHAPTER)
    assert (made.sections, made.cached, pipeline.calls - calls) == (SECTIONS, False, SECTIONS - kept)
    assert await pipeline.readers.used() == 1
    assert await pipeline.adapt(CHAPTER) == replace(made, cached=True)
    assert (pipeline.rows("translations_cache"), pipeline.rows("chapter_leases")) == (1, 0)


async def test_a_database_that_is_gone_before_a_chapter_is_begun_asks_no_model(mortal: Mortal) -> None:
    mortal.pipeline.claude.adapts(translators.good)
    mortal.kill()
    with pytest.raises(DatabaseUnavailable):
        await mortal.pipeline.service.generate(Order(URDU, CHAPTER), None)
    mortal.revive()
    assert mortal.pipeline.calls == 0
    assert (await mortal.pipeline.service.generate(Order(URDU, CHAPTER), None)).sections == SECTIONS
