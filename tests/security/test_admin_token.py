"""What is the owner's is nobody else's: no other token, no other place for it, no proxy that looks like home."""

import ast
import inspect
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any

import httpx2
import pytest
from pydantic import SecretStr, ValidationError
from structlog.testing import capture_logs

from backend.app import owner
from backend.app.errors import ConfigurationError
from backend.app.owner import is_admin_token
from backend.app.services.metrics import Metrics
from backend.app.services.tally import Tally
from backend.app.utils.auth import TokenSigner
from backend.app.utils.client_address import is_this_machine
from backend.app.utils.config import Settings, load_settings
from backend.main import create_app
from tests.fixtures.accounts import bearer
from tests.fixtures.api_document import check_status_async

pytestmark = pytest.mark.anyio

TOKEN = "qX7dKp2Vt9mRz4wLs8cYh3nBf6gJa1eU"
HERE = {"host": "127.0.0.1:8000"}
WRONG = [
    *("", " ", "null", "x", TOKEN[:-1], TOKEN + "x", TOKEN.lower(), TOKEN[::-1], f"{TOKEN},{TOKEN}", f'"{TOKEN}"'),
    *("é" * 32, "\x00", "0" * 10_000),
]


@pytest.mark.parametrize("given", [None, *WRONG, f" {TOKEN}", f"{TOKEN} ", "\ud800"])
def test_only_the_token_itself_is_the_token(given: str | None) -> None:
    assert not is_admin_token(given, SecretStr(TOKEN))


def test_the_token_is_the_token() -> None:
    assert is_admin_token(TOKEN, SecretStr(TOKEN))


def test_tokens_are_only_ever_compared_in_constant_time() -> None:
    """A stopwatch in a test would measure the machine: this looks at the code."""
    tree = ast.parse(inspect.getsource(owner))
    compared = [
        side
        for node in ast.walk(tree)
        if isinstance(node, ast.Compare)
        for side in (node.left, *node.comparators)
        if isinstance(side, ast.Name | ast.Attribute)
    ]
    names = {side.id if isinstance(side, ast.Name) else side.attr for side in compared}
    assert not names & {"token", "given", "expected", "get_secret_value"}
    assert "hmac.compare_digest(_hash(given" in inspect.getsource(is_admin_token)


@pytest.mark.parametrize(
    "weak", ["", "short", TOKEN[:31], "a" * 64, TOKEN[:20] + " " + TOKEN, "your-admin-token" * 3]
)
def test_a_token_that_can_be_guessed_or_sent_by_nobody_is_refused(weak: str) -> None:
    with pytest.raises(ValidationError) as caught:
        Settings(admin_token=SecretStr(weak))
    assert weak == "" or weak not in str(caught.value)


def test_an_empty_setting_is_none_and_a_weak_one_a_problem_that_does_not_repeat_it() -> None:
    assert load_settings({"ADMIN_TOKEN": " ", "SECRET_KEY": TOKEN}, None).admin_token is None
    with pytest.raises(ConfigurationError) as caught:
        load_settings({"ADMIN_TOKEN": "hunter2"}, None)
    (problem,) = caught.value.problems
    assert problem.startswith("ADMIN_TOKEN must be at least 32")
    assert "hunter2" not in problem
    assert TOKEN not in repr(Settings(admin_token=SecretStr(TOKEN)))


class NoReport:
    async def report(self, days: int) -> Any:
        raise AssertionError("nobody may come this far")


@asynccontextmanager
async def serving(peer: str | None, **changes: Any) -> AsyncIterator[httpx2.AsyncClient]:
    """A client at this address of an application that has only what the owner's calls need."""
    tally = Tally()
    app = create_app(settings := Settings(**changes))
    app.state.services = SimpleNamespace(settings=settings, tally=tally, usage=NoReport(), metrics=Metrics(tally, {}))
    transport = httpx2.ASGITransport(app, client=(peer, 1) if peer else None)  # pyright: ignore[reportArgumentType]
    hooks = {"response": [check_status_async]}
    async with httpx2.AsyncClient(transport=transport, base_url="http://test", event_hooks=hooks) as http:
        yield http


ELSEWHERE: list[dict[str, Any]] = [
    {},
    {"params": {"token": TOKEN, "admin_token": TOKEN}},
    {"headers": {"x-admin-token": TOKEN}},
    {"headers": {"cookie": f"admin_token={TOKEN}; token={TOKEN}"}},
    {"headers": {"authorization": TOKEN}},
    {"headers": {"authorization": f"Basic {TOKEN}"}},
    {"headers": [("authorization", f"Bearer {TOKEN}"), ("authorization", f"Bearer {TOKEN}")]},
    {"headers": {"proxy-authorization": f"Bearer {TOKEN}"}},
]


@pytest.mark.parametrize("path", ["/api/admin/usage", "/metrics"])
@pytest.mark.parametrize("where", ELSEWHERE)
async def test_the_token_counts_in_its_one_header_only(path: str, where: dict[str, Any]) -> None:
    async with serving("127.0.0.1", admin_token=SecretStr(TOKEN)) as http:
        response = await http.get(path, **where)
    assert response.status_code == (404 if path == "/metrics" else 401)
    assert TOKEN not in response.text


@pytest.mark.parametrize("wrong", [token for token in WRONG if token.isprintable() and token.isascii()])
async def test_a_wrong_token_is_refused_and_never_logged(wrong: str) -> None:
    async with serving("127.0.0.1", admin_token=SecretStr(TOKEN)) as http:
        with capture_logs() as logs:
            refused = await http.get("/api/admin/usage", headers=bearer(wrong))
            hidden = await http.get("/metrics", headers=bearer(wrong) | HERE)
    assert (refused.status_code, refused.json()["code"]) == (401, "invalid_admin_token")
    assert refused.headers["www-authenticate"] == "Bearer"
    assert hidden.status_code == 404
    assert "admin_token_refused" in str(logs)
    assert TOKEN not in str(logs)
    assert len(wrong) < 8 or wrong not in str(logs)


async def test_a_readers_login_is_not_the_owners() -> None:
    async with serving("127.0.0.1", admin_token=SecretStr(TOKEN)) as http:
        login = TokenSigner("a secret of the tests, long enough to sign", 60).issue(1, 0)
        assert (await http.get("/api/admin/usage", headers=bearer(login))).status_code == 401
        assert (await http.get("/metrics", headers=bearer(login) | HERE)).status_code == 404


@pytest.mark.parametrize("token", ["", "null", TOKEN])
async def test_without_the_setting_there_is_no_report_not_even_at_home(token: str) -> None:
    async with serving("127.0.0.1") as http:
        response = await http.get("/api/admin/usage", headers=bearer(token) | HERE)
    assert (response.status_code, response.json()["code"]) == (404, "not_found")


async def test_with_the_token_metrics_are_shown_anywhere_and_without_it_not_even_at_home() -> None:
    async with serving("203.0.113.7", admin_token=SecretStr(TOKEN)) as http:
        assert (await http.get("/metrics", headers=bearer(TOKEN))).status_code == 200
    async with serving("127.0.0.1", admin_token=SecretStr(TOKEN)) as http:
        assert (await http.get("/metrics", headers=HERE)).status_code == 404


@pytest.mark.parametrize(
    ("peer", "headers", "changes"),
    [
        ("203.0.113.7", {}, {}),
        ("10.0.0.1", {}, {}),
        (None, {}, {}),
        ("::ffff:10.0.0.1", {}, {}),
        ("127.0.0.1", {"x-forwarded-for": "127.0.0.1"}, {}),
        ("127.0.0.1", {"x-forwarded-for": ""}, {}),
        ("127.0.0.1", {"X-Forwarded-Proto": "https"}, {}),
        ("127.0.0.1", {"x-forwarded-host": "book.example"}, {}),
        ("127.0.0.1", {"forwarded": "for=127.0.0.1"}, {}),
        ("127.0.0.1", {"x-real-ip": "127.0.0.1"}, {}),
        ("127.0.0.1", {"via": "1.1 proxy"}, {}),
        ("127.0.0.1", {"cf-connecting-ip": "203.0.113.7"}, {}),
        ("127.0.0.1", {"host": "book.example"}, {}),
        ("127.0.0.1", {"host": "localhost.evil.example"}, {}),
        ("127.0.0.1", {"host": "127.0.0.1.evil.example:8000"}, {}),
        ("127.0.0.1", {"host": ""}, {}),
        ("127.0.0.1", {}, {"trusted_proxy_hops": 1}),
    ],
)
async def test_where_no_token_is_set_only_this_machine_sees_metrics(
    peer: str | None, headers: dict[str, str], changes: dict[str, Any]
) -> None:
    async with serving(peer, **changes) as http:
        response = await http.get("/metrics", headers=HERE | headers)
    assert (response.status_code, response.json()["code"]) == (404, "not_found")


@pytest.mark.parametrize(
    ("peer", "host"),
    [
        ("127.0.0.1", "127.0.0.1:8000"),
        ("127.0.0.1", "localhost"),
        ("127.8.9.1", "LOCALHOST:9"),
        ("::1", "[::1]:8000"),
        ("::ffff:127.0.0.1", "localhost:8000"),
    ],
)
async def test_on_this_machine_metrics_are_shown(peer: str, host: str) -> None:
    assert is_this_machine(peer, host, ["host", "accept", "user-agent"])
    async with serving(peer) as http:
        assert (await http.get("/metrics", headers={"host": host})).status_code == 200


@pytest.mark.parametrize("peer", ["::2", "::1%eth0", "::7f00:1", "1.27.0.1", "localhost", "", "127.0.0.1.evil"])
def test_an_address_that_only_looks_like_home_is_not(peer: str) -> None:
    assert not is_this_machine(peer, "localhost", [])


async def test_neither_answer_is_kept_by_anything_in_between() -> None:
    async with serving("127.0.0.1") as http:
        for path in ("/metrics", "/api/admin/usage"):
            assert (await http.get(path, headers=HERE)).headers["cache-control"] == "no-store"
