"""The conversation that a question continues, set up as readers make one: through `AnswerService` itself."""

from collections.abc import Sequence

from backend.app.models.domain import PastTurn
from backend.app.services.answer_service import AnswerService, Asked


async def begin_thread(answers: AnswerService, turns: Sequence[PastTurn]) -> str | None:
    """The id of an anonymous conversation with these turns; None without any. An answer that the question file gives
    is taken as it is, one that it leaves out is asked for."""
    thread: str | None = None
    for turn in turns:
        if turn.answer:
            conversation = await answers.conversations.open(thread, None)
            await answers.conversations.save(conversation, turn, answers.mode, None)
            thread = str(conversation.conversation_id)
        else:
            thread = str((await answers.ask(Asked(turn.question, conversation_id=thread))).conversation_id)
    return thread
