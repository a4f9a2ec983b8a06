"""Which rules a stored text was accepted and finished by. Knows where they are written, not what they say."""

import hashlib
from functools import cache
from importlib.resources import files

from backend.app.adaptation.glossary import Glossary
from backend.app.prompts import load_prompt

TEXTBOOK = (
    "docusaurus",
    "front_matter",
    "javascript",
    "long_blocks",
    "masking",
    "mdx",
    "mermaid",
    "opaque",
    "opaque_inline",
    "opaque_lines",
    "parser",
    "pinning",
    "quiz",
    "sectioning",
    "sidebar",
    "splitting",
    "structure",
    "structure_blocks",
)


@cache
def rules_version() -> str:
    """12 hex digits of the code that masks, cuts, checks and finishes. After a release that changed it, chapters are
    put together anew from their kept sections, which asks no model."""
    adaptation = files("backend.app.adaptation")
    modules = sorted(entry.name for entry in adaptation.iterdir() if entry.name.endswith(".py"))
    textbook = files("backend.app.textbook")
    sources = [adaptation.joinpath(name) for name in modules]
    sources += [textbook.joinpath(f"{name}.py") for name in TEXTBOOK]
    digest = hashlib.sha256()
    for source in sources:
        digest.update(f"{source.name}\0".encode() + source.read_bytes())
    return digest.hexdigest()[:12]


def version_of(prompt: str, glossary: Glossary) -> str:
    """12 hex digits of instructions, glossary and everything that decides in code."""
    parts = "\n".join((load_prompt(prompt).version, glossary.version, rules_version()))
    return hashlib.sha256(parts.encode()).hexdigest()[:12]
