"""What a model is asked for one piece of a chapter, and the key of what it replies.

A request holds fixed instructions and data in tags, and depends on nothing but its arguments: no reader, no clock. No
text can close its tag: masking takes every `<` that begins one out of the piece, and the notes are escaped here.
"""

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from backend.app.models.adaptation import Piece
from backend.app.prompts import load_prompt
from backend.app.textbook.masking import MaskedText

TOKENS_PER_MARK = 12
SPARE_TOKENS = 300
FEWEST_TOKENS, MOST_TOKENS = 1024, 16_000
"""Of a reply. A piece of 600 words in Urdu needs about 2,700; the most is for the odd table of 2,000 words. A piece
that needs more is not asked for (`is_too_long`)."""
CHARS_PER_TOKEN = 2.5
"""At least, of what a reply repeats as it is: numbers, names."""
THINKING_TOKENS = 3000
"""Room for a model that thinks before it writes: thinking counts as output."""
_THINKING: Mapping[str, dict[str, Any]] = {
    "claude-sonnet-5-5": {"thinking": {"type": "between_tools"}},  # no tools: it only writes
    "claude-haiku-5-5": {"thinking": {"type": "adaptive"}, "output_config": {"effort": "medium"}},
}
_OTHER_MODELS: dict[str, Any] = {"output_config": {"effort": "medium"}}
_AGAIN = (
    "Your reply cannot be used:\n{problems}\nWrite the whole piece again, corrected. Only the piece, nothing else."
)


@dataclass(frozen=True, slots=True)
class Wish:
    """How a kind of adaptation asks: the instructions under prompts/, the data beside the piece as (tag, text) in
    order, and the tokens that one word of the source may need in the reply."""

    prompt: str
    notes: tuple[tuple[str, str], ...]
    tokens_per_word: float


def piece_request(model: str, wish: Wish, piece: Piece, masked: MaskedText) -> dict[str, Any]:
    """The body of the Messages request for one piece. Empty notes are left out."""
    thinking = _thinking(model)
    return {
        "model": model,
        "max_tokens": _room(wish, masked) + _thinking_room(thinking),
        **thinking,
        "system": [
            {"type": "text", "text": load_prompt(wish.prompt).text, "cache_control": {"type": "ephemeral"}},
        ],
        "messages": [{"role": "user", "content": [{"type": "text", "text": _block(wish, piece, masked)}]}],
    }


def is_too_long(request: Mapping[str, Any]) -> bool:
    """Whether the reply may need more room than there is: it would be paid for and cut off."""
    return request["max_tokens"] - _thinking_room(_thinking(request["model"])) >= MOST_TOKENS


def retry_request(request: Mapping[str, Any], reply: str, problems: Sequence[str]) -> dict[str, Any]:
    """The second try in the same thread: what was replied, then what is wrong with it. It may be twice as long, in
    case the first was cut. The API takes no empty turn, so an empty reply is only told of."""
    told = {"type": "text", "text": _AGAIN.format(problems="\n".join(f"- {problem}" for problem in problems))}
    first, *_ = request["messages"]
    if reply.strip():
        turns = [first, {"role": "assistant", "content": [{"type": "text", "text": reply}]}]
        turns.append({"role": "user", "content": [told]})
    else:
        turns = [{"role": "user", "content": [*first["content"], told]}]
    return {**request, "max_tokens": min(2 * request["max_tokens"], 2 * MOST_TOKENS), "messages": turns}


def section_key(request: Mapping[str, Any]) -> str:
    """Hex sha256 of the request's canonical JSON: equal keys mean equal requests, byte for byte."""
    text = json.dumps(request, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def _thinking(model: str) -> dict[str, Any]:
    return next((kind for prefix, kind in _THINKING.items() if model.startswith(prefix)), _OTHER_MODELS)


def _thinking_room(thinking: Mapping[str, Any]) -> int:
    return 0 if thinking.get("thinking") == {"type": "between_tools"} else THINKING_TOKENS


def _room(wish: Wish, masked: MaskedText) -> int:
    """The most tokens a reply may have: in reserve for a language that needs more than planned."""
    spoken = masked.words * wish.tokens_per_word + len(masked.masks) * TOKENS_PER_MARK
    needed = max(spoken, len(masked.text) / CHARS_PER_TOKEN) + SPARE_TOKENS
    return min(max(math.ceil(needed), FEWEST_TOKENS), MOST_TOKENS)


def _block(wish: Wish, piece: Piece, masked: MaskedText) -> str:
    chapter, *sections = piece.heading_path or ("",)
    notes = [*wish.notes, ("chapter", chapter), ("section", " > ".join(sections))]
    lines = [_note(tag, text) for tag, text in notes if text]
    return "\n".join([*lines, f"<piece>\n{masked.text.strip()}\n</piece>"])


def _note(tag: str, text: str) -> str:
    safe = text.replace("&", "&amp;").replace("<", "&lt;").strip()
    return f"<{tag}>\n{safe}\n</{tag}>" if "\n" in safe else f"<{tag}>{safe}</{tag}>"
