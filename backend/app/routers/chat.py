"""Asking the book, and what a reader asked before."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Response
from fastapi.responses import StreamingResponse

from backend.app.dependencies import Answers, CurrentReader
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
from backend.app.models.chat import AnswerOut, Ask, AskAboutSelection, Deleted, History, Turn
from backend.app.problems import problem_responses
from backend.app.routers.answer_stream import STREAMED, Respond
from backend.app.services.answer_service import Asked
from backend.app.services.reader_words import DEFAULT_QUESTION

router = APIRouter(prefix="/api/chat", tags=["chat"])
_asking = STREAMED | problem_responses(
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


@router.post("/ask", response_model=AnswerOut, responses=_asking, openapi_extra=_token_optional)
async def ask(body: Ask, respond: Respond) -> AnswerOut | Response:
    """Answer a question from the book, with the passages that support it. With a token the turn is saved."""
    return await respond.answer(_asked(body))


@router.post("/ask/stream", response_class=StreamingResponse, responses=_asking, openapi_extra=_token_optional)
async def stream(body: Ask, respond: Respond) -> Response:
    """The same as /api/chat/ask, always sent while it is written."""
    return await respond.stream(_asked(body))


@router.post("/question", response_model=AnswerOut, responses=_asking, openapi_extra=_token_optional)
async def question(body: Ask, respond: Respond) -> AnswerOut | Response:
    """The same as /api/chat/ask, under the name that older frontends use."""
    return await respond.answer(_asked(body))


@router.post("/selected-text", response_model=AnswerOut, responses=_asking, openapi_extra=_token_optional)
async def ask_about_selection(body: AskAboutSelection, respond: Respond) -> AnswerOut | Response:
    """Explain marked text, or answer a question about it. Text that is not from the book is no source."""
    asked = Asked(body.question or DEFAULT_QUESTION, body.selected_text, body.conversation_id, body.page)
    return await respond.answer(asked)


def _asked(body: Ask) -> Asked:
    return Asked(body.question, body.selected_text, body.conversation_id, body.page)


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
