"""Which language a question is in. Pure; ~20 µs a question.

Urdu by its script. Roman Urdu by its grammar: the words that build a sentence are Urdu even when every technical
term in it is English. In doubt it is English, because that is what the book is searched in anyway.
"""

import re
import unicodedata

from backend.app.language.glossary import FUNCTION_WORDS, find_exact
from backend.app.language.spelling import is_urdu_script, normal, tokens
from backend.app.models.domain import QuestionLanguage

MOST_WORDS = 60

# Roman function words that an English question may hold: as words, names or symbols.
_ALSO_ENGLISH = """
    is us to me in the he hay hey so say se pay per par or on of are hum ham do use men main mai day den dein di
    de le lie li len lye hi hue hen hun ho hon ha he h k q wo woh no na ne nay nai ja ji jo jab kin kis koi karen
    karan aur sa si sake sir bus kia bas ab tab tak tum ap aap abhi an at taken waste jana dena lena late jahan
    rehna karam akhir ga gi ge ko ki ka ke kay ky fir phir un isi ise bi pe ya ye yeh yar mere mera kar kr kab kon
    sy wa hn diya dia liya ata aye zara salam sara jin jane han thin kb paas bare mat ana hui hua hein keh"""
# Of those, the ones that are rare enough in English to count when several meet.
_PARTICLES = "ka ki ke ko se kar ho ya aur aap hum mere mera kab kis koi phir jab abhi yeh ye woh kia hua hui paas"
_ENGLISH = """
    a an the of and what which who whom whose why how when where does did was were be been being can could
    should would will shall may might must has have had i my you your it its this that these those there their they we
    our for with from by as at about into than then if but not any some doesn't don't isn't explain tell describe give
    show between without within during because while whether on to"""
_NEITHER = """
    der die das ist ein eine wie und nicht mit für was el los las que cómo como una del por para qué les des une est
    quoi comment pourquoi quel quelle sont dans avec il che perché sono nel della gli um uma não são em bir nedir
    nasıl ve bu için apa yang dan itu adalah bagaimana"""
_PERSIAN = "چیست است چگونه چرا چه آیا را این آن می شود کنید های برای"

_also_english = frozenset(_ALSO_ENGLISH.split())
_particles = frozenset(_PARTICLES.split())
_english = frozenset(_ENGLISH.split())
_neither = frozenset(_NEITHER.split())
_persian = frozenset(normal(_PERSIAN).split())
_VERB_AT_END = frozenset({"he", "hay", "hey", "h", "ho", "hen", "hn"})
_ARABIC = re.compile(r"\bال|ة|[يك]\b|\b(?:هل|ما|ماذا|كيف|لماذا|في|من|على|هو|هي)\b")
_URDU_ONLY = re.compile(r"[ٹڈڑںےھہۓ]")


def detect(question: str) -> QuestionLanguage:
    """`en` when nothing speaks for another language; `other` for scripts and languages that are neither."""
    words = list(dict.fromkeys(tokens(question)[:MOST_WORDS]))
    urdu_words = [word for word in words if is_urdu_script(word)]
    english = sum(word in _english for word in words)
    if urdu_words and len(urdu_words) >= english:
        return "ur" if _is_urdu(question, urdu_words) else "other"
    if _is_another_script(question):
        return "other"
    if _roman_weight(words) > 2 * english:
        return "ur-Latn"
    foreign = sum(word in _neither for word in words)
    return "other" if foreign >= 2 and foreign > english else "en"


def _is_urdu(question: str, words: list[str]) -> bool:
    """Arabic and Persian share the script; only Urdu has ٹ ڈ ڑ ں ے ھ."""
    if _URDU_ONLY.search(question):
        return True
    foreign = len(_ARABIC.findall(question)) + sum(word in _persian for word in words)
    return sum(word in FUNCTION_WORDS for word in words) >= foreign


def _roman_weight(words: list[str]) -> int:
    """0 unless a word is there that English does not have, or several that it hardly has."""
    strong = sum(word in FUNCTION_WORDS and word not in _also_english for word in words)
    strong += len(words) > 1 and words[-1] in _VERB_AT_END
    particles = sum(word in _particles for word in words)
    content = sum(_is_dictionary_word(word) for word in words)
    weight = 3 * strong + particles + content
    return weight if strong or (particles and particles + content >= 2) else 0


def _is_dictionary_word(word: str) -> bool:
    entry = find_exact(word) if len(word) > 3 else None
    return entry is not None and word not in entry.meanings


def _is_another_script(question: str) -> bool:
    letters = [c for c in question if c.isalpha()][:2_000]
    foreign = sum(not (c.isascii() or unicodedata.name(c, "").startswith("LATIN")) for c in letters)
    return 2 * foreign > len(letters)
