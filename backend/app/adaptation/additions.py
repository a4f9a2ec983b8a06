"""What a personalized text says beside its source: quotes that begin with a bold label of the level,
`> **Example:** ...`. Found, taken out again, and checked for their form.

What is left without them has to be the source's own structure. Knows Markdown's lines, masked or not. Pure.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from backend.app.adaptation.prose import WORD, sentences_of
from backend.app.models.domain import Level
from backend.app.textbook.masking import count_words

LABELS: Mapping[Level, tuple[str, ...]] = {
    "beginner": ("Definition", "Example", "Step by step"),
    "intermediate": ("Tip", "Common mistake", "Optimization"),
    "advanced": ("Research", "Technique", "Trade-off"),
}
WITH_NUMBERS = ("Example", "Step by step")
"""Labels below which numbers may stand that the source does not have: they are made up to show something."""
MOST_WORDS = 120
FEWEST_WORDS = 4
WORDS_PER_ADDITION = 60
"""A piece may get one added block for each so many words, and two in any case."""

_KNOWN = tuple(label for labels in LABELS.values() for label in labels)
_KNOWN_AS = {label.casefold(): label for label in _KNOWN}
_QUOTED = re.compile(r" {0,3}> ?")
_LABEL = re.compile(rf"\*\*({'|'.join(map(re.escape, _KNOWN))})(?::\*\*|\*\*:)(?=\s|$)[ \t]*", re.IGNORECASE)
_LABELLED_LINE = re.compile(
    rf"^[ \t>]*\*\*(?:{'|'.join(map(re.escape, _KNOWN))})(?::\*\*|\*\*:)", re.MULTILINE | re.IGNORECASE
)
_BLOCK_INSIDE = re.compile(r"\s*(?:#{1,6}\s|>|\||`{3}|~{3}|\$\$|(?:[-*_][ \t]*){3,}$|[-=]+[ \t]*$)")
_ITEM = re.compile(r"\s*(?:[-*+]|\d{1,9}[.)])[ \t]")
_HEADING = re.compile(r" {0,3}#{1,6}[ \t]+(.+?)[ \t]*#*[ \t]*$")


@dataclass(frozen=True, slots=True)
class Addition:
    """An added block: `label` as in the level's table, `text` its Markdown without the quote's markers and the label,
    `heading` the Markdown of the heading above it in its piece ("": none); `is_in_list`: it stands between two items
    of one list."""

    label: str
    text: str
    heading: str
    is_in_list: bool


@dataclass(frozen=True, slots=True)
class Parted:
    """`core` is the text without its additions."""

    core: str
    additions: tuple[Addition, ...]


def part(source: str, adapted: str) -> Parted:
    """What was added and what stands for the source."""
    lines = adapted.split("\n")
    added = added_lines(source, adapted)
    return Parted(_without(lines, added), tuple(_addition(lines, span) for span in added))


def added_lines(source: str, adapted: str) -> list[tuple[int, int]]:
    """The half-open ranges of lines of what was added. Where the source has such a quote itself, the one most like it
    is no addition."""
    lines = adapted.split("\n")
    quotes = list(_labelled(lines))
    own = _own_quotes([_words(source.split("\n"), span) for span in _labelled(source.split("\n"))], lines, quotes)
    return [span for span in quotes if span not in own]


def problems(source: str, parted: Parted, level: Level) -> list[str]:
    """What is wrong with the form of the additions."""
    most = most_additions(source)
    found = [problem for addition in parted.additions for problem in _wrong(addition, LABELS[level])]
    if len(parted.additions) > most:
        found.append(f"There are {len(parted.additions)} added blocks; this part may have at most {most}.")
    if len(_LABELLED_LINE.findall(parted.core)) > len(_LABELLED_LINE.findall(source)):
        found.append(
            "Each added block stands in a quote of its own (> **Label:** …), with an empty line before and after."
        )
    return found


def most_additions(source: str) -> int:
    """How many blocks may be added to a piece."""
    return max(2, count_words(source) // WORDS_PER_ADDITION)


def first_sentence(addition: Addition) -> str:
    """As `Change.text` shows it: without markup."""
    plain = " ".join(re.sub(r"^\s*(?:[-*+]|\d{1,9}[.)])[ \t]+|[*_`]", "", addition.text, flags=re.MULTILINE).split())
    return next(iter(sentences_of(plain)), plain)


def _labelled(lines: Sequence[str]) -> Iterator[tuple[int, int]]:
    """The half-open ranges of lines of quotes that begin with a known label and stand between empty lines."""
    number = 0
    while number < len(lines):
        start = number
        while number < len(lines) and _QUOTED.match(lines[number]):
            number += 1
        alone = (start == 0 or not lines[start - 1].strip()) and (number == len(lines) or not lines[number].strip())
        if start < number and alone and _LABEL.match(_unquoted(lines[start])):
            yield start, number
        number = max(number, start + 1)


def _own_quotes(
    wanted: Sequence[frozenset[str]], lines: Sequence[str], quotes: Sequence[tuple[int, int]]
) -> set[tuple[int, int]]:
    own: set[tuple[int, int]] = set()
    for words in wanted:
        free = [span for span in quotes if span not in own]
        if free:
            own.add(max(free, key=lambda span: len(words & _words(lines, span))))
    return own


def _words(lines: Sequence[str], span: tuple[int, int]) -> frozenset[str]:
    return frozenset(WORD.findall("\n".join(lines[slice(*span)]).casefold()))


def _without(lines: Sequence[str], spans: Sequence[tuple[int, int]]) -> str:
    """The lines outside the spans; the empty line below each of them goes too."""
    gone = {number for start, end in spans for number in range(start, end + 1)}
    return "\n".join(line for number, line in enumerate(lines) if number not in gone)


def _addition(lines: Sequence[str], span: tuple[int, int]) -> Addition:
    start, end = span
    inner = "\n".join(_unquoted(line) for line in lines[start:end])
    label = _LABEL.match(inner)
    assert label
    return Addition(
        _KNOWN_AS[label[1].casefold()],
        inner[label.end() :].strip(),
        _heading_above(lines[:start]),
        _splits_list(lines, span),
    )


def _unquoted(line: str) -> str:
    return _QUOTED.sub("", line, count=1)


def _heading_above(lines: Sequence[str]) -> str:
    return next((heading[1] for line in reversed(lines) if (heading := _HEADING.match(line))), "")


def _splits_list(lines: Sequence[str], span: tuple[int, int]) -> bool:
    """Whether what follows the block would go on with a list that began before it."""
    before = next((line for line in reversed(lines[: span[0]]) if line.strip()), "")
    after = next((line for line in lines[span[1] :] if line.strip()), "")
    return _in_list(before) and _in_list(after)


def _in_list(line: str) -> bool:
    return bool(_ITEM.match(line)) or line.startswith((" ", "\t"))


def _wrong(addition: Addition, labels: Sequence[str]) -> Iterator[str]:
    begins = f'The added block "{addition.label}: {addition.text[:40].strip()}"'
    words = count_words(addition.text)
    if addition.label not in labels:
        yield f"{begins} has a label of another level; use only {', '.join(labels)}."
    if words > MOST_WORDS:
        yield f"{begins} has {words} words; an added block may have at most {MOST_WORDS}."
    if words < FEWEST_WORDS:
        yield f"{begins} says nothing."
    if "⟦" in addition.text:
        yield f"{begins} contains a mark; marks belong only where the source has them."
    if "`" in addition.text or any(_BLOCK_INSIDE.match(line) for line in addition.text.split("\n")):
        yield f"{begins} contains code, a heading, a table, a rule or another quote; use plain sentences or a list."
    if "[" in addition.text:
        yield f"{begins} has square brackets: no links, no footnotes, no boxes to tick."
    if addition.is_in_list:
        yield f"{begins} stands inside of a list; put it below the list's last item."
