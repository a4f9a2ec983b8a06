"""Puts the translated pieces of a chapter together: glosses at first use, isolates for scripts from right to left.

Done by code and not by the model, so that a term has the same gloss in every chapter, and each piece can be
translated by itself.
"""

import re
from collections.abc import Iterator, Sequence

from backend.app.adaptation.bidi import isolate
from backend.app.adaptation.glossary import Glossary, Occurrence
from backend.app.adaptation.languages import Language
from backend.app.models.adaptation import Change, Piece
from backend.app.textbook.docusaurus import content_title
from backend.app.textbook.masking import MaskedText, mask, unmask
from backend.app.textbook.structure import structure_of

_LINK_TEXT = re.compile(r"\[[^\[\]\n]*\](?=\(⟦|\[⟦)")
_ABBREVIATION = re.compile(r" ?\([A-Z][A-Za-z0-9-]{0,11}\)")
_CLOSED_EMPHASIS = re.compile(r"[*_]{1,3}(?![\w*_])")
_MORE_WORDS = re.compile(
    r"(?:[ -][A-Za-z0-9][\w+]*)*[ -][A-Za-z][\w+]*(?: [0-9]+)?(?: ?\([A-Z][A-Za-z0-9 -]{0,11}\))?[*_]{0,3}"
)
_SEPARATORS = {"Arab": "؛ "}
_LATIN = re.compile(r"[A-Za-z]")
_BRACKETS = re.compile(r" ?\(([^()\n]{1,80})\)")


class TranslationFinisher:
    """Of one chapter. `title` is the source's until a piece brings the translated one."""

    def __init__(self, title: str, language: Language, glossary: Glossary) -> None:
        self.title = title
        self._language = language
        self._glossary = glossary
        self._glossed: set[str] = set()
        self._is_titled = False

    @property
    def changes(self) -> Sequence[Change]:
        return ()

    def add(self, piece: Piece, adapted: str) -> str:
        self._learn_title(adapted)
        if piece.role == "title":
            return ""
        masked = mask(adapted)
        return self._isolated(self._with_glosses(mask(piece.text).text, masked.text), masked)

    def keep(self, piece: Piece, corrected: str) -> str:
        """People decide about glosses themselves: a term that they use has had its first use."""
        self._learn_title(corrected)
        if piece.role == "title":
            return ""
        masked = mask(corrected)
        self._glossed.update(self._glossary.glosses[found.term] for found in self._uses(masked.text))
        return self._isolated(masked.text, masked)

    def _learn_title(self, adapted: str) -> None:
        found = content_title(adapted)
        if found and not self._is_titled:
            self.title, self._is_titled = found, True

    def _isolated(self, text: str, masked: MaskedText) -> str:
        return unmask(isolate(text) if self._language.is_rtl else text, masked)

    def _uses(self, text: str) -> list[Occurrence]:
        """The terms where a gloss may follow."""
        no_place = _ranges_without_glosses(text)
        return [
            found
            for found in self._glossary.find(text)
            if not any(start <= found.start < end for start, end in no_place)
        ]

    def _with_glosses(self, source: str, text: str) -> str:
        """A gloss that the model wrote itself, and the source has no brackets for, is replaced or left out."""
        bracketed = {found.term for found in self._glossary.find(source) if _brackets_after(source, found)}
        parts: list[str] = []
        position = 0
        for end, uses in self._phrases(text):
            parts.append(text[position:end] + self._glosses(text, end, uses))
            brackets = _brackets_after(text, uses[-1])
            is_gloss = (
                brackets
                and brackets.start() == end
                and uses[-1].term not in bracketed
                and not _LATIN.search(brackets[0])
            )
            position = brackets.end() if brackets and is_gloss else end
        return "".join([*parts, text[position:]])

    def _phrases(self, text: str) -> Iterator[tuple[int, list[Occurrence]]]:
        """(end, terms) of the phrases with terms: a term alone, or English words in a row, which no gloss parts."""
        end = use_end = -1
        uses: list[Occurrence] = []
        for found in self._uses(text):
            if found.start < use_end:  # the abbreviation of the term before
                continue
            if found.start >= end:
                if uses:
                    yield end, uses
                uses, end = [], _end_of_phrase(text, found, self._language)
            uses.append(found)
            use_end = _end_of_use(text, found)
        if uses:
            yield end, uses

    def _glosses(self, text: str, end: int, uses: Sequence[Occurrence]) -> str:
        """ " (gloss)" behind a term, " (term: gloss)" behind a phrase in which another word follows it."""
        glossed = [(use, gloss) for use in uses if (gloss := self._gloss(use.term))]
        if len(glossed) == 1 and _end_of_use(text, glossed[0][0]) == end:
            return f" ({glossed[0][1]})"
        notes = [f"{text[use.start : use.end]}: {gloss}" for use, gloss in glossed]
        return f" ({_SEPARATORS.get(self._language.script, '; ').join(notes)})" if notes else ""

    def _gloss(self, term: str) -> str:
        """At the first use of a term, or of another with the same gloss (IMU), else ""."""
        gloss = self._glossary.glosses[term]
        if gloss in self._glossed:
            return ""
        self._glossed.add(gloss)
        return gloss


def _brackets_after(text: str, found: Occurrence) -> re.Match[str] | None:
    return _BRACKETS.match(text, _end_of_use(text, found))


def _end_of_use(text: str, found: Occurrence) -> int:
    """Behind the term, its abbreviation in brackets and the emphasis that ends with it."""
    end = found.end
    for pattern in (_CLOSED_EMPHASIS, _ABBREVIATION, _CLOSED_EMPHASIS):
        if match := pattern.match(text, end):
            end = match.end()
    return end


def _end_of_phrase(text: str, found: Occurrence, language: Language) -> int:
    """Behind the English words that follow a term: a control system. Between Latin letters nobody can tell."""
    end = _end_of_use(text, found)
    more = _MORE_WORDS.match(text, end) if language.script != "Latn" else None
    return more.end() if more else end


def _ranges_without_glosses(text: str) -> list[tuple[int, int]]:
    """Headings, titles and the text of links."""
    starts = [0]
    for line in text.splitlines(keepends=True):
        starts.append(starts[-1] + len(line))
    headings = [
        (starts[block.line], starts[min(block.end, len(starts) - 1)])
        for block in structure_of(text).blocks
        if block.name in ("heading", "title")
    ]
    return headings + [match.span() for match in _LINK_TEXT.finditer(text)]
