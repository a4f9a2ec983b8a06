"""A reader's way through the book, and everything that is kept of the reader."""

from collections.abc import AsyncGenerator

from fastapi import APIRouter
from fastapi.responses import Response, StreamingResponse

from backend.app.dependencies import AppSettings, CurrentReader, Export, ReaderProgress
from backend.app.errors import DatabaseUnavailable, InvalidToken, NotAuthenticated, UnknownChapter
from backend.app.models.progress import Mark, Marked, ProgressOut
from backend.app.models.reader_export import ExportedData
from backend.app.problems import problem_responses

router = APIRouter(prefix="/api/user", tags=["progress"])
_signed_in = problem_responses(NotAuthenticated, InvalidToken, DatabaseUnavailable)
_marking = problem_responses(UnknownChapter, NotAuthenticated, InvalidToken, DatabaseUnavailable, validates=True)
_AS_FILE = {"Content-Disposition": 'attachment; filename="textbook-export.json"'}


@router.get("/progress", responses=_signed_in)
async def get_progress(reader: CurrentReader, progress: ReaderProgress, settings: AppSettings) -> ProgressOut:
    """Which chapters the reader opened and completed, and how far that is."""
    return ProgressOut.of(await progress.get(reader), settings.site_url or "")


@router.post("/progress/mark", responses=_marking)
async def mark(body: Mark, reader: CurrentReader, progress: ReaderProgress) -> Marked:
    """Note that a chapter was opened, completed, or is not completed after all."""
    await progress.mark(reader, body.chapter_id, body.completed)
    return Marked()


@router.get("/export", response_model=ExportedData, responses=_signed_in)
async def export(reader: CurrentReader, exporting: Export) -> Response:
    """Everything that is kept of the reader, as a file. An export that was cut off is no valid JSON."""
    pieces = exporting.stream(reader)
    first = await anext(pieces)  # until here a failure has a status of its own

    async def whole() -> AsyncGenerator[bytes]:
        yield first
        async for piece in pieces:
            yield piece

    return StreamingResponse(whole(), headers=_AS_FILE, media_type="application/json")
