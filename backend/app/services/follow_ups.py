"""Does a question stand by itself, or does it lean on what was said before? Rules for English, Urdu and Roman Urdu.

They are meant to be wrong on one side: a question that leans and is not noticed is searched for without its subject,
while one that stands by itself and is taken for a follow-up costs a small model call. Pure.
"""

import re
import unicodedata
from collections.abc import Sequence

from backend.app.models.domain import QuestionLanguage
from backend.app.services.follow_up_words import (
    AROUND_A_LANGUAGE,
    ASKING,
    EMPTY,
    FRAGMENT,
    JOINING,
    LAST,
    POINTING,
)

_WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+|[-./+*#:][^\W_]+)*[+*#]*")
_NAME = re.compile(r"[A-Z0-9][\w.+*#-]*[A-Z0-9+*#]|[a-z_][A-Z_]|\w[._:]+\w")  # anywhere in the question

_OURS = re.compile(
    r"\b(?:this|the|is) (?:book|chapter|page|course|textbook|kitab)\b|(?:اس|یہ) (?:کتاب|باب|کورس|صفح\w+)"
)
# "it" that stands for nothing: "is it possible to", "it takes", "does it mean to", "true that"
_EXPLETIVE = re.compile(
    r"\bit(?:'s|’s)? (?:is |was )?(?:true|possible|necessary|safe|better|best|hard|harder|difficult|easy|easier"
    r"|common|important|useful|worth|required|recommended|enough|ok|okay|bad|good|wise|allowed|impossible)\b"
    r"|\b(?:does|did|do) it (?:take|mean|cost|matter) (?:to|for|when|if|that|whether)\b"
    r"|\bit takes? (?:to|for)\b"
)
_PHRASES = re.compile(
    r"\b(?:which|that|this|the|other|another|first|second|third|last|next|previous) ones?\b"
    r"|\b(?:what|how) about\b|\bwhat if\b|\b(?:why|how) (?:not|so|come)\b|\bone of (?:them|those|these)\b"
    r"|\b(?:you|we) (?:said|mentioned|told|wrote|just)\b|\b(?:as|mentioned|said|described) (?:above|before|earlier)\b"
    r"|\b(?:this|that|these|those) (?:is|are|was|were|means?|works?|happens?|way|case|step|stage|value|method"
    r"|approach|problem|error|code|example|algorithm|part|sensor|number|thing|process|result|idea|term|technique|model)\b"
    r"|\b(?:is|are|was|does|do|did|why|how|about|like|of|than|with|for|all|after|before|by|in|on|explain|from) "
    r"(?:this|that|these|those)(?=$|[\s?.!,]*$)"
    r"|^(?:is|are|was|were|does|do|did|can|could|will|would|should|why (?:is|are|does|do)|how (?:is|are|does|do|can))"
    r" (?:this|that|these|those)\b"
    r"|\bthe (?:first|second|third|fourth|last|next|previous|other|final|above|latter|former)\b"
    r"|\b(?:is|us|in|un) (?:ka|ki|ke|ko|se|mein|me|par|pe|liye)\b"
    r"|\b(?:ye|yeh|wo|woh) (?:kya|kaise|kyun|kyu|kab|kaam)\b"
)


_ENOUGH = 3  # telling words before a "it" are what it points at: "How does a lidar work and what limits it?"
_SHORT = 4


def leans_on_thread(question: str) -> bool:
    """Whether the question may need the turns before it to be understood."""
    text = _EXPLETIVE.sub(" ", _plain(question))
    words = _WORD.findall(text)
    if not words or words[0] in JOINING:
        return True
    telling = _telling(words)
    if _OURS.search(text):
        return False
    if _points_back(text) or (words[-1] in LAST and len(telling) < _ENOUGH):
        return True
    if len(telling) > 1:
        return words[0] in FRAGMENT and len(words) <= _SHORT
    return not telling or (len(words) <= _SHORT and not _NAME.search(question))


def _points_back(text: str) -> bool:
    """A pronoun or a phrase like "the second one", with too little before it that it could point at."""
    starts = [found.start() for found in _PHRASES.finditer(text)]
    starts += [found.start() for found in _WORD.finditer(text) if found.group() in POINTING]
    before = _WORD.findall(text[: min(starts, default=0)])
    return bool(starts) and len(_telling(before)) < _ENOUGH


def telling_words(question: str) -> list[str]:
    """The words that say what the question is about: no grammar, no asking, no "example" or "difference"."""
    return _telling(_WORD.findall(_plain(question)))


def _telling(words: Sequence[str]) -> list[str]:
    return [word for word in words if word not in EMPTY]


# --- the language of the answer

_LANGUAGE_NAMES: Sequence[tuple[str, QuestionLanguage]] = (
    (r"roman[ -]?urdu|urdu roman|roman(?: english)?|رومن(?: اردو)?", "ur-Latn"),
    (r"urdu(?: (?:script|zaban))?|اردو(?: زبان)?", "ur"),
    (r"english|angrezi|angreezi|inglish|انگریزی|انگلش", "en"),
)
_IN = (
    r"(?:(?:in|into|to|using) (?:the )?{0}(?: language| script| letters)?"
    r"|{0} (?:mein|main|mai|me|mei|zaban mein|میں)|{0} (?:please|pls|plz))"
)
_REQUESTS: list[tuple[re.Pattern[str], QuestionLanguage]] = [
    (re.compile(rf"(?<!\w){_IN.format(f'(?:{names})')}(?!\w)"), language) for names, language in _LANGUAGE_NAMES
]
_BARE_NAMES: list[tuple[re.Pattern[str], QuestionLanguage]] = [
    (re.compile(rf"(?:{names})"), language) for names, language in _LANGUAGE_NAMES
]

# "what is lidar in Urdu?" wants an explanation, "what is the word for lidar in Urdu?" a word
_DEFINITION = re.compile(
    r"(?!.*\b(?:words?|terms?|names?|translation|called|said|written)\b)"
    r"(?:what(?:'s| is| are)|define) (?:an? |the )?[\w-]+(?: [\w-]+){0,2}\W*\Z"
)


def split_language_request(question: str) -> tuple[str, QuestionLanguage | None]:
    """What is asked without the words that ask for a language, and that language.

    "Explain SLAM in Urdu" -> ("Explain SLAM", "ur"); "in Urdu please" -> ("", "ur"), which is a question about the
    turn before; "Does Whisper transcribe calls in Urdu?" asks for none.
    """
    text = _plain(question)
    for pattern, language in _REQUESTS:
        found = pattern.search(text)
        if not found:
            continue
        before, after = text[: found.start()], text[found.end() :]
        rest = _WORD.findall(before + " " + after)
        if all(word in AROUND_A_LANGUAGE for word in rest):
            return "", language
        at_edge = not _WORD.search(before) or not set(_WORD.findall(after)) - AROUND_A_LANGUAGE
        if at_edge and (ASKING.intersection(rest) or _DEFINITION.match(before)):
            kept = (
                question[: found.start()] + question[found.end() :] if len(text) == len(question) else before + after
            )
            return " ".join(kept.split()).strip(" ,;:-–—،"), language
    bare = " ".join(word for word in _WORD.findall(text) if word not in AROUND_A_LANGUAGE)
    for pattern, language in _BARE_NAMES:
        if pattern.fullmatch(bare):
            return "", language
    return question, None


def is_without_language(question: str) -> bool:
    """One or two words of no language in particular ("ok", "IK?", "example"): the answer stays in the thread's."""
    words = _WORD.findall(_plain(question))
    return len(words) <= 2 and all(word.isascii() for word in words)


def _plain(text: str) -> str:
    return " ".join(unicodedata.normalize("NFC", text).replace("’", "'").casefold().split())
