"""Instructions for the model: static Markdown files without variables. Data never goes through here."""

import hashlib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files


@dataclass(frozen=True, slots=True)
class Prompt:
    """`version` is 12 hex digits of the text's sha256: part of whatever is cached about its answers."""

    text: str
    version: str


@cache
def load_prompt(name: str) -> Prompt:
    """The file `<name>.md` beside this module. Raises FileNotFoundError."""
    text = files(__name__).joinpath(f"{name}.md").read_text(encoding="utf-8").strip()
    return Prompt(text, hashlib.sha256(text.encode()).hexdigest()[:12])
