"""The whole path through HTTP: the sample book, the real stores, a scripted Claude, and each of them gone."""

import asyncio
import shutil
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import numpy as np
import pytest
from pydantic import SecretStr

from backend.app.services.qdrant_service import open_index
from backend.app.utils.config import Settings
from backend.app.utils.embedded import EmbeddedPostgres
from backend.main import create_app
from tests.fakes import claude_wire as wire
from tests.fakes.claude import Body, Content, FakeClaude
from tests.fakes.claude_rules import search_results
from tests.fakes.qdrant import FakeQdrant
from tests.fixtures.accounts import bearer, signup_form
from tests.fixtures.app import AppFactory, Shelf, client_of, running, settings_on_a_copy
from tests.fixtures.database import statements
from tests.fixtures.retrieval import SearchChoice

REFUSAL = "I don't have this information in the book."
AI_BUSY = "AI service is busy. Please retry in a moment."
SEARCH_DOWN = "Sorry, search is temporarily unavailable. Please try again."
NOT_SAVED = "Could not save chat history."
QUESTION = "What is a ROS 2 node?"
SITE = "https://book.example"
PROBLEM = {"type", "title", "status", "detail", "instance", "code", "request_id"}
TELEMETRY = {"response_time", "conversation_id"}


@dataclass
class Running:
    """One application for the whole module: starting one takes longer than asking it."""

    http: httpx2.Client
    claude: FakeClaude
    settings: Settings

    def ask(self, question: str = QUESTION, headers: dict[str, str] | None = None, **body: Any) -> httpx2.Response:
        return self.http.post("/api/chat/ask", json={"question": question, **body}, headers=headers)

    def history(self, headers: dict[str, str]) -> list[dict[str, Any]]:
        return self.http.get("/api/chat/history", headers=headers).json()["history"]


@pytest.fixture(scope="module")
def whole(
    shelf: Shelf, postgres_server: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Running]:
    with ExitStack() as stack:
        claude = stack.enter_context(FakeClaude())
        changes = {"anthropic_api_key": SecretStr("a-key"), "anthropic_base_url": claude.base_url, "site_url": SITE}
        folder = tmp_path_factory.mktemp("whole")
        settings = stack.enter_context(settings_on_a_copy(shelf, postgres_server, folder, **changes))
        http = stack.enter_context(client_of(stack.enter_context(running(create_app(settings)))))
        yield Running(http, claude, settings)


@pytest.fixture
def reader(whole: Running) -> Iterator[dict[str, str]]:
    """The headers of a signed-in reader, who is gone after the test."""
    signed_up = whole.http.post("/api/auth/signup", json=signup_form())
    headers = bearer(signed_up.json()["access_token"])
    yield headers
    whole.http.delete("/api/auth/me", headers=headers)


def assert_problem(response: httpx2.Response, status: int, detail: str) -> None:
    """The one shape, and nothing else in it: no passage, no cause."""
    assert (response.status_code, response.json()["detail"]) == (status, detail)
    assert set(response.json()) == PROBLEM
    assert int(response.headers["retry-after"]) > 0


# --- what an answer carries


def test_a_source_links_to_the_words_in_a_chapter_of_the_book(whole: Running) -> None:
    (source,) = whole.ask().json()["sources"]
    page, _, fragment = source["url"].partition("#")
    anchor, _, directive = fragment.partition(":~:")
    chapters = whole.http.get("/api/chapters").json()["chapters"]
    assert page in {chapter["url"] for chapter in chapters}
    assert page.startswith(f"{SITE}/docs/")
    assert anchor == "nodes"
    assert directive.startswith("text=")
    chapter = whole.http.get(f"/api/chapters/{source['chapter_id']}").json()
    assert chapter["title"] == source["title"]
    assert source["quote"] in chapter["content"]
    assert 0 < source["similarity"] <= 1


def test_response_time_is_in_seconds(whole: Running) -> None:
    whole.claude.says(wire.default_content, delay_s=0.3)
    began = time.monotonic()
    answer = whole.ask().json()
    assert 0.3 <= answer["response_time"] <= time.monotonic() - began


def test_both_names_of_the_call_give_the_same(whole: Running) -> None:
    answers = [
        whole.http.post(f"/api/chat/{name}", json={"question": QUESTION}).json() for name in ("ask", "question")
    ]
    ask, question = ({key: value for key, value in each.items() if key not in TELEMETRY} for each in answers)
    assert ask == question
    assert ask["grounded"]


def test_claude_reads_whole_passages(whole: Running) -> None:
    """Not the first 300 characters of each, and code with all of its lines."""
    whole.ask("How do I write a publisher node in Python?")
    sent = ["".join(part["text"] for part in each["content"]) for each in search_results(whole.claude.last_body)]
    assert max(map(len, sent)) > 600
    code = next(text for text in sent if "```python" in text)
    assert code.count("```") % 2 == 0
    assert max(len(fence) for fence in code.split("```")[1::2]) > 200


@pytest.mark.parametrize("question", ["hi", "Hello!", "thanks", "salam"])
def test_a_greeting_is_a_question_like_any_other(whole: Running, question: str) -> None:
    answer = whole.ask(question).json()
    assert answer["grounded"] is bool(answer["sources"])
    assert answer["grounded"] or answer["answer"] == REFUSAL


@pytest.mark.parametrize("question", ["Which sensors measure force?", "What is this chip for, which shields a node?"])
def test_a_greeting_inside_a_word_is_none(whole: Running, question: str) -> None:
    assert whole.ask(question).json()["sources"]


def test_greetings_around_a_foreign_question_do_not_open_the_gate(whole: Running) -> None:
    asked_before = len(whole.claude.requests)
    answer = whole.ask("Hi! Hello, which chocolate cake shall I bake for my wedding?").json()
    assert (answer["answer"], answer["sources"], answer["grounded"]) == (REFUSAL, [], False)
    assert len(whole.claude.requests) == asked_before


def invented(body: Body) -> Content:
    cited = wire.citation(body) | {"cited_text": "Nodes are made of cheese."}
    return [*wire.default_content(body), wire.text(" "), wire.text("They are cheese.", cited)]


def test_an_invented_quote_is_dropped_with_its_sentence(whole: Running) -> None:
    honest = whole.ask().json()
    whole.claude.says(invented)
    answer = whole.ask().json()
    assert (answer["answer"], answer["sources"]) == (honest["answer"], honest["sources"])
    assert "cheese" not in str(answer)


# --- whose it is


def test_a_user_id_in_the_body_is_nobody(whole: Running, reader: dict[str, str]) -> None:
    other = whole.http.post("/api/auth/signup", json=signup_form("other@example.com")).json()
    their_id = other["id"]
    for headers in (reader, None):
        answer = whole.ask(headers=headers, user_id=their_id, id=their_id, reader=their_id, role="admin")
        assert answer.status_code == 200
    theirs = bearer(other["access_token"])
    assert whole.history(theirs) == []
    assert len(whole.history(reader)) == 1
    assert len(whole.http.get(f"/api/chat/history?user_id={their_id}", headers=reader).json()["history"]) == 1
    assert whole.http.delete(f"/api/chat/history?user_id={their_id}", headers=theirs).json() == {"deleted": 0}
    whole.http.delete("/api/auth/me", headers=theirs)


# --- what a failure costs


def test_when_claude_stays_down_the_reader_is_told_and_nothing_is_saved(
    whole: Running, reader: dict[str, str]
) -> None:
    asked_before = len(whole.claude.requests)
    whole.claude.fails(529, times=4)
    assert_problem(whole.ask(headers=reader), 503, AI_BUSY)
    assert len(whole.claude.requests) == asked_before + 4
    assert whole.history(reader) == []
    assert whole.ask(headers=reader).json()["grounded"]


def _set_reachable(server: EmbeddedPostgres, settings: Settings, reachable: bool) -> None:
    """Hides a database from its clients, or shows it again."""
    assert settings.database_url
    name = settings.database_url.get_secret_value().split("/")[3].partition("?")[0]
    with statements(server.dsn) as cursor:
        cursor.execute(f"ALTER DATABASE {name} WITH ALLOW_CONNECTIONS {reachable}")
        cursor.execute("SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = %s", (name,))


def test_a_database_that_dies_during_the_answer_costs_only_the_history(
    whole: Running, reader: dict[str, str], postgres_server: EmbeddedPostgres
) -> None:
    def dies(body: Body) -> Content:
        _set_reachable(postgres_server, whole.settings, False)
        return wire.default_content(body)

    whole.claude.says(dies)
    try:
        response = whole.ask(headers=reader)
        assert response.status_code == 200
        assert response.json()["warning"] == NOT_SAVED
        assert response.json()["grounded"]
        assert whole.ask().status_code == 200  # who is anonymous does not need a database
        refused = whole.http.get("/api/chat/history", headers=reader)
        assert_problem(refused, 503, "The database is temporarily unavailable. Please try again.")
        assert whole.http.get("/api/health").status_code == 200
        assert whole.http.get("/health/live").status_code == 200
        ready = whole.http.get("/health/ready")
        assert (ready.status_code, ready.json()["checks"]["database"]) == (503, "database_unavailable")
    finally:
        _set_reachable(postgres_server, whole.settings, True)
    assert whole.history(reader) == []
    assert whole.ask(headers=reader).json()["warning"] is None


async def _copy_index(source: SearchChoice, target: SearchChoice) -> None:
    """Fill a server with what a folder holds: embedding the sample book again would take ten seconds."""
    local, remote = open_index(source), open_index(target)
    version = await local.active_version()
    assert version
    vectors = await local.stored_vectors(version.partition("-")[0])
    await remote.create(version, 384)
    for chapter_id in await local.chapter_ids():
        chunks = await local.chapter_chunks(chapter_id)
        await remote.add(version, chunks, np.stack([vectors[chunk.content_hash] for chunk in chunks]))
    await remote.write_manifest(version, await local.manifest())
    await remote.activate(version)
    await local.close()
    await remote.close()


@pytest.fixture
def filled_qdrant(shelf: Shelf, fake_qdrant: FakeQdrant, tmp_path: Path) -> FakeQdrant:
    folder = tmp_path / "copied"
    shutil.copytree(shelf.data_dir, folder)
    asyncio.run(_copy_index(SearchChoice(folder), SearchChoice(folder, qdrant_url=fake_qdrant.url)))
    return fake_qdrant


def test_when_qdrant_is_gone_the_reader_is_told_and_claude_is_not_asked(
    start_app: AppFactory, filled_qdrant: FakeQdrant, claude: FakeClaude
) -> None:
    http = start_app(
        qdrant_url=filled_qdrant.url, anthropic_api_key=SecretStr("a-key"), anthropic_base_url=claude.base_url
    )
    body = {"question": QUESTION}
    assert http.post("/api/chat/ask", json=body).json()["grounded"]
    headers = bearer(http.post("/api/auth/signup", json=signup_form()).json()["access_token"])
    asked_before = len(claude.requests)
    filled_qdrant.fails(500)
    assert_problem(http.post("/api/chat/ask", json=body, headers=headers), 503, SEARCH_DOWN)
    filled_qdrant.works()
    assert http.post("/api/chat/ask", json=body).json()["grounded"]
    filled_qdrant.stop()
    for path in ("ask", "question", "selected-text"):
        response = http.post(f"/api/chat/{path}", json=body | {"selected_text": "A node"}, headers=headers)
        assert_problem(response, 503, SEARCH_DOWN)
    assert len(claude.requests) == asked_before + 1
    assert http.get("/api/chat/history", headers=headers).json() == {"history": []}
    assert http.get("/health/ready").json()["checks"] == {"database": "ok", "search": "search_unavailable"}


def test_readers_do_not_wait_for_each_other_s_claude(whole: Running) -> None:
    """Ten answers of half a second each, asked at once, take far less than five seconds."""
    whole.claude.says(wire.default_content, delay_s=0.5, times=10)
    with ThreadPoolExecutor(10) as pool:
        began = time.monotonic()
        answers = list(pool.map(lambda _: whole.ask(), range(10)))
    assert [answer.status_code for answer in answers] == [200] * 10
    assert time.monotonic() - began < 4
