"""A chapter -> the requests that would adapt it, with the keys of their replies. Pure: no network and no database.

Everything that reaches a model is in a request, and every key is the hash of one, so that a changed word is another
key. Takes some 10 ms of CPU for a chapter: to be run beside the loop.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import astuple, dataclass
from typing import Any

from backend.app.adaptation.corrections import source_hash
from backend.app.adaptation.replies import text_of
from backend.app.adaptation.requests import is_too_long, section_key
from backend.app.adaptation.task import Task
from backend.app.models.adaptation import KeptReply, Order, Piece, Recipe
from backend.app.prompts import load_prompt
from backend.app.textbook.masking import BrokenMarks, MaskedText, mask, unmask
from backend.app.textbook.sectioning import split_chapter

FORM = "1"
"""To be raised with any change of how chapters are cut, masked or put together: what was kept before is made again,
from the sections that are still the same."""


@dataclass(frozen=True, slots=True)
class PlannedPiece:
    """A piece with its request and the key of the reply. With nothing to adapt it has neither and stays as it is."""

    index: int
    piece: Piece
    masked: MaskedText
    request: dict[str, Any] | None
    key: str

    @property
    def is_too_long(self) -> bool:
        """No reply could be complete."""
        return self.request is not None and is_too_long(self.request)


@dataclass(frozen=True, slots=True)
class Plan:
    """How an order is carried out. `key` names the result: equal keys, equal chapters."""

    order: Order
    task: Task
    recipe: Recipe
    pieces: tuple[PlannedPiece, ...]
    key: str

    @property
    def keys(self) -> list[str]:
        return [planned.key for planned in self.pieces if planned.request is not None]


@dataclass(frozen=True, slots=True)
class Reviewed:
    """A reply: accepted, unmasked, when there are no `problems`."""

    text: str
    problems: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Written:
    """A piece as it was accepted, unmasked, and what it has cost. `by_people`: it stays as they wrote it."""

    text: str
    cost_microusd: int = 0
    by_people: bool = False


def recipe_of(task: Task, model: str) -> Recipe:
    return Recipe(model, load_prompt(task.prompt).version, f"{FORM}-{task.version}")


def plan_chapter(order: Order, task: Task, model: str) -> Plan:
    """Cut the chapter, mask the pieces and write down the requests. Nothing is asked."""
    content = task.prepare(order.chapter.content)
    pieces = split_chapter(content, order.chapter.title)
    planned = tuple(_plan_piece(index, piece, task, model) for index, piece in enumerate(pieces))
    recipe = recipe_of(task, model)
    return Plan(order, task, recipe, planned, result_key(order, recipe))


def result_key(order: Order, recipe: Recipe) -> str:
    """Under which a result is made once, whoever wants it."""
    chapter, target = order.chapter, order.target
    named = "" if order.is_own_text else chapter.chapter_id
    text = json.dumps(
        [target.kind, target.variant, *astuple(recipe), named, chapter.content_hash, chapter.title, chapter.content]
    )
    return hashlib.sha256(text.encode()).hexdigest()


def review(task: Task, planned: PlannedPiece, reply: str) -> Reviewed:
    """Hold a reply against the checks of today, wherever it comes from."""
    text = text_of(reply, planned.masked.text)
    problems = task.problems(planned.piece, planned.masked, text)
    if problems:
        return Reviewed("", tuple(problems))
    try:
        return Reviewed(unmask(text, planned.masked), ())
    except BrokenMarks as broken:
        return Reviewed("", broken.problems)


def written_before(
    plan: Plan, kept: Mapping[str, KeptReply], corrections: Mapping[str, str]
) -> Iterator[tuple[PlannedPiece, Written]]:
    """The pieces that need nobody: those that people wrote (`corrections`: the hash of a piece's source -> its text),
    those with nothing to adapt, and those whose kept reply passes the checks of today."""
    for planned in plan.pieces:
        if corrected := corrections.get(source_hash(planned.piece)):
            yield planned, Written(corrected, by_people=True)
        elif planned.request is None:
            yield planned, Written(planned.piece.text)
        elif reply := kept.get(planned.key):
            reviewed = review(plan.task, planned, reply.text)
            if not reviewed.problems:
                yield planned, Written(reviewed.text, reply.cost_microusd)


def _plan_piece(index: int, piece: Piece, task: Task, model: str) -> PlannedPiece:
    masked = mask(piece.text)
    if not task.adapts(piece, masked):
        return PlannedPiece(index, piece, masked, None, "")
    request = task.request(model, piece, masked)
    return PlannedPiece(index, piece, masked, request, section_key(request))
