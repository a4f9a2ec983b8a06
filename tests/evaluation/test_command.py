"""`python -m backend evaluate` as an owner runs it: what it prints, writes and returns."""

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from backend.app.evaluation import plot
from backend.app.evaluation.figures import ANSWERS, RETRIEVAL
from tests.evaluation.conftest import asked, write_lines
from tests.fakes.claude import FakeClaude
from tests.fixtures.processes import REPO, run

RECORDS = [
    asked("Why does a gyroscope drift?", ("intro.md", "Its bias makes the angle drift"), question_id="q1"),
    asked(
        "How long does charging take?", ("intro.md", "forty minutes on the grey charger"), question_id="q2", lang="ur"
    ),
    {"id": "q3", "kind": "off_topic", "question": "Who won the football match last night?", "gold": []},
    {"id": "q4", "kind": "near_domain_unanswerable", "question": "What does a gyroscope cost?", "gold": []},
]


@pytest.fixture
def arguments(docs: Path, tmp_path: Path) -> list[str]:
    questions = write_lines(tmp_path / "questions.jsonl", RECORDS)
    return ["evaluate", "--docs", str(docs), "--questions", str(questions)]


def test_it_shows_writes_and_compares(arguments: list[str], tmp_path: Path) -> None:
    settings = {"DATA_DIR": str(tmp_path / "data")}
    file = tmp_path / "out" / "report.json"
    code, out, err = run(*arguments, "--json", str(file), **settings)
    assert code == 0, err
    assert "context" in out
    assert re.search(r"0 of 1 .* off topic, passed", out)
    assert "ms (median)" in out
    assert f"Written: {file} and {file.with_suffix('.png')}" in out
    assert file.with_suffix(".png").read_bytes().startswith(b"\x89PNG")
    check_report(json.loads(file.read_text(encoding="utf-8")))

    code, out, _ = run(*arguments, "--baseline", str(file), **settings)
    assert code == 0
    assert "No figure is more than 2 points worse than in the baseline" in out

    Path(arguments[2], "intro.md").write_text("# Robots\n\nIts bias makes the angle drift and nothing else.\n")
    code, out, _ = run(*arguments, "--baseline", str(file), **settings)
    assert code == 1
    assert "Worse than in the baseline" in out
    assert "q2 (alone): How long does charging take?" in out


def check_report(report: dict[str, Any]) -> None:
    """What contracts/question-sets.md says of the file."""
    assert set(report) == {
        *("schema", "program", "questions", "book", "settings", "model", "unreachable", "groups", "results")
    }
    assert report["schema"] == 1
    assert report["questions"] | {"sha256": ""} == {"file": "questions.jsonl", "sha256": "", "asked": 4}
    assert report["book"]["pages"] == 2
    assert re.fullmatch(r"[0-9a-f]{12}-\d+-[0-9a-f]{12}", report["book"]["index_version"])
    assert report["model"] is None
    assert [result["id"] for result in report["results"]] == ["q1", "q2", "q3", "q4"]
    for group in report["groups"]:
        assert set(group) == {"view", "kind", "lang", "count", "figures", "latency_ms"}
        for name, figure in group["figures"].items():
            assert name in {*RETRIEVAL, *ANSWERS}
            low, high = figure["interval"]
            assert 0 <= low <= figure["value"] <= high <= 1


def test_with_a_model_it_tells_what_answers_cost(arguments: list[str], tmp_path: Path, claude: FakeClaude) -> None:
    file = tmp_path / "report.json"
    key = {"ANTHROPIC_API_KEY": "sk-test", "ANTHROPIC_BASE_URL": claude.base_url, "DATA_DIR": str(tmp_path / "data")}
    code, out, err = run(*arguments, "--answers", "--json", str(file), **key)
    assert code == 0, err
    assert "rightly" in out
    assert re.search(r"claude-haiku-5-5 cost \$0\.00\d\d", out)
    report = json.loads(file.read_text(encoding="utf-8"))
    assert report["model"]["used_for"] == "answers"
    assert report["model"]["cost_microusd"] > 0
    assert report["results"][0]["answer"]["outcome"] == "answered"

    code, out, _ = run(*arguments, "--baseline", str(file), DATA_DIR=str(tmp_path / "data"))
    assert code == 0
    assert "The baseline used a model for: answers; this run for: none." in out


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["--docs", "x", "--corpus", "y", "--questions", "z"], "not both"),
        (["--docs", "x"], "--questions"),
        (["--questions", "x"], "--docs"),
        (["--limit", "0"], "--limit"),
        (["--max-usd", "-1"], "--max-usd"),
    ],
)
def test_wrong_usage_is_exit_code_2(given: list[str], said: str) -> None:
    code, _, err = run("evaluate", *given)
    assert code == 2
    assert said in err
    assert "Traceback" not in err


def test_odd_names_are_shown_as_they_are(docs: Path, tmp_path: Path) -> None:
    odd = [
        asked(
            "Why does a gyroscope drift?",
            ("intro.md", "angle drift"),
            question_id="\ud800",
            kind="[/red] $x",
            lang="[b]",
        ),
        asked("How long is charging?", ("intro.md", "not there"), question_id="[bold]", kind="سوال", lang="$\\frac$"),
    ]
    questions = write_lines(tmp_path / "questions.jsonl", odd)
    file = tmp_path / "report.json"
    where = ["--docs", str(docs), "--questions", str(questions), "--json", str(file)]
    code, out, err = run("evaluate", *where, DATA_DIR=str(tmp_path / "data"))
    assert code == 0, err
    assert "[/red] $x" in out
    assert "- [bold]" in out
    assert json.loads(file.read_text(encoding="utf-8"))["results"][0]["id"] == "?"
    assert file.with_suffix(".png").exists()


@pytest.mark.parametrize(("name", "said"), [("plot.png", "is the name of the plot"), (".", "is a folder")])
def test_a_report_that_cannot_be_written_is_told_before_anything_is_measured(
    arguments: list[str], tmp_path: Path, name: str, said: str
) -> None:
    code, out, err = run(*arguments, "--json", str(tmp_path / name), DATA_DIR=str(tmp_path / "data"))
    assert (code, out) == (2, "")
    assert said in err
    assert not (tmp_path / "data").exists()


def test_a_missing_baseline_is_told_before_anything_is_measured(arguments: list[str], tmp_path: Path) -> None:
    code, out, err = run(*arguments, "--baseline", str(tmp_path / "none.json"), DATA_DIR=str(tmp_path / "data"))
    assert (code, out) == (2, "")
    assert err == f"There is no file {tmp_path / 'none.json'}.\n"
    assert not (tmp_path / "data").exists()


def test_without_matplotlib_there_is_no_plot_and_a_hint() -> None:
    code = (
        "import sys; sys.modules['matplotlib'] = None\n"
        "from pathlib import Path\n"
        "from backend.app.evaluation import plot\n"
        "sys.exit(plot.draw(Path('/nowhere/x.png'), '', [], [], 0.3))"
    )
    subprocess.run([sys.executable, "-c", code], cwd=REPO, check=True)
    assert "pip install matplotlib" in plot.HINT
