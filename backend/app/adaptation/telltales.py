"""What no good reply holds, whatever it was asked for: refusals and remarks, our own instructions, markup, addresses
and invisible characters that the source does not have.

Works on masked texts: every character that could be program is in a mark, so that a single bare one is invented. What
a sentence of the source says itself (a robot that says "I'm sorry") is no telltale.
"""

import re
import unicodedata
from collections.abc import Iterator
from functools import cache

from backend.app.adaptation.garbling import JOINERS, garbled
from backend.app.prompts import load_prompt

PROMPTS = ("translate", "personalize")
SHINGLE = 7
"""So many words in a row that the instructions hold were not written by chance."""
OPENING = 160
"""Characters at a reply's beginning and end where remarks stand."""

_MARKUP = re.compile(
    r"[<>{}`$\\]|~~~|^[ \t>]*:::|\]\[|!\[|\]\(|^[ \t]*\[[^\]\n]+\]:|^[ \t]*(?:import|export)[ \t]", re.MULTILINE
)
_EMPTY_LINK = re.compile(r"\[[^\w\[\]⟦]*\](?=\(⟦|\[⟦)")
_HARMLESS_MARKUP = re.compile(r"^[ \t]*(?:>[ \t]?)+", re.MULTILINE)
_ENTITY = re.compile(r"&(?:[a-z][a-z0-9]{1,31}|#\d{1,7}|#x[0-9a-f]{1,6});", re.IGNORECASE)
_ADDRESS = re.compile(
    r"\b[a-z][a-z0-9+.-]{1,20}://[^\s⟦]*|\bwww\.[^\s⟦]+|\b(?:javascript:|vbscript:|mailto:|data:[a-z]+/)[^\s⟦]+"
    r"|[\w.+-]+@[\w-]+(?:\.[\w-]+)+|\b10\.\d{4,9}/[^\s⟦]+"
    r"|\b(?:[a-z0-9-]{2,63}\.)+[a-z]{2,24}/[\w~%?#]+"
    r"|\b(?:[a-z0-9-]{2,63}\.)+(?-i:com|org|net|io|dev|ai|edu|gov|info|biz|app|xyz|shop|site|online|pk|uk|ly|ru|cn)\b(?:/[^\s⟦]*)?",
    re.IGNORECASE,
)
_SPEAKER = re.compile(
    r"\A\W*(?:thinking|thoughts?|reasoning|analysis|output|result|response|assistant|rewritten(?: text)?)\s*:"
    r"|^(?:human|user|assistant)\s*:",
    re.IGNORECASE | re.MULTILINE,
)
_REQUEST_TAG = re.compile(r"<?/?\b(?:piece|terms|language|chapter|section|level|hardware)>")
_REFUSALS = re.compile(
    r"\bI(?:['’]m| am) (?:sorry|unable|afraid|not able)|\bI (?:can(?:no|['’])t|won['’]t|must decline|cannot)\b"
    r"|\bas an? (?:AI|language model|assistant)\b|\bI apologi[sz]e\b"
    r"|\b(?:my|system) (?:instructions|guidelines|prompt)\b"
    r"|^\W*(?:معذرت|معاف ک|میں (?:اس|یہ|ایسا|آپ)[^۔\n]{0,60}(?:نہیں کر سکت|قاصر ہ))"
    r"|(?:بطور|بحیثیت) (?:ایک )?(?:AI|اے آئی|مصنوعی ذہانت|لسانی) (?:ماڈل|معاون|اسسٹنٹ)"
    r"|^\W*(?:क्षमा करें|माफ़? ?करें|मैं (?:इस|यह|ऐसा|आप)[^।\n]{0,60}नहीं कर सकत)"
    r"|(?:AI|एआई) (?:मॉडल|सहायक) के (?:रूप|तौर)[^।\n]{0,30}(?:मैं|मुझे)"
    r"|^\W*(?:أعتذر|عذر[اً]+|آسف|لا (?:أستطيع|يمكنني))|(?:كنموذج|بصفتي) (?:لغوي|نموذج|ذكاء|مساعد)"
    r"|^\W*(?:lo siento|no puedo (?:ayudar|traducir|cumplir|continuar|hacer))|\bcomo (?:una IA|modelo de lenguaje)\b"
    r"|^\W*(?:(?:je suis )?(?:désolé|navré)|je ne peux pas)|\ben tant (?:qu['’]IA|que modèle de langage)\b",
    re.IGNORECASE | re.MULTILINE,
)
_ENGLISH_REFUSAL = re.compile(
    r"\b(?:sorry|apologi[sz]e|afraid|unable|can(?:no|['’])t|won['’]t|as an? (?:AI|language model|assistant)"
    r"|excuse|pardon|instructions|guidelines|prompt|cannot|not able)\b",
    re.IGNORECASE,
)
_REMARKS = re.compile(
    r"\A\W*(?:sure|certainly|of course|okay|absolutely)[,!]|\b(?:here(?:['’]s| is| are)|below is)[^.\n]{0,40}"
    r"\b(?:translat\w+|version|rewrit\w+|rephras\w+|adapt\w+|piece|text|markdown)\b"
    r"|\bthis is[^.\n]{0,40}\b(?:translat\w+|rewrit\w+|rephras\w+|adapted|(?:the|your) (?:piece|text)|markdown)\b"
    r"|\b(?:let me know|hope (?:this|that) helps|translator['’]?s? note|as requested)\b"
    r"|(?:یہاں|یہ|ذیل میں|درج ذیل|پیش)[^۔\n]{0,40}ترجمہ|نوٹ از مترجم"
    r"|ترجمہ(?: شدہ)?(?: متن)?(?: یہ| درج| پیش| حاضر|\s*:)"
    r"|(?:यहाँ|यहां|यह|नीचे|निम्न)[^।\n]{0,40}अनुवाद|अनुवाद(?:ित)?(?: पाठ)?\s*:"
    r"|(?:إليك|فيما يلي|هذه هي|هذا هو|هنا)[^.\n]{0,40}ترجمة|ترجمة\s*:|\A\W*بالتأكيد"
    r"|\b(?:aquí (?:está|tienes)|a continuación)[^.\n]{0,40}traducción|\btraducción\s*:|\A\W*por supuesto[,!]"
    r"|\b(?:voici|ci-dessous)[^.\n]{0,40}traduction|\btraduction\s*:|\A\W*bien sûr[,!]",
    re.IGNORECASE,
)
_ENGLISH_REMARK = re.compile(
    r"\b(?:translat\w+|here(?:['’]s| is| are)|below is|sure|certainly|of course|okay|absolutely|let me know|hope"
    r"|requested)\b",
    re.IGNORECASE,
)
_WORD = re.compile(r"[^\W_]+")


def telltales(source: str, reply: str) -> Iterator[str]:
    """Problems of a masked reply to a masked source that need no knowledge of its language."""
    yield from _markup(source, reply)
    yield from _characters(source, reply)
    yield from garbled(source, reply)
    yield from _addresses(source, reply)
    if _REQUEST_TAG.search(reply) or _shingles(reply) & (_instructions() - _shingles(source)):
        yield "It repeats the instructions instead of the text."
    if _REFUSALS.search(reply) and not (_REFUSALS.search(source) or _ENGLISH_REFUSAL.search(source)):
        yield "It refuses or apologizes instead of giving the text."
    if _SPEAKER.search(reply) and not _SPEAKER.search(source):
        yield "It names a speaker or a step of work before the text: only the text."
    ends = reply.lstrip()[:OPENING], reply.rstrip()[-OPENING:]
    if any(_REMARKS.search(end) for end in ends) and not _ENGLISH_REMARK.search(source):
        yield "It has a remark of its own: only the text, nothing before and nothing after it."


def _markup(source: str, reply: str) -> Iterator[str]:
    if len(_EMPTY_LINK.findall(reply)) > len(_EMPTY_LINK.findall(source)):
        yield "A link has lost its text."
    if reply.count("[") > source.count("["):
        yield "It has square brackets of its own: they could become a link, a footnote or a box to tick."
    allowed = [_flat(found) for found in _found_markup(source)]
    for found in map(_flat, _found_markup(reply)):
        if found in allowed:
            allowed.remove(found)
        else:
            yield f"It has {found!r} outside of the marks: write no HTML, code, formulas or links of your own."
            return


def _found_markup(text: str) -> list[str]:
    return [*_MARKUP.findall(_HARMLESS_MARKUP.sub("", text)), *_ENTITY.findall(text)]


def _flat(markup: str) -> str:
    return " ".join(markup.split())[:20]


def _characters(source: str, reply: str) -> Iterator[str]:
    strange = {character for character in reply if _is_strange(character)} - set(source)
    if strange:
        names = ", ".join(sorted(f"U+{ord(character):04X}" for character in strange)[:5])
        yield f"It has invisible, broken or control characters: {names}."


def _is_strange(character: str) -> bool:
    if character == "\N{REPLACEMENT CHARACTER}":  # what reading the reply made of a NUL or of half a character
        return True
    category = unicodedata.category(character)
    return category in ("Cc", "Cf", "Co", "Cs", "Zl", "Zp") and character not in "\n\t\r" + JOINERS


def _addresses(source: str, reply: str) -> Iterator[str]:
    known = source.lower()
    for address in _ADDRESS.findall(reply):
        if address.lower().rstrip(".,;:!?)") not in known:
            yield f"The address {address[:80]!r} is not in the piece: invent none."
            return


@cache
def _instructions() -> frozenset[str]:
    return frozenset(shingle for name in PROMPTS for shingle in _shingles(load_prompt(name).text))


def _shingles(text: str) -> frozenset[str]:
    words = _WORD.findall(text.lower())
    return frozenset(" ".join(words[at : at + SHINGLE]) for at in range(len(words) - SHINGLE + 1))
