"""Which rules a stored text was accepted and finished by. Knows where they are written, not what they say."""

import hashlib
from functools import cache
from importlib.resources import files

TEXTBOOK = (
    "docusaurus",
    "javascript",
    "masking",
    "mdx",
    "opaque",
    "opaque_lines",
    "parser",
    "pinning",
    "sectioning",
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
