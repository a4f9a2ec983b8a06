"""`python -m backend prewarm` as an owner runs it: nothing unasked, nothing twice, whatever kills it."""

import math
import re
import signal
from dataclasses import dataclass
from typing import Any

import pytest
import typer

from backend.app.prewarm.command import read_targets
from backend.app.utils.config import Settings
from tests.fakes import adapters, translators
from tests.fakes.claude import Body, FakeClaude
from tests.fixtures.budget import Ledger, read_ledger
from tests.fixtures.database import statements
from tests.fixtures.processes import OwnSettings, as_environment, run, start

TABLES = (
    "translations_cache",
    "personalized_content_cache",
    "section_cache",
    "claude_calls",
    "budget",
    "claude_batches",
)
CHAPTER = ("--chapters", "sensors")
BOTH = ("--language", "ur", "--levels", "beginner", *CHAPTER)


def adapt(body: Body) -> Any:
    is_for_a_level = "<level>" in body["messages"][0]["content"][0]["text"]
    return adapters.good(body) if is_for_a_level else translators.good(body)


@dataclass
class Owner:
    """Someone at a terminal-less shell, with the sample book and a key."""

    settings: Settings
    claude: FakeClaude

    @property
    def environment(self) -> dict[str, str]:
        key = {"ANTHROPIC_API_KEY": "k", "ANTHROPIC_BASE_URL": self.claude.base_url}
        return as_environment(self.settings) | key

    def runs(self, *options: str, **changes: str) -> tuple[int, str, str]:
        code, out, err = run("prewarm", *options, "--poll", "0.1", **(self.environment | changes))
        return code, out, err

    @property
    def ledger(self) -> Ledger:
        return read_ledger(self.dsn)

    def rows(self) -> dict[str, int]:
        with statements(self.dsn) as cursor:
            counts: dict[str, int] = {}
            for table in TABLES:
                cursor.execute(f"SELECT count(*) FROM {table}")
                ((counts[table],),) = cursor.fetchall()
        return counts

    def charged_for_batches(self) -> int:
        """What the API charges for all lines: Sonnet's and Haiku's prices, halved, each line rounded up."""
        results = [result for batch in self.claude.batches.made for result in batch.results.values()]
        messages = [result["message"] for result in results if result["type"] == "succeeded"]
        return sum(_cost(message, halved=True) for message in messages)

    @property
    def dsn(self) -> str:
        assert self.settings.database_url
        return self.settings.database_url.get_secret_value()


def _cost(message: Any, *, halved: bool = False) -> int:
    tenths = {"claude-sonnet-5-5": (20, 100), "claude-haiku-5-5": (1, 5)}[message["model"]]
    used = message["usage"]
    return math.ceil((used["input_tokens"] * tenths[0] + used["output_tokens"] * tenths[1]) / (20 if halved else 10))


@pytest.fixture
def owner(own_settings: OwnSettings, claude: FakeClaude) -> Owner:
    claude.adapts(adapt)
    return Owner(own_settings(), claude)


def dollars(text: str, words: str) -> float:
    found = re.search(words + r" +\$([\d.,]*\d)", text)
    assert found, text
    return float(found[1].replace(",", ""))


def test_a_dry_run_tells_what_is_missing_and_costs_and_does_nothing(owner: Owner) -> None:
    before = owner.rows()
    assert before["claude_calls"] == before["budget"] == 0
    code, out, err = owner.runs("--language", "ur,es", "--levels", "beginner,advanced", "--dry-run")
    assert code == 0, err
    assert re.search(r"foundations/sensors( +\d+ of \d+){4}", out), out
    for words in (
        "Urdu",
        "Spanish",
        "beginner",
        "advanced",
        "To write:",
        "by claude-haiku-5-5, claude-sonnet-5-5",
        "$8.00 are left",
    ):
        assert words in out
    assert 0 < dollars(out, "about") < dollars(out, "at most")
    half = owner.runs("--language", "ur,es", "--levels", "beginner,advanced", "--dry-run", "--batch")[1]
    assert dollars(half, "about") == pytest.approx(dollars(out, "about") / 2, rel=0.01)
    assert owner.rows() == before
    assert (owner.claude.requests, owner.claude.batches.asked) == ([], [])


def test_chapters_are_made_once_and_what_they_cost_is_what_was_foreseen(owner: Owner) -> None:
    code, foreseen, err = owner.runs(*BOTH, "--dry-run")
    assert code == 0, err
    before = owner.rows()["section_cache"]
    code, out, err = owner.runs(*BOTH, "--yes")
    assert code == 0, out + err
    assert "Made: 2 chapters." in out
    ledger = owner.ledger
    assert (ledger.reserved, ledger.spent) == (0, ledger.spent_in_rows)
    spent = dollars(out, "Spent:")
    assert round(spent * 1_000_000) == pytest.approx(ledger.spent, abs=50)
    assert 0.4 < spent / dollars(foreseen, "about") < 2.5
    assert spent < dollars(foreseen, "at most")
    calls = len(owner.claude.requests)
    assert calls == owner.rows()["section_cache"] - before > 0
    code, again, _ = owner.runs(*BOTH, "--yes")
    assert (code, len(owner.claude.requests)) == (0, calls)
    assert "Everything is there." in again
    with statements(owner.dsn) as cursor:
        cursor.execute("SELECT DISTINCT share FROM budget ORDER BY share")
        assert [share for (share,) in cursor.fetchall()] == ["all", "owner"]


def test_without_a_terminal_it_says_to_pass_yes(owner: Owner) -> None:
    code, out, err = owner.runs(*BOTH)
    assert code == 2
    assert "To write:" in out
    assert "--yes" in err
    assert owner.claude.requests == []


@pytest.mark.parametrize(
    ("language", "levels", "hardware", "words"),
    [
        ("", "", "", "say what to make"),
        ("ur,xx", "", "", "xx is not one of ur, hi, ar, es, fr"),
        ("", "expert", "", "beginner, intermediate, advanced"),
        ("", "beginner", "toaster", "jetson"),
    ],
)
def test_what_is_not_known_is_told_with_what_is(language: str, levels: str, hardware: str, words: str) -> None:
    with pytest.raises(typer.BadParameter, match=words):
        read_targets(language, levels, hardware)


@pytest.mark.parametrize(
    ("options", "words"), [(("--language", "xx"), "ur, hi, ar, es, fr"), ((*BOTH[:-1], "introo"), "intro")]
)
def test_a_command_for_what_is_not_known_fails_and_asks_no_model(
    owner: Owner, options: tuple[str, ...], words: str
) -> None:
    code, _, err = owner.runs(*options, "--yes")
    assert code != 0
    assert words in " ".join(re.sub("[│╭╮╰╯─]", " ", err).split())
    assert owner.claude.requests == []


def test_without_a_key_it_says_which_setting(owner: Owner) -> None:
    code, _, err = run("prewarm", *BOTH, "--yes", **as_environment(owner.settings))
    assert code == 1
    assert "ANTHROPIC_API_KEY" in err


def test_it_stops_inside_the_days_money_and_says_what_is_left(owner: Owner) -> None:
    foreseen = owner.runs("--language", "ur", "--dry-run")[1]
    money = f"{dollars(foreseen, 'at most') / 4:.2f}"
    code, out, err = owner.runs("--language", "ur", "--yes", DAILY_BUDGET_USD=money, BUDGET_OWNER_SHARE="1")
    assert code == 1, out + err
    wanted, made, left = (
        re.search(words, out) for words in (r"of (\d+) chapters, by", r"Made: (\d+) chapter", r"Left \((\d+)\)")
    )
    assert wanted and made and left, out  # noqa: PT018
    assert 0 < int(made[1]) == int(wanted[1]) - int(left[1]), out
    assert "after midnight UTC" in out
    ledger = owner.ledger
    assert 0 < ledger.spent <= float(money) * 1_000_000
    assert ledger.reserved == 0


def test_a_hostile_translator_is_listed_and_nothing_is_kept(owner: Owner) -> None:
    before = owner.rows()
    owner.claude.adapts(translators.HOSTILE["mask_dropped"])
    code, out, err = owner.runs("--language", "ur", *CHAPTER, "--yes", "--batch")
    assert code == 1, out + err
    assert re.search(r"Failed \(\d+\)", out)
    assert "foundations/sensors (Urdu)" in out
    assert owner.rows()["translations_cache"] == before["translations_cache"]
    assert owner.ledger == Ledger(*[owner.charged_for_batches(), 0] * 2)
    owner.claude.adapts(translators.at_first(translators.HOSTILE["mask_dropped"]))
    code, out, err = owner.runs("--language", "ur", *CHAPTER, "--yes", "--batch", "--retry-failed")
    assert code == 0, out + err
    assert "Made: 1 chapter." in out
    assert owner.claude.requests


@pytest.mark.parametrize("killed_at", ["created", "polling", "fetching"])
def test_a_batch_is_paid_for_once_whenever_the_process_is_killed(owner: Owner, killed_at: str) -> None:
    batches = owner.claude.batches
    if killed_at == "created":  # Claude has made it, and nobody was told
        batches.swallows("create")
    elif killed_at == "polling":
        batches.looks = None
    else:
        batches.swallows_results(keep_bytes=4_000)
    process = start("prewarm", *BOTH, "--yes", "--batch", "--poll", "0.1", **owner.environment)
    awaited = {"created": "create", "polling": "retrieve", "fetching": "results"}[killed_at]
    assert batches.wait_for(awaited, 60)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    batches.looks = 1
    for batch in batches.made:
        batches.end(batch)
    assert owner.ledger.reserved > 0
    code, out, err = owner.runs(*BOTH, "--yes", "--batch")
    assert code == 0, out + err
    assert "Made: 2 chapters." in out
    assert len(batches.made) == 1
    assert owner.claude.requests == []
    assert owner.ledger == Ledger(*[owner.charged_for_batches(), 0] * 2)
    assert owner.rows()["claude_batches"] == 0


def test_interrupted_it_says_how_to_go_on_and_loses_nothing(owner: Owner) -> None:
    owner.claude.batches.looks = None
    process = start("prewarm", *BOTH, "--yes", "--batch", "--poll", "0.1", **owner.environment)
    assert owner.claude.batches.wait_for("retrieve", 60)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    assert process.returncode != 0
    assert "run the same command again" in err
    assert "Traceback" not in err
    owner.claude.batches.end(owner.claude.batches.made[0])
    assert owner.runs(*BOTH, "--yes", "--batch")[0] == 0
    assert len(owner.claude.batches.made) == 1
