"""Asking the book, and what a reader asked before."""

from typing import Annotated, Any

from fastapi import APIRouter, Query

from backend.app.dependencies import Answers, CurrentReader, OptionalReader
from backend.app.errors import (
    AIServiceBusy,
    BookNotIngested,
    DatabaseUnavailable,
    InvalidToken,
    NotAuthenticated,
    RateLimited,
    RateLimitsUnavailable,
    SearchUnavailable,
)
from backend.app.limited import CountsAsQuestion
from backend.app.models.chat import AnswerOut, Ask, AskAboutSelection, Deleted, History, Turn
from backend.app.problems import problem_responses
from backend.app.services.answer_service import Asked
from backend.app.services.reader_words import DEFAULT_QUESTION

router = APIRouter(prefix="/api/chat", tags=["chat"])
_asking = problem_responses(
    InvalidToken,
    RateLimited,
    RateLimitsUnavailable,
    AIServiceBusy,
    SearchUnavailable,
    BookNotIngested,
    DatabaseUnavailable,
    validates=True,
)
_token_optional: dict[str, Any] = {"security": [{}]}  # added to the token's own entry: with it or without
_remembering = problem_responses(NotAuthenticated, InvalidToken, DatabaseUnavailable)


@router.post("/ask", dependencies=[CountsAsQuestion], responses=_asking, openapi_extra=_token_optional)
async def ask(body: Ask, reader: OptionalReader, answers: Answers) -> AnswerOut:
    """Answer a question from the book, with the passages that support it. With a token the turn is saved."""
    asked = Asked(body.question, body.selected_text, body.conversation_id, body.page)
    return AnswerOut.of(await answers.ask(asked, reader))


@router.post("/question", dependencies=[CountsAsQuestion], responses=_asking, openapi_extra=_token_optional)
async def question(body: Ask, reader: OptionalReader, answers: Answers) -> AnswerOut:
    """The same as /api/chat/ask, under the name that older frontends use."""
    return await ask(body, reader, answers)


@router.post("/selected-text", dependencies=[CountsAsQuestion], responses=_asking, openapi_extra=_token_optional)
async def ask_about_selection(body: AskAboutSelection, reader: OptionalReader, answers: Answers) -> AnswerOut:
    """Explain marked text, or answer a question about it. Text that is not from the book is no source."""
    asked = Asked(body.question or DEFAULT_QUESTION, body.selected_text, body.conversation_id, body.page)
    return AnswerOut.of(await answers.ask(asked, reader))


@router.get("/history", responses=_remembering | problem_responses(validates=True))
async def list_history(
    reader: CurrentReader, answers: Answers, limit: Annotated[int, Query(ge=1, le=100)] = 20
) -> History:
    """The reader's questions with their answers, newest first."""
    return History(history=[Turn.of(turn) for turn in await answers.list_history(reader, limit)])


@router.delete("/history", responses=_remembering)
async def delete_history(reader: CurrentReader, answers: Answers) -> Deleted:
    """Delete all of the reader's questions. Deleting nothing is no error."""
    return Deleted(deleted=await answers.delete_history(reader))
