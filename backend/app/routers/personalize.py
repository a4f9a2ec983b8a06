"""Chapters at the reader's level."""

from fastapi import APIRouter, Response

from backend.app.dependencies import Cached, CurrentReader, ReaderProgress, ReaderTexts
from backend.app.errors import (
    AIServiceBusy,
    BudgetExhausted,
    ChapterNotFound,
    DatabaseUnavailable,
    InvalidToken,
    ModelNotConfigured,
    NotAdapted,
    NotAuthenticated,
    PersonalizationFailed,
    RateLimited,
    RateLimitsUnavailable,
    TooLongToAdapt,
    UnknownChapter,
)
from backend.app.models.adaptation import Personalize
from backend.app.models.domain import Level
from backend.app.models.personalize import PersonalizeChapter, PersonalizedChapter
from backend.app.problems import problem_responses
from backend.app.routers.adapting import STREAMED, Deliver

router = APIRouter(prefix="/api/personalize", tags=["chapters"])
_personalizing = STREAMED | problem_responses(
    TooLongToAdapt,
    UnknownChapter,
    NotAuthenticated,
    InvalidToken,
    RateLimited,
    RateLimitsUnavailable,
    PersonalizationFailed,
    AIServiceBusy,
    BudgetExhausted,
    ModelNotConfigured,
    DatabaseUnavailable,
    validates=True,
)
_finding = problem_responses(NotAuthenticated, InvalidToken, NotAdapted, ChapterNotFound, DatabaseUnavailable)


@router.post("/chapter", response_model=PersonalizedChapter, responses=_personalizing)
async def personalize(
    body: PersonalizeChapter, reader: CurrentReader, texts: ReaderTexts, deliver: Deliver
) -> PersonalizedChapter | Response:
    """Rewrite a chapter for a level and the reader's hardware. One that is there already costs nothing; another one
    counts once it is begun, and not when it fails on our side."""
    target = Personalize(body.level or reader.level, reader.hardware)
    order = await texts.order(target, body.chapter_id, body.chapter_content)
    chapter_id = body.chapter_id if order.is_own_text else order.chapter.chapter_id
    return await deliver.bring(
        order,
        lambda chapter: PersonalizedChapter.of(chapter_id, target, chapter, is_own_text=order.is_own_text),
    )


@router.get("/cache/{chapter_id:path}", responses=_finding | problem_responses(validates=True))
async def find_personalization(
    chapter_id: str, cached: Cached, reader: CurrentReader, progress: ReaderProgress, level: Level | None = None
) -> PersonalizedChapter:
    """A chapter that is rewritten already for this level (the reader's own when it is left out) and the reader's
    hardware: free, and never made here. The chapter counts as opened."""
    target = Personalize(level or reader.level, reader.hardware)
    found_id, chapter = await cached.get(target, chapter_id)
    await progress.note_opened(reader, found_id)
    return PersonalizedChapter.of(found_id, target, chapter)
