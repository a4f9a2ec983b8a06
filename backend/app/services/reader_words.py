"""What the reader wrote, as the one text block that Claude gets: tagged data, never instructions. Pure but for
chance.

The name of each tag ends with a code that is drawn anew for every request, so that no text, wherever it comes from,
can close its own tag or open another. The only words outside the tags are ours.
"""

import re
import secrets
from collections.abc import Sequence
from typing import Literal

from backend.app.models.domain import PastTurn, QuestionLanguage
from backend.app.services.passages import estimate_tokens

DEFAULT_QUESTION = "Explain this passage."
ANSWER_IN: dict[QuestionLanguage, str] = {
    "en": "Answer in English.",
    "ur": "Answer in Urdu, in Urdu script.",
    "ur-Latn": "Answer in Roman Urdu: Urdu in Latin letters.",
    "other": "Answer in the language and script of the question.",
}
THREAD_TOKENS = 600
_THREAD_TURNS = 4
_TURN_CHARS = 500  # of a question and of an answer
SEARCHED_CHARS = 1_200
"""Of marked text that is to be searched for: where it begins says what it is about."""
_OWN_TAG = re.compile(r"<(?=\s*/?\s*(?:question|selected_text|conversation|asked|answered|query)\b)", re.IGNORECASE)


def question_block(
    question: str,
    selection: str = "",
    *,
    origin: Literal["book", "reader"] = "reader",
    thread: Sequence[PastTurn] = (),
    language: QuestionLanguage = "en",
) -> str:
    """`origin` says whether the selection was found in the book; `thread` are the turns that the question leans on,
    oldest first; `language` is the one to answer in. Other tags in the texts, code for instance, stay."""
    code = secrets.token_hex(6)
    parts = [_conversation(thread, code), _selected(selection, code, f' from="{origin}"')]
    return "\n\n".join([*filter(None, parts), _tagged("question", question, code), ANSWER_IN[language]])


def rewrite_block(question: str, selection: str = "", thread: Sequence[PastTurn] = ()) -> str:
    """The same material for a question that is to be written anew; without one the selection is the subject."""
    code = secrets.token_hex(6)
    parts = [_conversation(thread, code), _selected(selection[:SEARCHED_CHARS], code)]
    return "\n\n".join([*filter(None, parts), _tagged("question", question or DEFAULT_QUESTION, code)])


def recent_turns(turns: Sequence[PastTurn]) -> tuple[PastTurn, ...]:
    """The last turns that fit into 600 tokens, oldest first; what is long in them is cut."""
    kept: list[PastTurn] = []
    left = THREAD_TOKENS
    for turn in reversed(turns[-_THREAD_TURNS:]):
        short = PastTurn(_beginning(turn.question), _beginning(turn.answer), turn.sources)
        left -= estimate_tokens(short.question + short.answer)
        if left < 0 and kept:
            break
        kept.append(short)
    return tuple(reversed(kept))


def _conversation(thread: Sequence[PastTurn], code: str) -> str:
    turns = [_tagged("asked", turn.question, code) + "\n" + _answered(turn, code) for turn in recent_turns(thread)]
    return f"<conversation-{code}>\n" + "\n".join(turns) + f"\n</conversation-{code}>" if turns else ""


def _answered(turn: PastTurn, code: str) -> str:
    sections = ", ".join(dict.fromkeys(source.section for source in turn.sources))
    return _tagged("answered", f"{turn.answer}\n(Sections: {sections})" if sections else turn.answer, code)


def _selected(selection: str, code: str, origin: str = "") -> str:
    return _tagged("selected_text", selection, code, origin) if selection else ""


def _tagged(name: str, text: str, code: str, attribute: str = "") -> str:
    return f"<{name}-{code}{attribute}>\n{_OWN_TAG.sub('&lt;', text)}\n</{name}-{code}>"


def _beginning(text: str) -> str:
    flat = " ".join(text.split())
    return flat if len(flat) <= _TURN_CHARS else flat[:_TURN_CHARS].rsplit(" ", 1)[0] + " …"
