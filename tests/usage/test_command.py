"""`python -m backend usage` on a terminal and in files: what it shows, also of hostile texts, and how it fails."""

import csv
import io
import os
import subprocess
import sys
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter
from rich.console import Console

from backend.app.drawing import find_figures
from backend.app.models.usage import (
    AskedAlike,
    CacheUse,
    EventCount,
    MissingTopic,
    Spending,
    SpendingLine,
    StageTime,
    UsageReport,
)
from backend.app.usage import plot, table
from backend.app.usage.command import as_json
from backend.app.usage.csv_file import COLUMNS, as_text, spending_csv
from tests.fixtures.processes import REPO, run

TODAY = date(2026, 11, 21)
HOSTILE = "\x1b[2J\x1b]0;title\x07 [bold red]x[/] \u202egnp.exe \x9b31m\r\n\tکیا"


def report(*lines: SpendingLine, **changes: Any) -> UsageReport:
    cost = sum(line.cost_microusd for line in lines)
    known: dict[str, Any] = {
        "created_at": datetime(2026, 11, 21, 12, tzinfo=UTC),
        "days": 2,
        "first_day": date(2026, 11, 20),
        "last_day": TODAY,
        "spending": Spending(lines, cost, cost, 10_000_000, 30 * cost, "as it is said"),
        "caches": tuple(CacheUse(name, 0, 0, None) for name in ("prompt", "chapter", "section")),
        "events": (),
        "stages": (),
        "unanswered": (),
    }
    return UsageReport(**(known | changes))


def line(feature: str = "answer", model: str = "claude-haiku-5-5", cost: int = 1_234_567) -> SpendingLine:
    return SpendingLine(TODAY, feature, model, 3, 1, cost, 10, 20, 5, 30, 40)


def shown(told: UsageReport) -> str:
    console = Console(width=120, file=io.StringIO(), highlight=False)
    table.show(told, console)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_an_empty_report_is_a_few_lines_in_every_form() -> None:
    text = shown(report())
    assert "Usage from 2026-11-20 to 2026-11-21" in text
    assert "Claude cost $0.0000; today $0.0000 of $10.00. A month like the last days: $0.00." in text
    assert "Nothing was asked or refused." in text
    assert "No question was left open." in text
    assert spending_csv(report()) == ",".join(COLUMNS) + "\n"
    assert plot.draw(report(), find_figures()).startswith(b"\x89PNG")
    assert TypeAdapter(UsageReport).validate_json(as_json(report())) == report()


def test_each_part_is_shown() -> None:
    text = shown(
        report(
            line(),
            line("translate", "claude-sonnet-5-5", 1),
            caches=(CacheUse("prompt", 3, 1, 0.75), CacheUse("chapter", 1, 1, 0.5)),
            events=(
                EventCount(date(2026, 11, 20), "answers", {"mode": "claude", "outcome": "answered"}, 2),
                EventCount(TODAY, "answers", {"mode": "claude", "outcome": "answered"}, 3),
                EventCount(TODAY, "rate_limited", {"limit": "questions"}, 7),
            ),
            stages=(StageTime("answer", 5, 1234.5, 2345.6),),
            unanswered=(
                MissingTopic("intro", "Robots", "robots", 4, 1, TODAY, (AskedAlike("Why?", 4, ("Why so?",)),)),
                MissingTopic(None, None, None, 1, 0, TODAY, (AskedAlike("Hi", 1, ()),)),
            ),
        )
    )
    for words in [
        *("1.234567", "0.000001", "1.234568", "Claude cost $1.2346", "75.0 % (3 of 4)", "50.0 % (1 of 2)"),
        *("claude, answered       5", "questions              7", "1234.5   2345.6"),
        *("intro > Robots: 4, 1 answered in part", "4 x Why?", "Why so?", "near nothing in the book: 1", "1 x Hi"),
    ]:
        assert words in text, words


def test_what_readers_wrote_cannot_move_the_cursor_or_turn_the_text() -> None:
    topic = MissingTopic("intro", HOSTILE, "a", 1, 0, TODAY, (AskedAlike(HOSTILE, 1, (HOSTILE,)),))
    told = report(unanswered=(topic,), events=(EventCount(TODAY, "later", {"kind": "[red]"}, 1),))
    text = shown(told)
    assert not set(text) & set("\x1b\x07\x9b\r\t\u202e")
    assert "[bold red]x[/]" in text
    assert "کیا" in text
    assert as_json(told).isascii()
    assert not set(as_json(told)) & set("\x1b\x07\x9b\u202e")


@pytest.mark.parametrize("cell", ["=1+1", "+1", "-1", "@SUM(A1)", " =1", "\t=1", "\r=1", "\n=1", "\x00=1"])
def test_no_cell_is_a_formula(cell: str) -> None:
    (row,) = csv.DictReader(io.StringIO(spending_csv(report(line(cell, cell)))))
    assert row["feature"] == row["model"] == as_text(cell)
    assert row["feature"].startswith("'")
    assert row["feature"].isprintable()


def test_the_csv_has_every_microdollar() -> None:
    rows = list(csv.DictReader(io.StringIO(spending_csv(report(line(cost=7), line(cost=12_000_034))))))
    assert [row["cost_usd"] for row in rows] == ["0.000007", "12.000034"]
    values = ("2026-11-21", "answer", "claude-haiku-5-5", "3", "1", "0.000007", "10", "20", "5", "30", "40")
    assert rows[0] == dict(zip(COLUMNS, values, strict=True))


@pytest.mark.parametrize("days", [1, 2, 30, 400])
def test_a_picture_is_drawn_whatever_there_is(days: int) -> None:
    told = report(
        line("$\\frac", "m$"),
        days=days,
        events=(EventCount(TODAY, "answers", {}, 1), EventCount(TODAY, "rate_limited", {"limit": "x"}, 2)),
        stages=(StageTime("check", 1, 0.0, 0.0),),
    )
    assert plot.draw(told, find_figures()).startswith(b"\x89PNG")


def test_without_matplotlib_it_says_how_to_get_it(tmp_path: Path) -> None:
    """In an interpreter that cannot find it, and before anything else is done."""
    program = (
        "import sys; sys.modules['matplotlib'] = None; sys.argv[1:] = ['usage', '--png', sys.argv[1]]\n"
        "from backend.app.cli import main; main()"
    )
    picture = tmp_path / "usage.png"
    environment = {"PATH": os.environ["PATH"], "SECRET_KEY": "x" * 8 + "Zk3v8Qw1nR7tYp5sLx2dHf9cJm4gBa6e"}
    ended = subprocess.run(
        [sys.executable, "-c", program, str(picture)], cwd=REPO, env=environment, capture_output=True, text=True
    )
    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr == "--png needs matplotlib, which is not installed: pip install matplotlib\n"
    assert not picture.exists()


def test_a_file_that_cannot_be_written_is_one_line(fresh_database_url: str, tmp_path: Path) -> None:
    missing = tmp_path / "nowhere" / "usage.csv"
    code, out, err = run("usage", "--csv", str(missing), DATABASE_URL=fresh_database_url, DATA_DIR=str(tmp_path))
    assert code == 1
    assert "No question was left open." in out
    assert err == f"{missing} cannot be written: No such file or directory.\n"


def test_a_database_that_is_away_is_one_line(tmp_path: Path) -> None:
    away = "postgresql://nobody@127.0.0.1:9/none?connect_timeout=1"
    code, out, err = run("usage", DATABASE_URL=away, DATA_DIR=str(tmp_path))
    assert (code, out) == (1, "")
    assert err.startswith("The database is temporarily unavailable.")
    assert len(err.splitlines()) == 1


@pytest.mark.parametrize("days", ["0", "401", "many"])
def test_so_many_days_there_are_not(days: str) -> None:
    code, _, err = run("usage", "--days", days)
    assert code == 2
    assert "Usage: python -m backend usage" in err
