"""The project's SQL: named blocks in `*.sql`, schema steps in `migrations/NNNN_words.sql`.

Knows how the files are written and nothing of connections. A block starts with two comment lines, its
name and one sentence, and ends where the next one starts:

    -- name: find_reader
    -- Finds the reader behind a token.
    SELECT id, email FROM users WHERE id = %(user_id)s;
"""

import hashlib
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

HERE = Path(__file__).parent
_BLOCK = re.compile(r"^-- name: (?P<name>\w+)\n-- (?P<sentence>.+)\n(?P<sql>(?:(?!-- name: ).*\n?)+)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Step:
    """One schema step. `sha256` is that of the text with \\n line ends, whatever the checkout made of them."""

    number: int
    name: str
    sql: str
    sha256: str


@cache
def load_queries() -> dict[str, str]:
    """Every named block: name -> SQL. Names are unique over all files."""
    blocks: dict[str, str] = {}
    for path in sorted(HERE.glob("*.sql")):
        text = path.read_text(encoding="utf-8")
        found = list(_BLOCK.finditer(text))
        if len(found) != text.count("-- name:"):
            raise ValueError(f"{path.name}: a block lacks its name, its sentence or its SQL")
        for block in found:
            if block["name"] in blocks:
                raise ValueError(f"{path.name}: the name {block['name']} is used twice")
            blocks[block["name"]] = block["sql"].strip().removesuffix(";")
    return blocks


@cache
def load_steps() -> tuple[Step, ...]:
    """The schema steps in the order they are applied."""
    return tuple(_read_step(path) for path in sorted((HERE / "migrations").glob("[0-9]*.sql")))


def _read_step(path: Path) -> Step:
    sql = path.read_text(encoding="utf-8")
    return Step(int(path.stem[:4]), path.stem, sql, hashlib.sha256(sql.encode()).hexdigest())
