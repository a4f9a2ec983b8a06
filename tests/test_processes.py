"""The backend as real processes: what it logs, what two of them share, how one begins and how one ends."""

import json
import re
import shutil
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass

import httpx2
import pytest

from backend.app.serving import DRAIN_S
from backend.app.utils.embedded import EmbeddedPostgres
from tests.fakes import claude_wire as wire
from tests.fakes.claude import Body, Content, FakeClaude
from tests.fixtures.accounts import bearer, signup_form
from tests.fixtures.app import Shelf, client_of, settings_on_a_copy
from tests.fixtures.database import public_folder, statements
from tests.fixtures.processes import KEY, Backend, as_environment, processes_of, started

QUESTION = {"question": "What is a ROS 2 node?"}
API_KEY = "sk-ant-canary-of-the-key-1f2e"


@dataclass
class Pair:
    """Two processes over one database, as while a deployment replaces one by the other."""

    first: Backend
    second: Backend
    claude: FakeClaude
    database_url: str

    def clients(self) -> tuple[httpx2.Client, httpx2.Client]:
        return client_of(self.first.url), client_of(self.second.url)


@pytest.fixture(scope="module")
def pair(shelf: Shelf, postgres_server: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    folder = tmp_path_factory.mktemp("pair")
    with ExitStack() as stack:
        claude = stack.enter_context(FakeClaude())
        settings = stack.enter_context(settings_on_a_copy(shelf, postgres_server, folder))
        shutil.copytree(settings.data_dir, folder / "second")  # one process only may use an embedded index
        environment = as_environment(settings) | {"ANTHROPIC_API_KEY": API_KEY, "ANTHROPIC_BASE_URL": claude.base_url}
        command = ("serve", "--port", "0")
        first = stack.enter_context(started(*command, **environment, LOG_LEVEL="DEBUG"))
        second = stack.enter_context(started(*command, **environment | {"DATA_DIR": str(folder / "second")}))
        yield Pair(first, second, claude, environment["DATABASE_URL"])


def test_a_logout_on_one_process_ends_the_login_on_the_other(pair: Pair) -> None:
    first, second = pair.clients()
    with first, second:
        signed_up = first.post("/api/auth/signup", json=signup_form("both@example.com")).json()
        logged_in = second.post("/api/auth/login", json=signup_form("both@example.com")).json()
        for token in (signed_up["access_token"], logged_in["access_token"]):
            assert [http.get("/api/auth/me", headers=bearer(token)).status_code for http in (first, second)] == [
                200
            ] * 2
        assert second.post("/api/auth/logout", headers=bearer(logged_in["access_token"])).status_code == 200
        for token in (signed_up["access_token"], logged_in["access_token"]):
            assert [http.get("/api/auth/me", headers=bearer(token)).status_code for http in (first, second)] == [
                401
            ] * 2


def test_history_and_conversations_are_the_same_on_both(pair: Pair) -> None:
    first, second = pair.clients()
    with first, second:
        token = first.post("/api/auth/signup", json=signup_form("thread@example.com")).json()["access_token"]
        asked = first.post("/api/chat/ask", json=QUESTION, headers=bearer(token)).json()
        thread = asked["conversation_id"]
        again = second.post(
            "/api/chat/ask", json=QUESTION | {"conversation_id": thread}, headers=bearer(token)
        ).json()
        assert again["conversation_id"] == thread
        assert len(second.get("/api/chat/history", headers=bearer(token)).json()["history"]) == 2


def test_only_one_process_wins_an_address(pair: Pair) -> None:
    clients = pair.clients()
    with clients[0], clients[1], ThreadPoolExecutor(8) as pool:
        form = signup_form("race@example.com")
        answers = list(pool.map(lambda n: clients[n % 2].post("/api/auth/signup", json=form).status_code, range(12)))
    assert sorted(answers) == [201] + [400] * 11


CANARY = "canary7f3a"
EMAIL = f"{CANARY}.mail@example.com"
PASSWORDS = [f"{CANARY} password", f"{CANARY} password two"]
BREAKING = 'a\r\n\x1b[31m"}{"event": "forged"'  # what would break a line, a terminal or a parser


def whole_session(pair: Pair, http: httpx2.Client) -> list[str]:
    """Every call with a canary in each text it takes, failures included. -> the tokens it was given."""

    def cited(body: Body) -> Content:
        return [wire.text(f"A node computes, {CANARY}.", wire.citation(body))]

    def dies(body: Body) -> Content:
        _close_to_clients(pair, False)
        return cited(body)

    form = signup_form(EMAIL, password=PASSWORDS[0], name=f"{CANARY} {BREAKING}"[:60].replace("\x1b", ""))
    signed_up = http.post("/api/auth/signup", json=form)
    assert signed_up.status_code == 201, signed_up.text
    tokens = [signed_up.json()["access_token"]]
    http.post("/api/auth/signup", json=form)
    http.post("/api/auth/signup", json=form | {"email": f"{CANARY}-no-address", "password": CANARY[:5]})
    http.post("/api/auth/login", json={"email": EMAIL, "password": f"{CANARY} wrong"})
    http.post("/api/auth/login", json={"email": f"{CANARY}@nowhere.example", "password": PASSWORDS[0]})
    question = {"question": f"What is a ROS 2 node? {CANARY} {BREAKING}", "selected_text": f"{CANARY} {BREAKING}"}
    pair.claude.says(cited)
    for path in ("ask", "question", "selected-text"):
        assert http.post(f"/api/chat/{path}", json=question, headers=bearer(tokens[0])).status_code == 200
    pair.claude.fails(400, message=f"no {CANARY} {BREAKING}")
    assert http.post("/api/chat/ask", json=question, headers=bearer(tokens[0])).status_code == 503
    pair.claude.says(dies)
    answer = http.post("/api/chat/ask", json=question, headers=bearer(tokens[0])).json()
    assert answer["warning"] == "Could not save chat history."
    assert http.get("/api/auth/me", headers=bearer(tokens[0])).status_code == 503
    assert http.post("/api/auth/login", json={"email": EMAIL, "password": PASSWORDS[0]}).status_code == 503
    _close_to_clients(pair, True)
    http.post("/api/chat/ask", json={"question": [CANARY]})
    http.post("/api/chat/ask", content=f'{{"question": "{CANARY}', headers={"content-type": "application/json"})
    http.post("/api/chat/ask", json=question, headers=bearer(f"{CANARY}.{CANARY}.{CANARY}"))
    http.get(f"/api/chat/history?limit={CANARY}", headers=bearer(tokens[0]))
    http.get("/api/chapters/a%0d%0a%1b%5b31m%22%7d", headers={"x-request-id": f"{CANARY} not an id"})
    http.put("/api/user/settings", json={"name": f"{CANARY} again"}, headers=bearer(tokens[0]))
    change = {"current_password": PASSWORDS[0], "new_password": PASSWORDS[1]}
    tokens.append(http.post("/api/auth/password", json=change, headers=bearer(tokens[0])).json()["access_token"])
    assert http.post("/api/auth/logout", headers=bearer(tokens[1])).status_code == 200
    login = http.post("/api/auth/login", json={"email": EMAIL, "password": PASSWORDS[1]})
    tokens.append(login.json()["access_token"])
    assert http.delete("/api/auth/me", headers=bearer(tokens[2])).status_code == 204
    return tokens


def _close_to_clients(pair: Pair, reachable: bool) -> None:
    name = pair.database_url.split("/")[3].partition("?")[0]
    with statements(pair.database_url.replace(f"/{name}?", "/postgres?")) as cursor:
        cursor.execute(f"ALTER DATABASE {name} WITH ALLOW_CONNECTIONS {reachable}")
        cursor.execute("SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = %s", (name,))


def test_no_line_of_a_whole_session_holds_what_readers_wrote_or_a_secret(pair: Pair) -> None:
    begins = len(pair.first.lines)
    with client_of(pair.first.url) as http:
        tokens = whole_session(pair, http)
        last = http.get("/api/health", headers={"x-request-id": "the-last-request-of-it"})
    assert last.status_code == 200
    pair.first.wait_for("the-last-request-of-it")
    session = pair.first.lines[begins:]
    events = [json.loads(line) for line in session]
    assert {"request_served", "citations_checked", "chat_history_not_saved", "dependency_failed"} <= {
        event["event"] for event in events
    }
    assert len([event for event in events if event["event"] == "request_served"]) > 20
    told = "".join(pair.first.lines)
    assert CANARY not in told
    assert [secret for secret in (*tokens, KEY, API_KEY, "canary-of-the-key", "forged") if secret in told] == []


# --- how it begins and ends


def asks(address: str) -> httpx2.Response:
    return httpx2.post(f"{address}/api/chat/ask", json=QUESTION, timeout=60)


def streams(address: str, begun: threading.Event) -> str:
    """-> all that was told; `begun` is set with the first frame."""
    told = ""
    with httpx2.stream("POST", f"{address}/api/chat/ask/stream", json=QUESTION, timeout=60) as response:
        for text in response.iter_text():
            told += text
            begun.set()
    return told


def test_a_question_in_flight_is_answered_before_sigterm_ends_everything(shelf: Shelf, claude: FakeClaude) -> None:
    """With the embedded database, which must be gone with the process."""
    answering = threading.Event()

    def slowly(body: Body) -> Content:
        answering.wait(60)
        return wire.default_content(body)

    claude.says(slowly, times=2)
    begun = threading.Event()
    with public_folder() as folder, ThreadPoolExecutor(2) as pool:
        shutil.copytree(shelf.data_dir / "qdrant", folder / "qdrant")  # the index alone; the database starts empty
        settings = {"ANTHROPIC_API_KEY": "a-key", "ANTHROPIC_BASE_URL": claude.base_url, "DATA_DIR": str(folder)}
        with started("serve", "--port", "0", **settings) as backend:
            address = backend.url
            asked = pool.submit(asks, address)
            assert claude.received.wait(60)
            streamed = pool.submit(streams, address, begun)
            assert begun.wait(60)
            try:
                assert processes_of(folder), "the embedded database runs"
                backend.process.send_signal(signal.SIGTERM)
                backend.wait_for("Waiting for")
                with pytest.raises(httpx2.ConnectError):
                    asks(address)
            finally:
                answering.set()
            answer = asked.result(60)
            assert (answer.status_code, answer.json()["grounded"]) == (200, True)
            assert '"grounded":true' in streamed.result(60)
            assert streamed.result().endswith("data: [DONE]\n\n")
            assert backend.process.wait(DRAIN_S) == 0
        assert processes_of(folder) == []
        assert [json.loads(line) for line in backend.lines]


def test_the_first_start_under_plain_uvicorn_indexes_the_sample_book_and_answers() -> None:
    """`uvicorn backend.main:app` in an empty folder: no setting, no key, no store."""
    with (
        public_folder() as folder,
        started("backend.main:app", "--port", "0", module="uvicorn", DATA_DIR=str(folder)) as backend,
    ):
        address = re.search(r"http://127\.0\.0\.1:\d+", backend.wait_for("Uvicorn running on"))
        assert address
        answer = asks(address[0]).json()
        assert (answer["mode"], answer["grounded"]) == ("extractive", True)
        assert len(httpx2.get(f"{address[0]}/api/chapters").json()["chapters"]) == 6
        assert backend.stop() == -signal.SIGTERM  # uvicorn ends by the signal itself, after closing everything
        assert processes_of(folder) == []
