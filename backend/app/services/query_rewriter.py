"""What a reader asks, in its thread -> what is searched for, and the language of the answer.

Knows languages and conversations; must not know how the book is searched. A rewritten question is only ever a search
form: the model answers the reader's own words, and no rewrite that fails costs more than a good search.
"""

import asyncio
import re
import unicodedata
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import structlog

from backend.app.errors import AIServiceBusy
from backend.app.language import FUNCTION_WORDS, Vocabulary, detect, english_forms, load_vocabulary
from backend.app.models.domain import Manifest, PastTurn, QuestionLanguage, UserId
from backend.app.prompts import load_prompt
from backend.app.services.claude_budget import NoMoney
from backend.app.services.follow_ups import (
    is_without_language,
    leans_on_thread,
    split_language_request,
    telling_words,
)
from backend.app.services.outcomes import recites_rules
from backend.app.services.reader_words import DEFAULT_QUESTION, SEARCHED_CHARS, recent_turns, rewrite_block
from backend.app.services.retriever import Findings, SearchQuery
from backend.app.services.shared_cache import SharedCache
from backend.app.textbook.analyzer import terms
from backend.app.textbook.evidence import asked_terms

LONGEST_REWRITE = 300
_REMEMBERED = 2_000
_LIFETIME_S = 24 * 3600.0
_JOINED_TURNS = 2
_LOOKED_AT = 3  # hits
STRONG_COSINE = 0.45
"""Above the best hit of every off-topic question that was measured (0.40)."""

_TAG = re.compile(r"<\s*/?\s*query[^>]*>", re.IGNORECASE)
_QUERY = re.compile(r"<\s*query[^>]*>(.*?)(?:<\s*/\s*query[^>]*>|$)", re.IGNORECASE | re.DOTALL)
_REFUSING = re.compile(
    r"^\W*(?:i(?:'m| am) (?:sorry|unable|not able)|i can(?:'t|not)|sorry\b|as an ai\b"
    r"|i (?:do not|don't|won't|will not)\b|i(?:'ll| will) not\b)",
    re.IGNORECASE,
)

log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


class _NoQuestion(Exception):
    """What the model said is no search question: nothing to remember for a day."""


class Rewriting(Protocol):
    """The model that rewrites. Raises AIServiceBusy, NoMoney."""

    @property
    def model(self) -> str: ...
    async def rewrite(self, block: str, *, user_id: UserId | None = None) -> str: ...


class Shelf(Protocol):
    """Where the book's vocabulary is kept."""

    async def manifest(self) -> Manifest: ...


class Finding(Protocol):
    """A search, to see whether a question needs a rewrite at all."""

    async def find(self, query: SearchQuery) -> Findings: ...


@dataclass(frozen=True, slots=True)
class Understood:
    """`question` is what the model is asked, in the reader's words; `thread` are the turns it leans on, none when it
    stands by itself. `language` is the one to answer in."""

    question: str
    language: QuestionLanguage
    search: SearchQuery
    thread: tuple[PastTurn, ...] = ()


@dataclass(frozen=True, slots=True)
class _Asked:
    """A question in its thread, freed from requests for a language."""

    question: str
    before: tuple[PastTurn, ...]
    language: QuestionLanguage


class QueryRewriter:
    """One per process. Without `claude` nothing is rewritten; without `shelf` no word is transliterated."""

    def __init__(
        self, claude: Rewriting | None = None, shelf: Shelf | None = None, finding: Finding | None = None
    ) -> None:
        self._claude = claude
        self._shelf = shelf
        self._finding = finding
        self._rewrites: SharedCache[Hashable, str] = SharedCache(_REMEMBERED, _LIFETIME_S)
        self._vocabulary = (Manifest(), load_vocabulary({}))

    async def understand(
        self,
        question: str,
        selection: str,
        turns: Sequence[PastTurn],
        page: str | None = None,
        *,
        user_id: UserId | None = None,
    ) -> Understood:
        """`turns`: the thread so far, oldest first; `page`: where the selection was marked; `user_id`: out of whose
        share a rewrite is paid.

        Marked text is what "this" and "it" point at: beside it the thread is not looked at. Raises SearchUnavailable,
        BookNotIngested.
        """
        asked = _resolve(question, selection, tuple(turns))
        thread = asked.before if not selection and leans_on_thread(asked.question) else ()
        own = "" if selection and asked.question == DEFAULT_QUESTION else asked.question
        forms = await self._forms(own, selection, thread, user_id)
        return Understood(asked.question, asked.language, SearchQuery(forms, selection, page), thread)

    async def _forms(
        self, own: str, selection: str, thread: tuple[PastTurn, ...], user_id: UserId | None
    ) -> tuple[str, ...]:
        foreign = selection[:SEARCHED_CHARS] if selection and detect(selection) != "en" else ""
        if not (thread or foreign) and (not own or detect(own) == "en"):
            return (own,) if own else ()
        vocabulary = await self._known_words()
        if self._claude and not (thread or foreign) and (known := await self._found_by_its_terms(own)):
            return (known, own)
        rewritten = "" if vocabulary.is_urdu else await self._rewritten(own, foreign, thread, user_id)
        if not rewritten:
            return _without_model(own, foreign, thread, vocabulary)
        return (rewritten,) if thread else _each_once([rewritten, own])  # "why?" finds nothing but noise

    async def _known_words(self) -> Vocabulary:
        if self._shelf is not None:
            manifest = await self._shelf.manifest()
            if manifest is not self._vocabulary[0]:
                self._vocabulary = (manifest, await asyncio.to_thread(load_vocabulary, manifest.vocabulary))
        return self._vocabulary[1]

    async def _found_by_its_terms(self, own: str) -> str:
        """The terms of a question that, but for grammar, is made of the book's own terms: "ROS 2 node کیا ہے؟".
        Empty when something of it would be lost or none of the best passages holds them all."""
        told = [word for word in telling_words(own) if word not in FUNCTION_WORDS]
        form = " ".join(told)
        wanted = frozenset(terms(form))
        if self._finding is None or not wanted or not form.isascii():
            return ""
        found = await self._finding.find(SearchQuery((form,)))
        strong = (hit for hit in found.hits[:_LOOKED_AT] if hit.dense >= STRONG_COSINE)
        return form if any(wanted <= frozenset(terms(hit.chunk.embedding_text)) for hit in strong) else ""

    async def _rewritten(self, own: str, foreign: str, thread: tuple[PastTurn, ...], user_id: UserId | None) -> str:
        """Empty when there is no model, it fails, or what it says is no search question."""
        claude = self._claude
        if claude is None:
            return ""
        said = tuple((turn.question, turn.answer) for turn in recent_turns(thread))
        key = (load_prompt("rewrite").version, claude.model, _normal(own), _normal(foreign), said)

        async def ask() -> str:
            said = await claude.rewrite(rewrite_block(own, foreign, thread), user_id=user_id)
            if not (rewritten := read_rewrite(said)):
                raise _NoQuestion
            return rewritten

        try:
            return await self._rewrites.get(key, ask)
        except (AIServiceBusy, NoMoney, _NoQuestion) as failure:
            log.warning("rewrite_failed", reason=type(failure).__name__)
            return ""


def _without_model(own: str, foreign: str, thread: tuple[PastTurn, ...], vocabulary: Vocabulary) -> tuple[str, ...]:
    """The question; after the last two questions; under the heading that was cited last; and what of them the book's
    vocabulary knows. A follow-up that names no subject ("why?") is not searched by itself."""
    texts = [own] if telling_words(own) or not thread else []
    if thread:
        texts.append("\n".join([*(turn.question for turn in thread[-_JOINED_TURNS:]), own]))
        texts += [f"{source.section}\n{own}" for source in thread[-1].sources[:1]]
    said = [text for text in (*texts, foreign) if text and asked_terms(text) is not None]  # "salam" asks nothing
    abroad = [text for text in said if detect(text) != "en"]
    return _each_once([*texts, *(form for text in abroad for form in english_forms(text, vocabulary))])


def read_rewrite(text: str) -> str:
    """The search question in a reply; empty when it is none: no letters, several lines, too long, an apology, or our
    instructions."""
    found = _QUERY.findall(text)
    line = " ".join(found[-1].split()) if found else _only_line(text)
    line = _TAG.sub("", line).strip(" \"'`")
    spoken = any(character.isalpha() for character in line)
    if not spoken or len(line) > LONGEST_REWRITE or _REFUSING.match(line.replace("’", "'")) or recites_rules(line):
        return ""
    return line


def _only_line(text: str) -> str:
    lines = [line for line in text.splitlines() if line.strip()]
    return lines[0].strip() if len(lines) == 1 else ""


def _resolve(question: str, selection: str, turns: tuple[PastTurn, ...]) -> _Asked:
    """ "in Urdu please" is the question before it, in Urdu; "ok" stays in the language of the thread."""
    wanted_question, wanted = split_language_request(question)
    if not wanted_question and selection:
        wanted_question = DEFAULT_QUESTION
    elif not wanted_question and turns and wanted:
        return replace(_resolve(turns[-1].question, "", turns[:-1]), language=wanted)
    asked = wanted_question or question
    return _Asked(asked, turns, wanted or _language(asked, selection, turns))


def _language(question: str, selection: str, turns: tuple[PastTurn, ...]) -> QuestionLanguage:
    if selection and question == DEFAULT_QUESTION:
        return detect(selection)
    detected = detect(question)
    if detected == "en" and turns and is_without_language(question):
        return _resolve(turns[-1].question, "", turns[:-1]).language
    return detected


def _normal(text: str) -> str:
    """Equal for questions that differ in letter case, spaces and the last sign only: "C++" is not "C"."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split()).rstrip(" ?؟.!۔")


def _each_once(forms: Sequence[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(form for form in forms if form))
