"""Chapters in another language."""

from typing import Any

from fastapi import APIRouter, Response

from backend.app.adaptation.languages import DEFAULT_LANGUAGE, LANGUAGES, Language, find_language
from backend.app.dependencies import Cached, OptionalReader, ReaderProgress, ReaderTexts
from backend.app.errors import (
    AIServiceBusy,
    BadRequest,
    BudgetExhausted,
    ChapterNotFound,
    DatabaseUnavailable,
    InvalidToken,
    ModelNotConfigured,
    NotAdapted,
    NotAuthenticated,
    RateLimited,
    RateLimitsUnavailable,
    TooLongToAdapt,
    TranslationFailed,
    UnknownChapter,
    UnknownLanguage,
)
from backend.app.models.adaptation import Translate
from backend.app.models.translate import TranslateChapter, TranslatedChapter
from backend.app.problems import problem_responses
from backend.app.routers.adapting import STREAMED, Deliver

router = APIRouter(prefix="/api/translate", tags=["chapters"])
_token_optional: dict[str, Any] = {"security": [{}]}  # added to the token's own entry: with it or without
_translating = STREAMED | problem_responses(
    TooLongToAdapt,
    UnknownChapter,
    UnknownLanguage,
    NotAuthenticated,
    InvalidToken,
    RateLimited,
    RateLimitsUnavailable,
    TranslationFailed,
    AIServiceBusy,
    BudgetExhausted,
    ModelNotConfigured,
    DatabaseUnavailable,
    validates=True,
)
_finding = problem_responses(UnknownLanguage, InvalidToken, NotAdapted, ChapterNotFound, DatabaseUnavailable)


@router.post("/chapter", response_model=TranslatedChapter, responses=_translating)
async def translate(body: TranslateChapter, texts: ReaderTexts, deliver: Deliver) -> TranslatedChapter | Response:
    """Translate a chapter. One that is there already costs nothing; another one counts once it is begun, and not
    when it fails on our side."""
    language = _chosen(body)
    order = await texts.order(Translate(language.code), body.chapter_id, body.chapter_content)
    chapter_id = body.chapter_id if order.is_own_text else order.chapter.chapter_id
    return await deliver.bring(
        order,
        lambda chapter: TranslatedChapter.of(chapter_id, language, chapter, is_own_text=order.is_own_text),
    )


@router.get("/cache/{chapter_id:path}/{language}", responses=_finding, openapi_extra=_token_optional)
async def find_translation(
    chapter_id: str, language: str, cached: Cached, reader: OptionalReader, progress: ReaderProgress
) -> TranslatedChapter:
    """A chapter that is translated already: free, and never made here. With a token the chapter counts as opened."""
    known = _known(language)
    found_id, chapter = await cached.get(Translate(known.code), chapter_id)
    if reader:
        await progress.note_opened(reader, found_id)
    return TranslatedChapter.of(found_id, known, chapter)


def _chosen(body: TranslateChapter) -> Language:
    named = [_known(name) for name in (body.language, body.target_language) if name]
    if len({language.code for language in named}) > 1:
        raise BadRequest("`language` and `target_language` name two languages. Send one of them.")
    return named[0] if named else LANGUAGES[DEFAULT_LANGUAGE]


def _known(name: str) -> Language:
    language = find_language(name)
    if language is None:
        raise UnknownLanguage([f"{known.code} ({known.name})" for known in LANGUAGES.values()])
    return language
