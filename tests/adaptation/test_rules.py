"""What a kept chapter was accepted by is named completely: else a release would go on showing what it refuses."""

import ast
from pathlib import Path

import backend.app.adaptation as adaptation
import backend.app.textbook as textbook
from backend.app.adaptation.rules import TEXTBOOK

ADAPTATION, PAGES = (Path(package.__path__[0]) for package in (adaptation, textbook))


def textbook_modules_of(source: Path) -> set[str]:
    """Those that a module imports, and those that they import."""
    statements = ast.walk(ast.parse(source.read_text("utf-8")))
    imported = [node.module or "" for node in statements if isinstance(node, ast.ImportFrom)]
    prefix = f"{textbook.__name__}."
    direct = {name.removeprefix(prefix) for name in imported if name.startswith(prefix)}
    return direct.union(*(textbook_modules_of(PAGES / f"{name}.py") for name in direct))


def test_every_module_that_checks_and_finishing_rest_on_is_part_of_the_version() -> None:
    pipeline = [*ADAPTATION.glob("*.py"), PAGES / "sectioning.py"]
    needed = set[str]().union(*map(textbook_modules_of, pipeline))
    assert needed - set(TEXTBOOK) == set()
    assert "javascript" in needed
