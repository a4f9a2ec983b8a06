"""Do the documents say what the code does? Settings, endpoints, error codes, modules, decisions and openapi.json.

Needs the project's packages: run by `scripts/check.py`, imported by tests. Each check returns sentences; none means
that document and code agree. `--write` rewrites openapi.json, the one document that is generated.
"""

import json
import re
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from backend.app.errors import AppError, BookError, ConfigurationError, CorrectionError, EvaluationError
from backend.app.utils.config import SETTING_NAMES, Settings, default_text
from backend.main import create_app

REPO = Path(__file__).resolve().parent.parent
README = REPO / "README.md"
CONTRACTS = REPO / "specs" / "001-rag-chatbot-system" / "contracts"
DECISIONS = REPO / "specs" / "decisions"
OPENAPI = CONTRACTS / "openapi.json"

# Raised by the web framework and named in problems.py, so in no class of the tree
_HTTP_CODES = frozenset({"method_not_allowed", "http_error", "validation_failed"})
_NOT_HTTP = (ConfigurationError, BookError, CorrectionError, EvaluationError)
_UNLISTED = frozenset({"GET /", "GET /docs", "GET /openapi.json"})  # served, but no part of the API's schema

_CODE_CELL = re.compile(r"^\| `([a-z_]+)` \|", re.MULTILINE)
_SETTING_CELL = re.compile(r"^\| `([A-Z][A-Z0-9_]+)`", re.MULTILINE)
_ENV_LINE = re.compile(r"^#? ?([A-Z][A-Z0-9_]+)=(.*)$", re.MULTILINE)
_DECISION = re.compile(r"^- \[(\d+)\]\((\d{4}-[\w-]+\.md)\) (.+)$", re.MULTILINE)
_CALL = re.compile(r"`(GET|POST|PUT|PATCH|DELETE) (/[^\s`?]*)")


def openapi_text() -> str:
    """openapi.json as it should be: of an application with every default."""
    return json.dumps(create_app(Settings()).openapi(), indent=2, ensure_ascii=False, sort_keys=True) + "\n"


def calls() -> set[str]:
    """Every documented operation of the application, as "GET /api/chapters"."""
    paths: dict[str, dict[str, Any]] = create_app(Settings()).openapi()["paths"]
    return {f"{method.upper()} {path}" for path, operations in paths.items() for method in operations}


def error_codes() -> set[str]:
    """Every code that an error response can carry."""
    classes = [AppError, *_below(AppError)]
    return {kind.code for kind in classes if not issubclass(kind, _NOT_HTTP)} | _HTTP_CODES


def _below(kind: type[AppError]) -> Iterable[type[AppError]]:
    for child in kind.__subclasses__():
        if child.__module__ == AppError.__module__:  # services may subclass privately
            yield child
            yield from _below(child)


def check_env_example() -> list[str]:
    """.env.example names every setting once, with its default."""
    written = _ENV_LINE.findall(_read(REPO / ".env.example"))
    names = [name for name, _ in written]
    wrong = [
        f".env.example: {name}={value} but the default is {default_text(name.lower()) or 'empty'}"
        for name, value in written
        if name in SETTING_NAMES and value.strip() != default_text(name.lower())
    ]
    twice = [f".env.example: {name} stands there twice" for name in sorted({n for n in names if names.count(n) > 1})]
    return _compare(".env.example", "setting", set(SETTING_NAMES), set(names)) + wrong + twice


def check_readme_settings() -> list[str]:
    """README's table has a row for every setting."""
    return _compare("README.md", "setting", set(SETTING_NAMES), set(_SETTING_CELL.findall(_read(README))))


def check_readme_calls() -> list[str]:
    """README's table has every call."""
    return _compare_calls("README.md", _read(README))


def check_endpoints() -> list[str]:
    """contracts/api-endpoints.md has every call."""
    return _compare_calls("api-endpoints.md", _read(CONTRACTS / "api-endpoints.md"))


def check_errors() -> list[str]:
    """contracts/errors.md has every code."""
    return _compare("errors.md", "code", error_codes(), set(_CODE_CELL.findall(_read(CONTRACTS / "errors.md"))))


def check_plan() -> list[str]:
    """plan.md names every module of the application."""
    text = _read(CONTRACTS.parent / "plan.md")
    names = {path.stem for path in (REPO / "backend" / "app").rglob("*.py")} - {"__init__"}
    return [f"plan.md: the module {name} is missing" for name in sorted(names) if not re.search(rf"\b{name}\b", text)]


def check_decisions() -> list[str]:
    """decisions/README.md lists every decision under its number and title."""
    real = {f"{path.name}: {_read(path).partition(chr(10))[0]}" for path in DECISIONS.glob("[0-9]*.md")}
    listed = _DECISION.findall(_read(DECISIONS / "README.md"))
    return _compare("decisions/README.md", "decision", real, {f"{file}: # {n}. {title}" for n, file, title in listed})


def check_openapi() -> list[str]:
    """contracts/openapi.json is what the application says of itself."""
    if _read(OPENAPI) == openapi_text():
        return []
    return ["openapi.json is out of date. Run: python3 scripts/check.py --write"]


CHECKS: tuple[Callable[[], list[str]], ...] = (
    check_env_example,
    check_readme_settings,
    check_readme_calls,
    check_endpoints,
    check_errors,
    check_plan,
    check_decisions,
    check_openapi,
)


def _compare_calls(document: str, text: str) -> list[str]:
    written = {f"{method} {path}" for method, path in _CALL.findall(text)}
    return _compare(document, "call", calls(), written - _UNLISTED)


def _compare(document: str, kind: str, real: set[str], written: set[str]) -> list[str]:
    missing = [f"{document}: the {kind} {name} is missing" for name in sorted(real - written)]
    return missing + [f"{document}: there is no {kind} {name}" for name in sorted(written - real)]


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.exists() else ""


def main() -> None:
    """Print what differs; exit code 1 when anything does."""
    if "--write" in sys.argv[1:]:
        OPENAPI.write_text(openapi_text(), encoding="utf-8")
    differences = [line for check in CHECKS for line in check()]
    print("\n".join(differences))
    sys.exit(1 if differences else 0)


if __name__ == "__main__":
    main()
