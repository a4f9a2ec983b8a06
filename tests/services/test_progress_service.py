"""Noting progress costs nobody a chapter; asking for progress of an account that is gone is told."""

import pytest
from structlog.testing import capture_logs

from backend.app.errors import DatabaseUnavailable, InvalidToken
from backend.app.models.domain import Chapter, ChapterId, Reader, UserId
from backend.app.services.chapter_service import ChapterService
from backend.app.services.db_service import DBService, open_db
from backend.app.services.progress_service import ProgressService

pytestmark = pytest.mark.anyio
NODES = ChapterId("m/nodes")
GONE = Reader(UserId(404), "gone@example.org", "", "beginner", "none", 0)


async def test_a_chapter_is_not_lost_to_a_note_that_cannot_be_stored(db: DBService) -> None:
    away = open_db("postgresql://nobody@127.0.0.1:1/nothing", threads=1)
    for store, code in ((away, "database_unavailable"), (db, "invalid_token")):
        with capture_logs() as logs:
            await ProgressService(store, ChapterService(store)).note_opened(GONE, NODES)
        assert [(each["event"], each["code"]) for each in logs] == [("opened_chapter_not_noted", code)]
    with pytest.raises(DatabaseUnavailable):
        await ProgressService(away, ChapterService(away)).mark(GONE, NODES, True)
    await away.close()


async def test_an_account_that_is_gone_has_no_progress(db: DBService) -> None:
    await db.replace_chapters([Chapter(NODES, "Nodes", "/docs/m/nodes", "M", 0, "", "", "nodes.md")])
    progress = ProgressService(db, ChapterService(db))
    with pytest.raises(InvalidToken):
        await progress.get(GONE)
    with pytest.raises(InvalidToken):
        await progress.mark(GONE, NODES, True)
    with pytest.raises(InvalidToken):
        await db.export_account(GONE.user_id)
