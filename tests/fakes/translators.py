"""Translators for the scripted Claude: one that does as it is told, and many that do not.

    claude.adapts(translators.good)
    claude.adapts(translators.HOSTILE["mask_dropped"])
    claude.adapts(translators.at_first(translators.HOSTILE["refusal"]))    # the second try is good

Each is a function from the body of a request to the text of the reply, or to (text, stop_reason). The good one writes
words that no language has, in the script and with the small words of the language that was asked for. A hostile one
for which a piece gives no occasion (no link to break) returns what the good one returns.
"""

import random
import re
import zlib
from collections.abc import Callable, Mapping
from typing import Any

Body = Mapping[str, Any]
Said = str | tuple[str, str]
Translator = Callable[[Body], Said]
Spoil = Callable[[str, str], str]
"""(the source, its good translation) -> what is said instead."""

MARK = re.compile(r"⟦[A-Z]\d+⟧")
LINK = re.compile(r"\[([^\[\]]+)\]\((⟦L\d+⟧)\)")
_SYLLABLES = {
    "ur": "کام نیا ڈھا ٹیک پری چلن گرو ساز لیے موج بند روش تاب دیر وقت ہمی زمر شاخ",
    "hi": "कम नया ढाल टीक परी चल गुरु साज मौज बंद रवि ताप देर समय हम जमा शाख",
    "ar": "كتب علم نظر حرك قاس ضبط بحر شمس درس فهم صنع جمع طرق ثبت وصل",
    "es": "ca mino tero sol dura ven pasa lumo tira bano rela niza corda",
    "fr": "jour mais lune tour vent chaud rive nage bela cour dime tant",
}
_SMALL = {
    "ur": "کا ہے میں اور سے کو یہ پر کے لیے",
    "hi": "का है में और से को यह पर के लिए",
    "ar": "من في هو على إلى هذا أن عن مع التي",
    "es": "de la es en y el para con que los",
    "fr": "de la est dans et le pour avec que les",
}
_ENGLISH_SMALL = """
    the a an of in on at to for from with by and or but is are was were be been it its they their we our you your this
    that these those which who when where why how what if than then as not no can will may must has have had do does
    into over under between so such also only both each every more most some any all other there here"""
_STOPS = {"ur": "۔،؟", "ar": ".،؟", "hi": "।,?", "es": ".,?", "fr": ".,?"}
_NATIVE = {"Urdu": "ur", "Hindi": "hi", "Modern": "ar", "Spanish": "es", "French": "fr"}
_TOKEN = re.compile(r"⟦[A-Z]\d+⟧|\w*\d[\w.]*|[A-Za-zÀ-ɏ]+(?:['’-][A-Za-zÀ-ɏ]+)*")
_LIST_MARKER = r"^[ \t>]*(?:[-*+]|\d+[.)])[ \t]+"


def piece(body: Body) -> str:
    """The masked text that the request asks for."""
    said = body["messages"][0]["content"][0]["text"]
    return re.search(r"<piece>\n(.*)\n</piece>", said, re.DOTALL)[1]  # pyright: ignore[reportOptionalSubscript]


def note(body: Body, tag: str) -> str:
    """What the request says in another of its tags; "" without it."""
    found = re.search(rf"^<{tag}>(.*?)</{tag}>$", body["messages"][0]["content"][0]["text"], re.DOTALL | re.MULTILINE)
    return found[1].strip() if found else ""


def language(body: Body) -> str:
    return _NATIVE[note(body, "language").split()[0]]


def good(body: Body) -> str:
    return _translate(piece(body), language(body), note(body, "terms").splitlines())


def at_first(hostile: Translator, then: Translator = good) -> Translator:
    """Hostile in the first try of every piece, good in the second."""
    return lambda body: (
        hostile(body) if len(body["messages"]) == 1 and len(body["messages"][0]["content"]) == 1 else then(body)
    )


def is_second_try(body: Body) -> bool:
    return len(body["messages"]) > 1 or len(body["messages"][0]["content"]) > 1


def _translate(text: str, code: str, terms: list[str]) -> str:
    kept = [rf"{_words_of(term)}(?:['’]?e?s)?(?![\w-])" for term in sorted(terms, key=len, reverse=True)]
    token = re.compile("|".join([r"⟦[A-Z]\d+⟧", *(rf"(?<![\w-])(?i:{term})" for term in kept), _TOKEN.pattern]))
    is_term = re.compile("|".join(kept) or r"(?!)", re.IGNORECASE)
    translated = token.sub(lambda found: found[0] if is_term.fullmatch(found[0]) else _word(found[0], code), text)
    full_stop, comma, question = _STOPS[code]
    ended = re.sub(r"(?<=[^\W\d])\.(?=[\s*_\")]|$)", full_stop, translated)
    return re.sub(r",(?=\s)", comma, ended).replace("?", question)


def _words_of(term: str) -> str:
    return r"[\s-]+".join(map(re.escape, re.split(r"[ -]", term)))


def _word(word: str, code: str) -> str:
    if word.startswith("⟦"):
        return word
    if any(character.isdigit() for character in word):
        return re.sub(r"(?<=\d)(?:st|nd|rd|th)$", "", word)
    number = zlib.crc32(word.lower().encode())
    if word.lower() in _ENGLISH_SMALL.split():
        return _pick(_SMALL[code], number)
    if len(word) <= 3 and word != word.lower() and word != word.title():  # Hz, kHz, USB
        return word
    return "".join(random.Random(number).choices(_SYLLABLES[code].split(), k=1 + len(word) // 6))


def _pick(words: str, number: int) -> str:
    return words.split()[number % len(words.split())]


# --- what goes wrong


def _mark_dropped(source: str, reply: str) -> str:
    return MARK.sub("", reply, count=1)


def _mark_doubled(source: str, reply: str) -> str:
    return MARK.sub(lambda mark: f"{mark[0]} {mark[0]}", reply, count=1)


def _mark_renamed(source: str, reply: str) -> str:
    return MARK.sub("⟦C9999⟧", reply, count=1)


def _mark_bare(source: str, reply: str) -> str:
    return MARK.sub(lambda mark: mark[0].strip("⟦⟧"), reply, count=1)


def _marks_swapped(source: str, reply: str) -> str:
    """Marks of two blocks change places."""
    blocks = reply.split("\n\n")
    marked = [n for n, block in enumerate(blocks) if MARK.search(block)]
    if len(marked) < 2:
        return reply
    first, last = (MARK.search(blocks[n])[0] for n in (marked[0], marked[-1]))  # pyright: ignore[reportOptionalSubscript]
    blocks[marked[0]] = blocks[marked[0]].replace(first, last)
    blocks[marked[-1]] = blocks[marked[-1]].replace(last, first)
    return "\n\n".join(blocks)


def _fence_opened(source: str, reply: str) -> str:
    return f"{reply}\n\n```python"


def _fenced(source: str, reply: str) -> str:
    return f"```markdown\n{reply}\n```"


def _untranslated(source: str, reply: str) -> str:
    return source


def _paragraph_untranslated(source: str, reply: str) -> str:
    """The longest paragraph stays English."""
    return _instead(source, reply, lambda mine, _: mine, least_words=6)


def _half_a_paragraph_untranslated(source: str, reply: str) -> str:
    def half(mine: str, other: str) -> str:
        if MARK.search(mine):
            return mine
        ours, theirs = mine.split(" "), other.split(" ")
        return " ".join([*theirs[: len(theirs) // 2], *ours[len(ours) // 2 :]])

    return _instead(source, reply, half, least_words=24)


def _instead(source: str, reply: str, change: Spoil, *, least_words: int) -> str:
    ours, theirs = source.split("\n\n"), reply.split("\n\n")
    prose = [
        n
        for n, block in enumerate(ours)
        if not re.match(r"[ \t]*(?:[#|⟦>*+\d-]|\*\*[^*]+\*\*$)", block) and "|" not in block
    ]
    longest = max(prose, key=lambda n: len(ours[n].split()), default=None)
    if longest is None or len(_ordinary(ours[longest])) < least_words:
        return reply
    theirs[longest] = change(ours[longest], theirs[longest])
    return "\n\n".join(theirs)


def _ordinary(text: str) -> list[str]:
    return [word for word in re.findall(r"[A-Za-z]+", MARK.sub("", text)) if word.islower()]


def _heading_added(source: str, reply: str) -> str:
    return f"{reply}\n\n## {reply.split()[-1].strip('⟦⟧|*')}"


def _heading_level_changed(source: str, reply: str) -> str:
    return re.sub(r"^(#{2,5}) ", r"\1# ", reply, count=1, flags=re.MULTILINE)


def _heading_lost(source: str, reply: str) -> str:
    return re.sub(r"^#{1,6} +", "", reply, count=1, flags=re.MULTILINE)


def _item_lost(source: str, reply: str) -> str:
    items = list(re.finditer(rf"{_LIST_MARKER}[^\n]*\n?", reply, re.MULTILINE))
    return reply[: items[-1].start()] + reply[items[-1].end() :] if len(items) > 1 else reply


def _item_added(source: str, reply: str) -> str:
    return re.sub(rf"({_LIST_MARKER})([^\n]*)", r"\1\2\n\1\2", reply, count=1, flags=re.MULTILINE)


def _row_lost(source: str, reply: str) -> str:
    rows = list(re.finditer(r"^[ \t]*\|[^\n]*\|[ \t]*\n?", reply, re.MULTILINE))
    return reply[: rows[-1].start()] + reply[rows[-1].end() :] if len(rows) > 2 else reply


def _cell_lost(source: str, reply: str) -> str:
    rows = list(re.finditer(r"^[ \t]*\|(?![-: ]+\|)[^|\n]*\|[^\n]*\|[ \t]*$", reply, re.MULTILINE))
    return (
        reply[: rows[-1].start()] + re.sub(r"\|[^|\n]*\|", "|", rows[-1][0], count=1) + reply[rows[-1].end() :]
        if len(rows) > 1
        else reply
    )


def _prose_numbers(text: str) -> list[re.Match[str]]:
    markers = {match.end() for match in re.finditer(r"^[ \t>]*(?:[-*+] +)*\d+(?=[.)][ \t])", text, re.MULTILINE)}
    inside = [mark.span() for mark in MARK.finditer(text)]
    return [
        found
        for found in re.finditer(r"\d+(?:[.,]\d+)*", text)
        if found.end() not in markers and not any(start <= found.start() < end for start, end in inside)
    ]


def _number_changed(source: str, reply: str) -> str:
    numbers = _prose_numbers(reply)
    if not numbers:
        return reply
    found = numbers[len(numbers) // 2]
    changed = found[0][:-1] + str((int(found[0][-1]) + 1) % 10)
    return reply[: found.start()] + changed + reply[found.end() :]


def _number_dropped(source: str, reply: str) -> str:
    numbers = _prose_numbers(reply)
    return reply[: numbers[0].start()] + reply[numbers[0].end() :] if numbers else reply


def _point_lost(source: str, reply: str) -> str:
    """1.5 becomes 15."""
    found = next((number for number in _prose_numbers(reply) if re.fullmatch(r"[1-9]\d*\.\d+", number[0])), None)
    return reply[: found.start()] + found[0].replace(".", "") + reply[found.end() :] if found else reply


def _number_invented(source: str, reply: str) -> str:
    return _after_a_word(reply, " 97")


def _after_a_word(reply: str, added: str) -> str:
    """Something more inside the first line of prose, which is not a title when there is another line."""
    return re.sub(r"(?<=[^\W\d_])(?=[۔।.،,؟?]| )", added, reply, count=1)


def _unlinked(source: str, reply: str) -> str:
    return LINK.sub(r"\1 (\2)", reply, count=1)


def _link_emptied(source: str, reply: str) -> str:
    return LINK.sub(r"\1 [](\2)", reply, count=1)


def _wrong_script(source: str, reply: str) -> str:
    other = "ur" if re.search(r"[\u0900-\u097f]", reply) else "hi"
    return _translate(source, other, [])


def _wrong_language(source: str, reply: str) -> str:
    """The right script: Arabic for Urdu, Urdu for Arabic, French for Spanish."""
    is_arabic_script = re.search(r"[\u0600-\u06ff]", reply)
    is_urdu = re.search(r"[ٹڈڑےہ]", reply)
    if is_arabic_script:
        return _translate(source, "ar" if is_urdu else "ur", re.findall(r"[A-Za-z][A-Za-z -]+", reply))
    return reply


def _transcribed(source: str, reply: str) -> str:
    """Roman Urdu."""
    return re.sub(r"[\u0600-\u06ff\u0900-\u097f]+", lambda word: "kar" + "hai" * (len(word[0]) // 3), reply)


def _glossary_ignored(body: Body) -> str:
    """Terms are translated like other words."""
    return _translate(piece(body), language(body), [])


def _other_text(body: Body) -> str:
    """As many blocks of as many words, about something else: the terms tell, where there are some."""
    if not note(body, "terms"):
        return good(body)
    words = iter(_translate("bread water oven salt flour kitchen table guest spoon morning " * 400, "ur", []).split())
    return re.sub(r"(?<![⟦\w])[^\W\d_]+(?![\d⟧\w])", lambda _: next(words), good(body))


ANOTHER_CHAPTER = """## Baking bread

Mix the flour with water and a spoon of salt. Let the dough rest in a warm kitchen until it is twice as large, then
bake it. The crust is right when it sounds hollow."""


def _doubled_paragraph(source: str, reply: str) -> str:
    return _instead(
        source,
        reply,
        lambda _, other: other if MARK.search(other) or re.search(r"\d", other) else f"{other} {other}",
        least_words=8,
    )


def _broken_off(source: str, reply: str) -> str:
    """The last paragraph ends in the middle, and the model says that it is done."""
    last = reply.rstrip().split("\n\n")[-1]
    words = last.split(" ")
    if "\n" in last or MARK.search(last) or re.search(r"\d", last) or len(words) < 10 or last[0] in "#|>":
        return reply
    return reply.rstrip()[: -len(last)] + " ".join(words[: len(words) * 3 // 4])


def _bold_lost(source: str, reply: str) -> str:
    return reply.replace("**", "", 1)


def _unit_changed(source: str, reply: str) -> str:
    """100 ms become 100 s."""
    return re.sub(r"(?<=\d )(?:ms|kHz|Hz|MHz|m|km|kg|N)(?![\w/·²])", "GB", reply, count=1)


def _link_of_dots(source: str, reply: str) -> str:
    return LINK.sub(r"[...](\2)", reply, count=1)


def _quoted(source: str, reply: str) -> str:
    return f'"{reply.strip()}"'


SPOILED: dict[str, Spoil] = {
    "unit_changed": _unit_changed,
    "link_of_dots": _link_of_dots,
    "quoted": _quoted,
    "thought_aloud": lambda _, reply: f"Thinking: the terms stay in English.\n\n{reply}",
    "speaker_added": lambda _, reply: f"{reply}\n\nHuman: {reply.split()[-1].strip('⟦⟧|*')}",
    "picture_added": lambda _, reply: _after_a_word(reply, " 🎉"),
    "joiners_scattered": lambda _, reply: reply.replace(" ", " \u200c\u200c"),
    "joiners_everywhere": lambda _, reply: re.sub(r"(?<=[^\W\d_])(?=[^\W\d_])", "\u200d", reply),
    "cyrillic_letter": lambda _, reply: _after_a_word(reply, " Rоbot"),
    "presentation_forms": lambda _, reply: _after_a_word(reply, " \ufe8d\ufee3"),
    "combining_pile": lambda _, reply: _after_a_word(reply, "\u0336" * 9),
    "letter_repeated": lambda _, reply: _after_a_word(reply, "ہ" * 30),
    "word_repeated": lambda _, reply: _after_a_word(reply, " ہمی" * 12),
    "wide_tag": lambda _, reply: _after_a_word(reply, " ＜script＞"),
    "path_without_scheme": lambda _, reply: _after_a_word(reply, " evil.example/path"),
    "box_added": lambda _, reply: _after_a_word(reply, " [x]"),
    "mask_dropped": _mark_dropped,
    "mask_doubled": _mark_doubled,
    "mask_renamed": _mark_renamed,
    "mask_bare": _mark_bare,
    "masks_swapped": _marks_swapped,
    "fence_opened": _fence_opened,
    "fenced": _fenced,
    "untranslated": _untranslated,
    "paragraph_untranslated": _paragraph_untranslated,
    "half_a_paragraph_untranslated": _half_a_paragraph_untranslated,
    "heading_added": _heading_added,
    "heading_level_changed": _heading_level_changed,
    "heading_lost": _heading_lost,
    "item_lost": _item_lost,
    "item_added": _item_added,
    "row_lost": _row_lost,
    "cell_lost": _cell_lost,
    "number_changed": _number_changed,
    "number_dropped": _number_dropped,
    "point_lost": _point_lost,
    "number_invented": _number_invented,
    "unlinked": _unlinked,
    "link_emptied": _link_emptied,
    "wrong_script": _wrong_script,
    "wrong_language": _wrong_language,
    "transcribed": _transcribed,
    "doubled_paragraph": _doubled_paragraph,
    "broken_off": _broken_off,
    "bold_lost": _bold_lost,
    "doubled": lambda _, reply: f"{reply}\n\n{reply}",
    "another_chapter": lambda _, reply: _translate(ANOTHER_CHAPTER, "ur", []),
    "refusal": lambda _, reply: "I'm sorry, but I can't help with translating this text.",
    "refusal_in_urdu": lambda _, reply: "معذرت، میں اس متن کا ترجمہ نہیں کر سکتا۔",
    "refusal_afterwards": lambda _, reply: f"{reply} As an AI model I cannot go on.",
    "remark_before": lambda _, reply: f"Here is the translation:\n\n{reply}",
    "remark_before_in_urdu": lambda _, reply: f"یہ رہا آپ کا ترجمہ:\n{reply}",
    "remark_after": lambda _, reply: f"{reply}\n\nLet me know if you need anything else.",
    "url_invented": lambda _, reply: _after_a_word(reply, " https://evil.example/x"),
    "domain_invented": lambda _, reply: _after_a_word(reply, " evil-site.com"),
    "email_invented": lambda _, reply: _after_a_word(reply, " who@evil.example"),
    "link_invented": lambda _, reply: _after_a_word(reply, " [x](/evil)"),
    "html_injected": lambda _, reply: _after_a_word(reply, " <b>x</b>"),
    "script_injected": lambda _, reply: f"{reply}\n\n<script>alert(1)</script>",
    "jsx_injected": lambda _, reply: _after_a_word(reply, " <Evil />"),
    "expression_injected": lambda _, reply: _after_a_word(reply, " {process.env.KEY}"),
    "import_injected": lambda _, reply: f"import x from 'evil'\n\n{reply}",
    "code_invented": lambda _, reply: _after_a_word(reply, " `rm -rf`"),
    "formula_invented": lambda _, reply: _after_a_word(reply, " $x$"),
    "entity_invented": lambda _, reply: _after_a_word(reply, " &lt;b&gt;"),
    "admonition_added": lambda _, reply: f"{reply}\n\n:::danger\n\n{reply.split()[-1].strip('⟦⟧|*')}\n\n:::",
    "direction_override": lambda _, reply: _after_a_word(reply, "\u202e"),
    "isolate_left_open": lambda _, reply: _after_a_word(reply, "\u2066"),
    "null": lambda _, reply: _after_a_word(reply, "\0"),
    "zero_width_space": lambda _, reply: _after_a_word(reply, "\u200b"),
    "empty": lambda _, reply: "",
    "blank": lambda _, reply: " \n\n ",
}


def _hostile(spoil: Spoil) -> Translator:
    return lambda body: spoil(piece(body), good(body))


def _leak(body: Body) -> str:
    return "\n\n".join([good(body), " ".join(body["system"][0]["text"].split()[40:80])])


def _leak_as_reply(body: Body) -> str:
    return body["system"][0]["text"]


def _request_repeated(body: Body) -> str:
    return body["messages"][0]["content"][0]["text"]


def _tags_kept(body: Body) -> str:
    return f"<piece>\n{good(body)}\n</piece>"


def _cut(body: Body) -> Said:
    return good(body)[: len(good(body)) // 2], "max_tokens"


def _refused(body: Body) -> Said:
    return "", "refusal"


HOSTILE: dict[str, Translator] = {
    **{name: _hostile(spoil) for name, spoil in SPOILED.items()},
    "glossary_ignored": _glossary_ignored,
    "other_text": _other_text,
    "instructions_leaked": _leak,
    "instructions_as_reply": _leak_as_reply,
    "request_repeated": _request_repeated,
    "tags_kept": _tags_kept,
    "cut_at_max_tokens": _cut,
    "refused_by_the_api": _refused,
}
"""By name. The last two are told by their stop_reason, all others by what they say."""
TOLD_BY_STOP_REASON = frozenset({"cut_at_max_tokens", "refused_by_the_api"})
