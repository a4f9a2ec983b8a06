"""Where the line lies between evidence and none, in one book: asked of the book itself when it is indexed.

Two sets of questions are searched: `off_topic.txt`, which hardly any book answers, and sentences of the book with
every other word left out, which it does. Knows numbers and text; must not know where they are searched or stored.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.resources import files
from itertools import islice
from statistics import median, quantiles
from typing import Any

from backend.app.models.domain import Chunk
from backend.app.textbook.analyzer import terms

SPREADS = 1.8
"""Above the median of the off-topic questions lies the line, in standard deviations of their lower half: a book may
be about some of them (a cookbook!), and those lie in the upper half. 96 % of a normal distribution."""
OWN_REFUSED = 0.015
"""At most this share of the book's own broken sentences may be refused, about as many as of readers' questions."""
FEWEST_OFF_TOPIC, FEWEST_OWN = 100, 25
"""Fewer questions than this say nothing."""
USUAL = 0.27
"""The line where nothing could be measured: the middle of the books that were tried."""
LOWEST, HIGHEST = 0.18, 0.36
_MOST_OWN = 300
_CONTENT_WORDS = range(7, 26)
_Z10 = 1.2816  # the lowest tenth of a normal distribution lies so many deviations below its median
_CODE = re.compile(r"```.*?(?:```|\Z)|^\s*[|#:][^\n]*|https?://\S+", re.DOTALL | re.MULTILINE)
_SENTENCE = re.compile(r"(?<=[.!?۔؟])\s+")
_MARKUP = re.compile(r"[`*_\[\](){}<>|=]+")


@dataclass(frozen=True, slots=True)
class Calibration:
    """`threshold`: the `evidence` from which a question is answered. How many questions of each set were asked, and
    which share of them it refuses."""

    threshold: float = USUAL
    off_topic: int = 0
    off_topic_refused: float = 0.0
    own: int = 0
    own_refused: float = 0.0

    @property
    def is_measured(self) -> bool:
        return self.off_topic >= FEWEST_OFF_TOPIC

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def read_calibration(stored: Mapping[str, Any]) -> Calibration:
    """What `as_json` wrote; the usual line where there is nothing."""
    return Calibration(**stored)


def calibrate(off_topic: Sequence[float], own: Sequence[float]) -> Calibration:
    """The line for a book, from the best evidence that its search gave to each question of both sets."""
    threshold = _line(off_topic, own)
    return Calibration(
        threshold=round(threshold, 4),
        off_topic=len(off_topic),
        off_topic_refused=_share_below(threshold, off_topic),
        own=len(own),
        own_refused=_share_below(threshold, own),
    )


def _line(off_topic: Sequence[float], own: Sequence[float]) -> float:
    if len(off_topic) < FEWEST_OFF_TOPIC:
        return USUAL
    middle = median(off_topic)
    line = middle + SPREADS * (middle - quantiles(off_topic, n=10)[0]) / _Z10
    if len(own) >= FEWEST_OWN:
        line = min(line, quantiles(own, n=round(1 / OWN_REFUSED), method="inclusive")[0])
    return min(max(line, LOWEST), HIGHEST)


def _share_below(line: float, scores: Sequence[float]) -> float:
    return round(sum(score < line for score in scores) / len(scores), 4) if scores else 0.0


def off_topic_questions() -> list[str]:
    """`off_topic.txt`: a question a line, an Urdu or Roman Urdu one followed by its English form; topics in
    brackets are for its authors."""
    text = files("backend.app.textbook").joinpath("off_topic.txt").read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if line and not line.startswith("[")]
    return [question.strip() for line in lines for question in line.split("|")]


def own_questions(chunks: Sequence[Chunk], most: int = _MOST_OWN) -> list[str]:
    """A sentence of each passage without every other word of its content; of at most `most` passages, spread over
    the book."""
    step = max(1, -(-len(chunks) // most))
    broken = (broken for start in range(step) for chunk in chunks[start::step] if (broken := _broken_sentence(chunk)))
    return list(islice(_each_once(broken), most))


def _broken_sentence(chunk: Chunk) -> str | None:
    """Any sentence, not the first: that one says what the passage is about, and is found too easily."""
    sentences = [
        words for text in _SENTENCE.split(_CODE.sub(" ", chunk.words or chunk.text)) if (words := _content(text))
    ]
    if not sentences:
        return None
    return " ".join(sentences[chunk.position % len(sentences)][chunk.position % 2 :: 2])


def _content(text: str) -> list[str]:
    """The words of a whole sentence that say something; none for a piece of a list and for what is no sentence."""
    words = [word for word in _MARKUP.sub(" ", text).split() if terms(word)]
    return words if len(words) in _CONTENT_WORDS and text.rstrip("*_\"') ")[-1:] in tuple(".!?۔؟") else []


def _each_once(texts: Iterable[str]) -> Iterable[str]:
    return dict.fromkeys(texts)
