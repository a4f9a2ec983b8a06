"""Whether a block of a reply is written in the language it was asked for, and not left in English.

Marks, glossary terms, names and what both sides quote word for word may stay English; so a share of letters alone
says little about a short block. What says more: English pronouns, auxiliaries and conjunctions, which no technical
term has. Thresholds are for teachers' prose that is full of English terms. Pure.
"""

import re
import unicodedata
from collections.abc import Iterator, Sequence
from functools import cache

from backend.app.adaptation.checks import Pair
from backend.app.adaptation.glossary import Glossary
from backend.app.adaptation.languages import Language, Script
from backend.app.adaptation.prose import WORD
from backend.app.textbook.masking import MARK
from backend.app.textbook.structure import excerpt

LEAST_SHARE = 0.25
"""Of a block: letters of the target's script among those and the Latin letters of lower-case words."""
LEAST_SHARE_OF_ALL = 0.4
PROSE_WORDS = 4
"""A block of the source with as many ordinary words is prose and has to be translated."""
SHORT = 3
"""Words of a block that is no title of a book or film: those may stay English as a whole."""
MOST_TERMS = 5
"""Words of a short line that are all terms but the small words between them."""
LONGEST_RUN = 8
"""Ordinary English words in a row that no term has."""
LONGEST_QUOTE = 80

# Of sentences: no technical term, name or title in lower case has them.
_SENTENCE = """
    it its it's they them their theirs we our us you your yours he she his her him this these those that which who
    whom whose is are was were am be been being has have had does did do doesn't don't didn't isn't aren't wasn't
    can't cannot won't can could should would will shall may might must because although though unless if when where
    why how what never not"""
_CONNECTING = """
    the a an of and or but to in into on onto for by with without from at as out over under between through before
    after than then so such also very too just even still already however therefore thus hence often always usually
    sometimes only both either neither each every many much more most some any few several same other another since
    until about here there while whether"""
# Of headings that are a word or two: no terms either.
_PLAIN = """
    introduction summary overview conclusion exercises getting started understanding building writing creating
    choosing starting making using reading checking further next steps prerequisites objectives outcomes takeaways
    questions answers examples chapter part section lesson unit week appendix welcome future advanced basic basics
    practical environment interaction challenges applications resources"""
_ALSO_SPANISH_OR_FRENCH = """
    a no on me he or as has use any son main an sent comment but tu os introduction conclusion note notes"""
_FUNCTION_WORDS = {
    "es": """
        el la los las un una unos unas de del al y o en con por para que se es son su sus no como más este esta
        estos estas lo le les pero cuando entre sobre sin ser hay cada también puede tiene muy ya si donde""",
    "fr": """
        le la les un une des de du au aux et ou en dans avec par pour que qui se est sont son sa ses ce cette ces ne
        pas plus il elle ils elles on mais quand entre sur sans être chaque aussi peut comme si où leur""",
    "ur": """
        کا کی کے میں ہے ہیں سے کو اور پر نے یہ وہ جو کہ بھی ہوتا ہوتی ہوتے کرتا کرتی کرتے کر لیے گا گی گے تھا ایک
        اس""",
    "ar": """
        في على إلى هذا هذه التي الذي أن إن كان هو هي عن أو ثم كل بين عند قد لم كما ذلك يتم يمكن""",
    "fa": "است این را به برای که می شود شده کند هستند",
    "hi": "का की के में है हैं से को और पर ने यह वह जो कि भी होता होती होते करता करती करते कर लिए एक इस",
}
_RIVALS = {"ur": ("ar", "fa"), "ar": ("ur", "fa"), "hi": (), "es": ("fr",), "fr": ("es",)}
_RUN = re.compile(r"[A-Za-z][A-Za-z'’-]*(?:[^\w.?!|⟦⟧]{1,8}[A-Za-z][A-Za-z'’-]*)*")
_LATIN_WORD = re.compile(r"[A-Za-z][A-Za-z'’-]*")
_QUOTE = re.compile(r"\"([^\"\n]+)\"|[“”„]([^“”„\n]+)[“”]|‘([^’\n]+)’|«([^»\n]+)»")
_REFERENCE = re.compile(r"\W*[A-Z][\w'’-]+, (?:[A-Z]\.[ -]?)+[^\n]{0,160}?\((?:19|20)\d\d[a-z]?\)[^\n]{0,240}\Z")
"""Surname, I. (2019). Title: an entry of a list of references, which nobody translates."""
_URDU = "[ٹڈڑںےۓھہ]"
_EASTERN = "[ٹڈڑںےۓھہکیگچپژ]"
"""Of Urdu or Persian, not of Arabic."""
_ARABIC = "[كيىة]"
_SCRIPTS: dict[str, Script] = {"ARABIC": "Arab", "DEVANAGARI": "Deva", "LATIN": "Latn"}


class Wording:
    """What may stay English differs by language and glossary; all else is the same for all."""

    def __init__(self, language: Language, glossary: Glossary) -> None:
        self._language = language
        self._glossary = glossary

    def problems(self, pairs: Sequence[Pair]) -> Iterator[str]:
        """One sentence for each block that is not as it should be."""
        parts = [self._bare_pair(pair) for pair in pairs]
        for pair, bare in zip(pairs, parts, strict=True):
            problem = self._foreign_letters(pair.source, bare.reply) or self._english(bare)
            if problem:
                yield f"{problem} ({excerpt(pair.reply)})"
        if len(_prose_words("\n".join(bare.source for bare in parts))) >= 3 * PROSE_WORDS:
            yield from self._too_little("\n".join(bare.reply for bare in parts))
        yield from self._short_ones(parts)
        yield from self._nothing(parts)
        yield from self._another_language(Pair(*("\n".join(texts) for texts in zip(*parts, strict=True))))

    def _bare_pair(self, pair: Pair) -> Pair:
        if _REFERENCE.match(pair.source):
            return Pair("", "", pair.name)
        return Pair(self._bare(pair.source, pair.reply), self._bare(pair.reply, pair.source), pair.name)

    def _bare(self, text: str, other: str) -> str:
        """The text without what may stay English."""
        known = _quotes(other)
        text = _QUOTE.sub(lambda match: " ; " if _quoted(match) in known else match[0], text)
        for found in reversed(self._glossary.find(text)):
            text = f"{text[: found.start]} ; {text[found.end :]}"
        return MARK.sub(" ; ", text)

    def _foreign_letters(self, source: str, bare: str) -> str:
        allowed = set(source)
        letters = [
            c
            for c in bare
            if c.isalpha() and c not in allowed and _script(c) not in (self._language.script, "Latn", "Grek")
        ]
        return f"It has letters of another script: write {self._language.name}." if len(letters) > 1 else ""

    def _english(self, bare: Pair) -> str:
        if self._language.script == "Latn":
            is_left = _is_left_in_latin(bare, self._language)
        else:
            is_left = _is_left(bare, self._language)
        return f"A part is not translated into {self._language.name}" if is_left else ""

    def _too_little(self, bare: str) -> Iterator[str]:
        script = self._language.script
        if script != "Latn" and _share(bare, script) < LEAST_SHARE_OF_ALL:
            yield f"Too little of it is in {self._language.name}."

    def _nothing(self, parts: Sequence[Pair]) -> Iterator[str]:
        """Headings and paragraphs of two words may stay English all together, those of more not."""
        script = self._language.script
        is_echo = all(_folded(bare.reply) == _folded(bare.source) for bare in parts)
        if not is_echo and (script == "Latn" or any(_has_script(bare.reply, script) for bare in parts)):
            return
        prose = "\n".join(bare.reply for bare in parts if bare.name in ("heading", "paragraph", "point"))
        if len([word for word in _LATIN_WORD.findall(prose) if len(word) > 1 and not word.isupper()]) >= 3:
            yield f"Nothing of it is in {self._language.name}."

    def _short_ones(self, parts: Sequence[Pair]) -> Iterator[str]:
        """Items and cells of two or three words: some may be terms, but not many of them."""
        script = self._language.script
        short = [bare for bare in parts if len(_prose_words(bare.source)) >= 2]
        left = [bare for bare in short if script != "Latn" and not _has_script(bare.reply, script)]
        if len(left) >= 3 and len(left) > len(short) / 4:
            yield f"{len(left)} short blocks are not translated ({excerpt(left[0].reply)})"

    def _another_language(self, bare: Pair) -> Iterator[str]:
        if _has_letters_of_another(bare.reply, self._language.code):
            yield f"It is not in {self._language.name} but in another language."
            return
        words = _folded(bare.reply)
        own = _words(_FUNCTION_WORDS[self._language.code])
        is_latin = self._language.script == "Latn"
        for rival in _RIVALS[self._language.code]:
            others = _words(_FUNCTION_WORDS[rival])
            found = _count(words, others - own)
            if found >= max(3 if is_latin else 1, 0.1 * len(words)) and found > 2 * _count(words, own - others):
                yield f"It is not in {self._language.name} but in another language."
        english = _count(_folded(bare.source), _words(_SENTENCE) | _words(_CONNECTING))
        if is_latin and english >= 3 * PROSE_WORDS and _count(words, own) < english / 4:
            yield f"It is not in {self._language.name}."


def _is_left(bare: Pair, language: Language) -> bool:
    """Of a target in another script than English."""
    script = language.script
    if any(_is_english_run(run[0]) for run in _RUN.finditer(bare.reply)):
        return True
    prose = _prose_words(bare.source)
    if _has_script(bare.reply, script):
        return (
            len(prose) >= PROSE_WORDS
            and _share(bare.reply, script) < LEAST_SHARE
            and not _is_of_terms(bare, language)
        )
    words = _LATIN_WORD.findall(bare.reply)
    telling = _words(_SENTENCE)
    if bare.name == "heading" or len(words) <= SHORT:
        telling |= _words(_CONNECTING) | _words(_PLAIN)
    if any(word.lower() in telling for word in words if not word.isupper()):
        return True
    connecting = sum(word in _words(_CONNECTING) for word in map(str.lower, words))
    return len(prose) >= PROSE_WORDS or _has_new_word(bare) or (connecting >= 2 and not _is_title(words))


def _is_of_terms(bare: Pair, language: Language) -> bool:
    """A short line of English nouns that the target's own small words hold together."""
    words = _folded(bare.reply)
    own = _count(words, _words(_FUNCTION_WORDS[language.code]))
    english = _count(words, _words(_SENTENCE) | _words(_CONNECTING))
    return own >= 1 and not english and len(_prose_words(bare.reply)) <= MOST_TERMS


def _has_new_word(bare: Pair) -> bool:
    """A Latin word that is none of the source's: a transcription."""
    known = {word[:4].lower() for word in _LATIN_WORD.findall(bare.source)}
    return any(word[:4].lower() not in known for word in _LATIN_WORD.findall(bare.reply) if len(word) > 2)


def _has_letters_of_another(reply: str, code: str) -> bool:
    """Urdu, Arabic and Persian share a script, but not all of its letters."""
    letters = sum(_script(letter) == "Arab" for letter in reply if letter.isalpha())
    has_urdu, has_eastern, has_arabic = (len(re.findall(kind, reply)) for kind in (_URDU, _EASTERN, _ARABIC))
    if code == "ur":
        return (letters >= 20 and not has_eastern) or (letters >= 40 and not has_urdu) or has_arabic > has_eastern
    return code == "ar" and has_eastern > max(2, letters / 20)


def _is_english_run(run: str) -> bool:
    """Whether Latin words in a row are a part of a sentence: not a term, a name or a title."""
    words = _LATIN_WORD.findall(run)
    if _is_title(words):
        return False
    lower = [word.lower() for word in words if not word.isupper()]
    of_sentences = sum(word in _words(_SENTENCE) for word in lower)
    connecting = sum(word in _words(_CONNECTING) for word in lower)
    return (
        (of_sentences >= 1 and len(words) >= 3)
        or (of_sentences + connecting >= 2 and len(words) >= 6)
        or len(_prose_words(run)) >= LONGEST_RUN
    )


def _is_title(words: Sequence[str]) -> bool:
    """Introduction to Robotics: all words but the small ones begin with a capital letter."""
    great = [word for word in words if word.lower() not in _words(_CONNECTING)]
    return bool(great) and all(not word[0].islower() for word in great)


def _is_left_in_latin(bare: Pair, language: Language) -> bool:
    """Of a target in Latin letters: words that only English has, in a window without the target's own."""
    if len(_prose_words(bare.source)) >= PROSE_WORDS and _folded(bare.source) == _folded(bare.reply):
        return True
    own = _words(_FUNCTION_WORDS[language.code])
    english = (_words(_SENTENCE) | _words(_CONNECTING)) - _words(_ALSO_SPANISH_OR_FRENCH) - own
    words = [word.lower() for word in _LATIN_WORD.findall(bare.reply)]
    for start in range(max(1, len(words) - 7)):
        window = words[start : start + 8]
        hits = sum(word in english for word in window)
        if hits >= 2 and hits > sum(word in own for word in window):
            return True
    return False


def _prose_words(text: str) -> list[str]:
    """Ordinary words: in lower case, two letters at least."""
    return [word for word in _LATIN_WORD.findall(text) if word.islower() and len(word) > 1]


def _share(bare: str, script: Script) -> float:
    own = sum(_script(c) == script for c in bare if c.isalpha())
    latin = sum(len(word) for word in _prose_words(bare))
    return own / (own + latin) if own + latin else 1.0


def _has_script(bare: str, script: Script) -> bool:
    return any(_script(c) == script for c in bare if c.isalpha())


def _quotes(text: str) -> set[str]:
    """What stands in quotation marks, of whatever kind: titles, mostly."""
    return {quote for match in _QUOTE.finditer(text) if len(quote := _quoted(match)) <= LONGEST_QUOTE}


def _quoted(match: re.Match[str]) -> str:
    return next(filter(None, match.groups())).strip()


@cache
def _script(letter: str) -> str:
    name = unicodedata.name(letter, "").split(" ")[0]
    if name in ("FEMININE", "MASCULINE"):  # ordinals of Spanish: 1.ª
        return "Latn"
    return _SCRIPTS.get(
        name, "Grek" if name in ("GREEK", "MICRO", "OHM", "MATHEMATICAL", "DOUBLE-STRUCK", "SCRIPT") else name
    )


def _count(words: Sequence[str], known: frozenset[str]) -> int:
    return sum(word in known for word in words)


@cache
def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


def _folded(text: str) -> list[str]:
    return [word.lower() for word in WORD.findall(text)]
