"""Sets up `.venv` and runs every check that is no test: `python3 scripts/check.py [--write]`.

`--write` formats the code and rewrites openapi.json instead of complaining about them.
"""

import argparse
import os
import subprocess
import sys
import time
from pathlib import Path

import _setup


def commands(write: bool) -> "list[tuple[str, list[str]]]":
    """Name and command (run with `.venv`'s Python) of each check, in order."""
    return [
        ("format", ["-m", "ruff", "format", *([] if write else ["--check"]), "."]),
        ("lint", ["-m", "ruff", "check", "."]),
        ("types", ["-m", "pyright"]),
        ("layers", ["-c", "import sys; from importlinter.cli import lint_imports_command as c; sys.exit(c())"]),
        ("documents", ["-m", "scripts.docs_parity", *(["--write"] if write else [])]),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description="Check format, lint, types, import layers and documents.")
    parser.add_argument("--write", action="store_true", help="format the code and rewrite openapi.json")
    options = parser.parse_args()
    _setup.prepare(tests=True)
    failed = [name for name, command in commands(options.write) if not _passes(name, command)]
    if failed:
        sys.exit(f"Failed: {', '.join(failed)}.")


def _passes(name: str, command: "list[str]") -> bool:
    """Run one check; print one line, and the check's own words when it fails."""
    started = time.monotonic()
    environment = os.environ | {"PYTHONPATH": str(Path(_setup.REPO)), "NO_COLOR": "1"}
    done = subprocess.run(
        [str(_setup.PYTHON), *command], cwd=_setup.REPO, env=environment, capture_output=True, text=True, check=False
    )
    state = "failed" if done.returncode else "ok"
    print(f"{name:<10} {state:<7} {time.monotonic() - started:5.1f} s", flush=True)
    if done.returncode:
        print((done.stdout + done.stderr).strip(), flush=True)
    return done.returncode == 0


if __name__ == "__main__":
    main()
