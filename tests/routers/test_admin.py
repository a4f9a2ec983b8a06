"""The owner's report over HTTP, of an application that was really asked: its numbers are the ledger's."""

import csv
import io
import json
from collections import Counter
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx2
import pytest
from prometheus_client.parser import text_string_to_metric_families
from pydantic import SecretStr

from backend.app.services.claude_prices import MICROUSD
from backend.app.utils.config import Settings
from backend.main import create_app
from tests.fakes import claude_wire as wire
from tests.fakes.claude import FakeClaude
from tests.fixtures.accounts import bearer, signup_form
from tests.fixtures.app import client_of, running
from tests.fixtures.budget import read_ledger
from tests.fixtures.processes import OwnSettings, as_environment, run

TOKEN = "qX7dKp2Vt9mRz4wLs8cYh3nBf6gJa1eU"
OWNER = bearer(TOKEN)
NODE = {"question": "What is a ROS 2 node?"}
URDU = "روس ٹو نوڈ کیا ہے؟"
RICE = ["How do I cook rice?", "how do i cook rice", "How can I cook rice?"]


@pytest.fixture
def settings(own_settings: OwnSettings, claude: FakeClaude) -> Settings:
    return own_settings(
        anthropic_api_key=SecretStr("sk-test"),
        anthropic_base_url=claude.base_url,
        admin_token=SecretStr(TOKEN),
        rate_limit_anonymous_questions_per_hour=6,
    )


def dsn_of(settings: Settings) -> str:
    assert settings.database_url
    return settings.database_url.get_secret_value()


def ask(http: httpx2.Client, question: str = NODE["question"], **headers: str) -> int:
    return http.post("/api/chat/ask", json={"question": question}, headers=headers).status_code


def a_day(http: httpx2.Client, claude: FakeClaude) -> None:
    """Eight questions of a reader (one streamed, one that Claude leaves open, one in Urdu), three about rice and
    two anonymous ones that are one too many; and somebody reads the sample book's first chapter in Urdu."""
    token = http.post("/api/auth/signup", json=signup_form()).json()["access_token"]
    claude.rewrites({URDU: NODE["question"]})
    cached = {"input_tokens": 500, "output_tokens": 70, "cache_read_input_tokens": 1_500}
    claude.says(lambda body: [wire.text("A node computes.", wire.citation(body))], usage=cached)
    for _ in range(5):
        assert ask(http, **bearer(token)) == 200
    assert ask(http, URDU, **bearer(token)) == 200
    claude.says("I don't have this information in the book.")
    assert ask(http, "Why is a ROS 2 node written in green ink?", **bearer(token)) == 200
    with http.stream("POST", "/api/chat/ask/stream", json=NODE, headers=bearer(token)) as response:
        assert "[DONE]" in response.read().decode()
    assert [ask(http, question) for question in RICE] == [200, 200, 200]
    assert [ask(http) for _ in range(5)] == [200, 200, 200, 429, 429]
    assert http.get("/api/translate/cache/intro/ur").status_code == 200


def counts(report: dict[str, Any]) -> Counter[tuple[str, ...]]:
    found: Counter[tuple[str, ...]] = Counter()
    for event in report["events"]:
        found[(event["event"], *event["labels"].values())] += event["count"]
    return found


def test_the_report_agrees_with_the_ledger_to_the_microdollar(
    settings: Settings, claude: FakeClaude, tmp_path: Path
) -> None:
    with running(create_app(settings)) as base_url, client_of(base_url) as http:
        a_day(http, claude)
        scraped = http.get("/metrics", headers=OWNER)
    with running(create_app(settings)) as base_url, client_of(base_url) as http:
        report = http.get("/api/admin/usage", params={"days": 2}, headers=OWNER).json()
    ledger = read_ledger(dsn_of(settings))
    spending = report["spending"]
    assert spending["cost_microusd"] == spending["today_microusd"] == ledger.spent == ledger.spent_in_rows > 0
    assert sum(line["cost_microusd"] for line in spending["lines"]) == ledger.spent
    assert sum(line["calls"] for line in spending["lines"]) == len(claude.requests)
    assert [line["feature"] for line in spending["lines"]] == ["answer", "rewrite"]

    seen = counts(report)
    assert seen["answers", "claude", "not_in_book"] == 4
    assert seen["answers", "claude", "answered"] == 10
    assert (seen["refusals", "gate"], seen["refusals", "model"]) == (3, 1)
    assert seen["rate_limited", "questions"] == 2
    assert seen["chapter_cache", "translation", "hit"] == 1
    stages = {stage["stage"]: stage["count"] for stage in report["stages"]}
    assert stages["answer"] == stages["understand"] == 14
    assert stages["embed"] == stages["search"] >= 14
    assert (stages["claude_answer"], stages["check"], stages["claude_rewrite"]) == (11, 11, 1)
    assert (stages["first_token"], stages["save"]) == (1, 8)
    assert all(0 <= stage["p50_ms"] <= stage["p95_ms"] for stage in report["stages"])
    prompt = report["caches"][0]
    assert prompt["hits"] == 1_500
    assert prompt["hit_rate"] == round(1_500 / (1_500 + prompt["misses"]), 4)

    (rice,) = [topic for topic in report["unanswered"] if topic["questions"][0]["question"].lower().endswith("rice")]
    assert rice["asked"] == rice["questions"][0]["asked"] == 3
    assert rice["questions"][0]["other_wordings"] == ["How can I cook rice?"]
    assert "sana" not in json.dumps(report).lower()

    check_metrics(scraped.text, ledger.spent)
    check_command(settings, report, tmp_path)


def check_metrics(text: str, spent_microusd: int) -> None:
    values = {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }
    cost = sum(value for (name, *_), value in values.items() if name == "textbook_claude_cost_usd_total")
    assert round(cost * MICROUSD) == spent_microusd
    assert values["textbook_http_requests_total", "POST", "/api/chat/ask", "429"] == 2
    assert values["textbook_rate_limited_total", "questions"] == 2
    assert values["textbook_chapter_cache_total", "translation", "hit"] == 1
    assert values["textbook_stage_seconds_count", "answer"] == 14
    assert values["textbook_pool_threads", "database"] == 2


def check_command(settings: Settings, report: dict[str, Any], folder: Path) -> None:
    """`python -m backend usage` tells the same, in every form."""
    table, picture = folder / "usage.csv", folder / "usage.png"
    environment = as_environment(settings)
    code, out, err = run("usage", "--days", "2", "--json", "--csv", str(table), "--png", str(picture), **environment)
    assert code == 0, err
    told = json.loads(out)
    for part in ("spending", "caches", "events", "stages", "unanswered"):
        assert told[part] == report[part] or part == "spending"
    assert told["spending"]["lines"] == report["spending"]["lines"]
    rows = list(csv.DictReader(io.StringIO(table.read_text(encoding="utf-8"))))
    cost = sum(Decimal(row["cost_usd"]) for row in rows)
    assert cost * MICROUSD == report["spending"]["cost_microusd"]
    assert picture.read_bytes().startswith(b"\x89PNG")

    code, out, err = run("usage", "--days", "2", **environment)
    assert code == 0, err
    dollars = report["spending"]["cost_microusd"] / MICROUSD
    assert f"{dollars:.6f}" in out
    assert f"Claude cost ${dollars:.4f}" in out
    assert "3 x how do i cook rice" in out
    assert TOKEN not in out + err


def test_paths_that_readers_make_up_make_no_series(start_app: Callable[..., httpx2.Client]) -> None:
    http = start_app(admin_token=SecretStr(TOKEN))
    for number in range(20):
        http.get(f"/nothing/{number}")
        http.get(f"/api/chapters/unknown-{number}")
        http.request("FROBNICATE", f"/api/chapters/{number}")
    text = http.get("/metrics", headers=OWNER).text
    series = [line for line in text.splitlines() if line.startswith("textbook_http_requests_total")]
    assert 'route="none",status="404"} 20.0' in text
    assert 'method="GET",route="/api/chapters/{chapter_id}",status="404"} 20.0' in text
    assert 'method="other"' in text
    assert "FROBNICATE" not in text
    assert len(series) <= 5


@pytest.mark.parametrize("days", ["0", "401", "-1", "x", "1.5"])
def test_so_many_days_there_are_not(start_app: Callable[..., httpx2.Client], days: str) -> None:
    http = start_app(admin_token=SecretStr(TOKEN))
    assert http.get("/api/admin/usage", params={"days": days}, headers=OWNER).status_code == 422


def test_without_a_database_the_report_is_unavailable_and_metrics_are_not(
    start_app: Callable[..., httpx2.Client],
) -> None:
    away = SecretStr("postgresql://nobody@127.0.0.1:9/none?connect_timeout=1")
    http = start_app(admin_token=SecretStr(TOKEN), database_url=away)
    response = http.get("/api/admin/usage", headers=OWNER)
    assert (response.status_code, response.json()["code"]) == (503, "database_unavailable")
    assert http.get("/metrics", headers=OWNER).status_code == 200
