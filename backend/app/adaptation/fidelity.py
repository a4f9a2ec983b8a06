"""Whether rewritten English prose still says what its source says, as far as it can be told without understanding:
its structure, headings, bold words, terms, numbers, and that no paragraph is left out.

Compares two masked texts, the second one without its additions. Pure; problems are sentences for the model.
"""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import zip_longest

from backend.app.adaptation.checks import Pair, broken_off, length_problems, said_twice
from backend.app.adaptation.glossary import Glossary
from backend.app.adaptation.numerals import number_problems
from backend.app.adaptation.omissions import thinned
from backend.app.adaptation.prose import WORD
from backend.app.adaptation.units import unit_problems
from backend.app.textbook.masking import MARK, with_block_lines
from backend.app.textbook.structure import StructureBlock, excerpt, structure_of

LONGEST_TERM = 6
"""Words of a bold text that counts as a term; a longer one is an emphasised sentence, which may be reworded."""
FEWEST_STEMS = 4
"""A paragraph is looked for by the word stems that only it has in its piece, when there are so many."""
LEAST_KEPT = 0.22
"""Share of those stems that a rewritten paragraph still has. Measured on paragraphs rewritten freely by hand: 0.32 or
more; where the paragraph was taken out: 0.14 or less."""
FEWEST_STEMS_OF_NEW = 8
LEAST_KNOWN = 0.33
"""A paragraph with so many stems, fewer of which the piece has, is about something else. Measured: 0.47 or more when
rewritten freely by hand; 0.32 or less in 95 % of the paragraphs of other pieces of the same book."""
FEWEST_OF_PLACE = 2
"""A block with so many stems that only it has can be told from the others."""
_STEM = 5
_SHORTEST = 4
_PROHIBITS = re.compile(
    r"(?:^|[.!?:;*_]\s+|[*_>])(?:Never|(?:Do not|Don['’]t) (?!\w+ n[o']t\b))|\bmust (?:not|never)\b"
)
_NEGATES = re.compile(
    r"\b(?:no|not|never|none|nothing|nobody|without|avoid\w*|stop\w*|cannot|neither|nor|only|instead|rather|refrain\w*"
    r"|forbid\w*|forbidden|prohibit\w*|danger\w*|unsafe|wrong|bad|keep \w+ (?:away|out)|stay away|away from|beware"
    r"|prevent\w*|mistake|unless|illegal|invalid|error|fail\w*|rule out|leave \w+ alone)\b|n['’]t\b",
    re.IGNORECASE,
)
_QUOTE = re.compile(r"(?:^ {0,3}>.*(?:\n|\Z))+", re.MULTILINE)
_BOLD = re.compile(r"(\*\*|__)(?=\S)(.+?)(?<=\S)\1", re.DOTALL)
_COUNTED = re.compile(
    r"\b(?:two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|fifteen|twenty|thirty|forty|fifty|sixty|seventy"
    r"|eighty|ninety|hundred|thousand|million|billion|twice)\b",
    re.IGNORECASE,
)
_COMMON = frozenset(
    re.findall(
        r"\w+",
        "about above after again also another because been before being below between both cannot could does"
        " doing down during each else even every from further have having here however into itself just like"
        " made make makes many more most much must need needs often once only other others over same should"
        " since some still such than that their them then there therefore these they this those through thus"
        " under until upon used using very well were what when where which while will with within without"
        " would your",
    )
)


def problems(source: str, core: str, glossary: Glossary) -> list[str]:
    """All of them; [] = the prose may stand for its source."""
    blocks, rewritten = structure_of(source).blocks, structure_of(with_block_lines(core, source)).blocks
    ours, theirs = _skeleton(blocks), _skeleton(rewritten)
    return [
        *(_structure(ours, theirs) or _texts(ours, theirs)),
        *_quotes(source, core),
        *_bold_terms(source, core),
        *_terms(source, core, glossary),
        *number_problems(source, core),
        *unit_problems(source, core),
        *_counts(source, core),
        *_left_out(blocks, core),
        *_put_in(source, rewritten),
    ]


def _skeleton(blocks: Sequence[StructureBlock]) -> list[StructureBlock]:
    """Neighbouring paragraphs as one: a paragraph may become two."""
    joined: list[StructureBlock] = []
    for block in blocks:
        last = joined[-1] if joined else None
        if last and last.name == block.name == "paragraph" and last.around == block.around:
            joined[-1] = replace(last, inline=last.inline + block.inline, text=f"{last.text}\n\n{block.text}")
        else:
            joined.append(block)
    return joined


def _structure(ours: Sequence[StructureBlock], theirs: Sequence[StructureBlock]) -> list[str]:
    """The first block that is another one; else those whose marks are others."""
    for mine, other in zip_longest(ours, theirs):
        if mine is None or other is None or _shape(mine) != _shape(other):
            return [f"Where the piece has {_named(mine)}, the rewritten text has {_named(other)}."]
    return [
        f"In {_named(other)} stand other marks or links than in {_named(mine)}."
        for mine, other in zip(ours, theirs, strict=True)
        if mine.inline != other.inline
    ]


def _texts(ours: Sequence[StructureBlock], theirs: Sequence[StructureBlock]) -> list[str]:
    pairs = [Pair(mine.text, other.text, mine.name) for mine, other in zip(ours, theirs, strict=True) if mine.text]
    return [
        *length_problems(pairs),
        *broken_off(pairs),
        *said_twice(pairs),
        *thinned(pairs),
        *_cells(pairs),
        *_changed_places(pairs),
        *_prohibitions(pairs),
    ]


def _cells(pairs: Sequence[Pair]) -> Iterator[str]:
    """A table's words stay, each in its cell: they are data as often as prose."""
    for source, reply, name in pairs:
        if name in ("th", "td") and _plain_words(source) != _plain_words(reply):
            yield f"The table's cell {excerpt(source)!r} has other words: tables stay word for word."


def _plain_words(text: str) -> list[str]:
    return re.findall(r"\w+", text.casefold())


def _changed_places(pairs: Sequence[Pair]) -> Iterator[str]:
    """Blocks that have no word of their own source left, and those of another one."""
    wanted = [_stems(source) for source, _, _ in pairs]
    found = [_stems(reply) for _, reply, _ in pairs]
    times = Counter(stem for stems in wanted for stem in stems)
    for number, stems in enumerate(wanted):
        own = {stem for stem in stems if times[stem] == 1}
        if len(own) < FEWEST_OF_PLACE or own & found[number]:
            continue
        if any(2 * len(own & others) > len(own) for others in found):
            yield f"What stands for {excerpt(pairs[number].source)!r} stands at another place: the order stays."


def _prohibitions(pairs: Sequence[Pair]) -> Iterator[str]:
    """What the source warns of must still be warned of, in whatever words."""
    for source, reply, _ in pairs:
        if _PROHIBITS.search(source) and not _NEGATES.search(reply):
            yield f"The warning in {excerpt(source)!r} is lost: what must not be done must still be said."


def _shape(block: StructureBlock) -> tuple[str, str, tuple[str, ...], str]:
    heading = " ".join(block.text.split()) if block.name == "heading" else ""
    return block.name, block.detail, block.around, heading


def _named(block: StructureBlock | None) -> str:
    if block is None:
        return "its end"
    return f"a {block.name} {excerpt(block.text)!r}" if block.text else f"a {block.name}"


def _quotes(source: str, core: str) -> Iterator[str]:
    wanted, found = len(_QUOTE.findall(source)), len(_QUOTE.findall(core))
    if wanted != found:
        yield f"There are {found} quotes without the label of an added block; the piece has {wanted}."


def _bold_terms(source: str, core: str) -> Iterator[str]:
    found = _bold(core)
    for term, times in _bold(source).items():
        if found[term] < times and len(term.split()) <= LONGEST_TERM:
            yield f'The bold words "{term}" are missing; keep them, and bold.'


def _bold(text: str) -> Counter[str]:
    return Counter(" ".join(bold.split()) for _, bold in _BOLD.findall(text))


def _terms(source: str, core: str, glossary: Glossary) -> Iterator[str]:
    found = set(glossary.terms_in(core))
    for term in glossary.terms_in(source):
        if term not in found:
            yield f'The term "{term}" is missing; use no other word for it.'


def _counts(source: str, core: str) -> Iterator[str]:
    """Numbers written as words: "two legs" may be said less often, and never become "three legs"."""
    wanted, found = (Counter(word.lower() for word in _COUNTED.findall(text)) for text in (source, core))
    if found - wanted:
        yield from (f'The number "{word}" became another one.' for word in wanted - found)


def _left_out(blocks: Sequence[StructureBlock], core: str) -> Iterator[str]:
    """A paragraph with the words that tell it from all else in its piece, none or hardly any of which is there."""
    found = _stems(core)
    stems = [_stems(block.text) for block in blocks]
    times = Counter(stem for words in stems for stem in words)
    for block, words in zip(blocks, stems, strict=True):
        own = {stem for stem in words if times[stem] == 1}
        if block.name == "paragraph" and len(own) >= FEWEST_STEMS and len(own & found) < LEAST_KEPT * len(own):
            yield f"What the piece says in {excerpt(block.text)!r} is left out; paragraphs and list items stay."


def _put_in(source: str, rewritten: Sequence[StructureBlock]) -> Iterator[str]:
    """A paragraph that the piece does not account for: it belongs into an added block, or nowhere."""
    known = _stems(source)
    for block in rewritten:
        words = _stems(block.text) if block.name == "paragraph" else frozenset[str]()
        if len(words) >= FEWEST_STEMS_OF_NEW and len(words & known) < LEAST_KNOWN * len(words):
            yield f"The piece does not say {excerpt(block.text)!r}; what is new stands in added blocks only."


def _stems(text: str) -> frozenset[str]:
    words = (word.casefold() for word in WORD.findall(MARK.sub(" ", text)))
    return frozenset(word[:_STEM] for word in words if len(word) >= _SHORTEST and word not in _COMMON)
