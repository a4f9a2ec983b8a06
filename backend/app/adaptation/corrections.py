"""Sections that people wrote or corrected, each held to its source.

What is asked of people is what a page needs to work: the source's blocks, code, formulas, links and ids, and the
language's script. How they say it is theirs: no glossary, no length, no style. Pure.
"""

import hashlib
import re
from collections import defaultdict, deque
from collections.abc import Iterator
from itertools import zip_longest

from backend.app.adaptation import additions
from backend.app.adaptation.languages import LANGUAGES, Script
from backend.app.adaptation.page_cutting import Section
from backend.app.models.adaptation import Personalize, Piece, Target, Translate
from backend.app.textbook.masking import (
    MARK,
    MaskedText,
    MaskKind,
    count_words,
    mask,
    put_back,
    unmask,
    with_block_lines,
)
from backend.app.textbook.parser import split_lines
from backend.app.textbook.structure import differences, structure_of

_SHOWN = 60  # characters of the source in a message
_FEWEST_WORDS = 8  # a heading or a caption may be all English terms
_LEAST_OF_SCRIPT = 0.3
_ISOLATES = re.compile("[\u2066-\u2069]")
_LETTER = re.compile(r"[^\W\d_]")
_OF_SCRIPT: dict[Script, re.Pattern[str]] = {
    "Arab": re.compile("[\u0600-\u06ff\u0750-\u077f\u08a0-\u08ff\ufb50-\ufdff\ufe70-\ufefc]"),
    "Deva": re.compile("[\u0900-\u097f\ua8e0-\ua8ff]"),
    "Latn": re.compile("[A-Za-z\u00c0-\u024f]"),
}
_KINDS: dict[MaskKind, str] = {
    "code": "the code",
    "formula": "the formula",
    "link": "the link",
    "image": "the image",
    "tag": "the tag or expression",
    "module": "the import",
    "admonition": "the admonition",
    "heading_id": "the heading's id",
    "literal": "the sign",
}


def source_hash(piece: Piece) -> str:
    """Under which a correction is kept: it holds until this piece of the book changes."""
    return hashlib.sha256(f"{piece.role}\0{piece.text}".encode()).hexdigest()


def check_section(section: Section, target: Target) -> tuple[str, list[str]]:
    """The section as it is kept, and what is wrong with it: then it is not kept."""
    masked = mask(section.piece.text)
    reply, problems = as_reply(masked, _with_ids_of(masked, section.text))
    if problems:
        return "", problems
    if isinstance(target, Personalize):
        parted = additions.part(masked.text, reply)
        problems = additions.problems(masked.text, parted, target.level)
        problems += _changed_structure(masked.text, parted.core)
    else:
        problems = differences(masked.text, reply) or list(_other_script(target, masked.text, reply))
    return ("", problems) if problems else (unmask(reply, masked), [])


def _with_ids_of(masked: MaskedText, text: str) -> str:
    """Headings without an id get that of the source's heading: who translates the book's own file need not write them
    down."""
    own = mask(text)
    ours, theirs = (
        [block for block in structure_of(each.text).blocks if block.name == "heading"] for each in (masked, own)
    )
    if len(ours) != len(theirs):
        return text
    lines = split_lines(own.text)
    ids = {found.mark: found.source.strip() for found in masked.masks if found.kind == "heading_id"}
    for mine, other in zip(ours, theirs, strict=True):
        wanted = next((mark for mark in MARK.findall(mine.text) if mark in ids), None)
        if wanted and "⟦H" not in other.text:
            number = other.end - (2 if other.end - other.line > 1 else 1)
            line = lines[number]
            lines[number] = f"{line.rstrip()} {ids[wanted]}{line[len(line.rstrip()) :]}"
    return put_back("".join(lines), own.masks)


def as_reply(masked: MaskedText, text: str) -> tuple[str, list[str]]:
    """The text with the marks that stand for the same in the source; what only one of both has is a problem."""
    free: defaultdict[tuple[str, str], deque[str]] = defaultdict(deque)
    for found in masked.masks:
        free[found.mark[1], found.source.strip()].append(found.mark)
    own = mask(text)
    marks: dict[str, str] = {}
    problems: list[str] = []
    for found in own.masks:
        fitting = free[found.mark[1], found.source.strip()]
        if fitting:
            marks[found.mark] = fitting.popleft()
        else:
            problems.append(f"{_KINDS[found.kind]} {_shown(found.source)} is not in the source.")
    left = {mark for fitting in free.values() for mark in fitting}
    problems += [
        f"{_KINDS[found.kind]} {_shown(found.source)} of the source is missing or changed."
        for found in masked.masks
        if found.mark in left
    ]
    return MARK.sub(lambda mark: marks.get(mark.group(), mark.group()), own.text), problems


def _changed_structure(source: str, core: str) -> Iterator[str]:
    """Of everything but paragraphs, which may be split; headings stay word for word."""
    ours, theirs = (
        [block for block in structure_of(text).blocks if block.name != "paragraph"]
        for text in (source, with_block_lines(core, source))
    )
    for mine, other in zip_longest(ours, theirs):
        if mine is None or other is None:
            yield (
                f"a {mine.name} of the source is missing."
                if mine
                else f"a {other.name if other else ''} is too much."
            )
            return
        if (mine.name, mine.detail, mine.around) != (other.name, other.detail, other.around):
            yield f"a {other.name} {other.detail} stands where the source has a {mine.name} {mine.detail}."
            return
        if mine.name == "heading" and mine.text.split() != other.text.split():
            yield f"the heading “{_words(other.text)}” must stay as it is: “{_words(mine.text)}”."


def _other_script(target: Translate, source: str, reply: str) -> Iterator[str]:
    """Not translated at all, or into another language's script."""
    language = LANGUAGES[target.language]
    letters = _LETTER.findall(MARK.sub("", reply))
    share = sum(map(bool, map(_OF_SCRIPT[language.script].match, letters))) / max(len(letters), 1)
    if count_words(source) < _FEWEST_WORDS:
        return
    if share < _LEAST_OF_SCRIPT:
        yield f"it is not {language.name}: {share:.0%} of its letters are of that script."
    elif _words(source) == _words(reply):
        yield f"it is not {language.name}: it is the source itself."


def _words(masked: str) -> str:
    return " ".join(MARK.sub("", masked).split())


def without_isolates(text: str) -> str:
    """Without the invisible marks that keep left-to-right words in order: they are set anew in every chapter."""
    return _ISOLATES.sub("", text)


def _shown(source: str) -> str:
    plain = " ".join(source.split())
    return f"“{plain[:_SHOWN]}…”" if len(plain) > _SHOWN else f"“{plain}”"
