"""A reader's threads: list, read, rename, delete. Anonymous threads are in no list: nobody could prove to own one."""

from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Path, Query
from pydantic import AfterValidator, AwareDatetime

from backend.app.dependencies import CurrentReader, Threads
from backend.app.errors import ConversationNotFound, DatabaseUnavailable, InvalidToken, NotAuthenticated
from backend.app.models.chat import Deleted
from backend.app.models.conversation import ConversationList, ConversationOut, ConversationWithTurns, Rename
from backend.app.problems import problem_responses

router = APIRouter(prefix="/api/chat/conversations", tags=["conversations"])
_signed_in = (NotAuthenticated, InvalidToken, DatabaseUnavailable)
_of_one = problem_responses(*_signed_in, ConversationNotFound)
_MAX_TURN_ID = 2**63 - 1


def _in_utc(moment: datetime) -> datetime:
    try:
        return moment.astimezone(UTC)
    except OverflowError:  # within a day of an end of time
        return moment.replace(tzinfo=UTC)


ConversationId = Annotated[str, Path(description="An id of the list, or the `conversation_id` of an answer.")]


@router.get("", responses=problem_responses(*_signed_in, validates=True))
async def list_conversations(
    reader: CurrentReader,
    threads: Threads,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
    before: Annotated[
        Annotated[AwareDatetime, AfterValidator(_in_utc)] | None,
        Query(description="For the next page: `updated_at` of the last one of this page."),
    ] = None,
) -> ConversationList:
    """The reader's threads, the one with the latest question first."""
    found = await threads.list_of(reader, limit, before)
    return ConversationList(conversations=[ConversationOut.of(each) for each in found])


@router.get("/{conversation_id}", responses=_of_one | problem_responses(validates=True))
async def get_conversation(
    conversation_id: ConversationId,
    reader: CurrentReader,
    threads: Threads,
    limit: Annotated[int, Query(ge=1, le=100)] = 50,
    before: Annotated[
        int | None, Query(ge=1, le=_MAX_TURN_ID, description="For earlier ones: the `id` of the first one here.")
    ] = None,
) -> ConversationWithTurns:
    """A thread with its latest questions and answers, oldest first."""
    return ConversationWithTurns.of(*await threads.get(reader, conversation_id, limit, before))


@router.patch("/{conversation_id}", responses=_of_one | problem_responses(validates=True))
async def rename_conversation(
    conversation_id: ConversationId, body: Rename, reader: CurrentReader, threads: Threads
) -> ConversationOut:
    """Give a thread another title."""
    return ConversationOut.of(await threads.rename(reader, conversation_id, body.title))


@router.delete("/{conversation_id}", responses=_of_one)
async def delete_conversation(conversation_id: ConversationId, reader: CurrentReader, threads: Threads) -> Deleted:
    """Delete a thread with its questions and answers."""
    return Deleted(deleted=await threads.delete(reader, conversation_id))
