"""The frame around every request: one error shape, bounds on the body, ids, and nothing hostile becomes a 500."""

import json
from collections.abc import AsyncIterator
from typing import Literal

import httpx2
import pytest
from fastapi import FastAPI
from pydantic import BaseModel, Field

from backend.app.errors import EmailTaken, InvalidToken, SearchUnavailable
from backend.app.middleware import RequestEnvelope
from backend.app.problems import install_problem_handlers

pytestmark = pytest.mark.anyio


class Body(BaseModel):
    question: str
    limit: int = Field(5, ge=1, le=9)
    kind: Literal["short", "long"] = "short"


def _app() -> FastAPI:
    app = FastAPI()
    install_problem_handlers(app)
    app.add_middleware(RequestEnvelope, https_only=True)

    @app.post("/echo")
    async def echo(body: Body) -> dict[str, int]:
        return {"length": len(body.question)}

    @app.get("/fails/{how}")
    async def fails(how: str) -> None:
        raise {"taken": EmailTaken, "token": InvalidToken, "search": SearchUnavailable}.get(how, ZeroDivisionError)()

    return app


@pytest.fixture
async def http() -> AsyncIterator[httpx2.AsyncClient]:
    transport = httpx2.ASGITransport(_app())
    async with httpx2.AsyncClient(transport=transport, base_url="http://test") as client:
        yield client


def assert_problem(response: httpx2.Response, status: int, code: str) -> dict[str, object]:
    problem = response.json()
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    assert problem["status"] == status
    assert problem["code"] == code
    assert isinstance(problem["detail"], str)
    assert problem["detail"]
    assert problem["request_id"] == response.headers["x-request-id"]
    return problem


async def test_our_own_failures_keep_their_sentence_and_headers(http: httpx2.AsyncClient) -> None:
    taken = assert_problem(await http.get("/fails/taken"), 400, "email_taken")
    assert taken["detail"] == "This e-mail is already registered. Log in instead."
    token = await http.get("/fails/token")
    assert_problem(token, 401, "invalid_token")
    assert token.headers["www-authenticate"] == 'Bearer error="invalid_token"'
    search = await http.get("/fails/search")
    assert_problem(search, 503, "search_unavailable")
    assert int(search.headers["retry-after"]) > 0


async def test_a_bug_is_a_500_that_tells_nothing_of_itself(http: httpx2.AsyncClient) -> None:
    response = await http.get("/fails/bug")
    assert_problem(response, 500, "internal_error")
    assert "ZeroDivision" not in response.text


async def test_unknown_addresses_and_methods_have_the_same_shape(http: httpx2.AsyncClient) -> None:
    assert_problem(await http.get("/nowhere"), 404, "not_found")
    response = await http.get("/echo")
    assert_problem(response, 405, "method_not_allowed")
    assert response.headers["allow"] == "POST"


async def test_field_errors_stand_beside_a_readable_detail(http: httpx2.AsyncClient) -> None:
    response = await http.post("/echo", json={"limit": "secret-value"})
    problem = assert_problem(response, 422, "validation_failed")
    assert [error["field"] for error in problem["errors"]] == ["question", "limit"]  # type: ignore[index,union-attr]
    assert "question: This field is required." in str(problem["detail"])
    assert "secret-value" not in response.text


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b'"text"',
        b"{",
        b'{"question": NaN}',
        b'{"question": "a", "limit": 1e999}',
        b'{"question": "a", "limit": -Infinity}',
        b'{"question": "a", "limit": ' + b"9" * 5000 + b"}",
        b"[" * 100_000,
        b'{"question": ' * 5_000,
        b'{"question": "\xff\xfe"}',
        b"\xef\xbb\xbf{}",
        b"\x00",
        b'{"\\ud800": 1, "limit": "\\udfff"}',
    ],
    ids=lambda body: repr(body[:24]),
)
async def test_hostile_json_is_refused_in_the_one_shape(http: httpx2.AsyncClient, body: bytes) -> None:
    response = await http.post("/echo", content=body, headers={"content-type": "application/json"})
    assert response.status_code in {400, 422}, response.text
    assert_problem(response, response.status_code, response.json()["code"])
    assert len(response.content) < 4096


async def test_a_body_without_its_content_type_is_told_what_to_send(http: httpx2.AsyncClient) -> None:
    response = await http.post("/echo", content=b'{"question": "a"}')
    problem = assert_problem(response, 422, "validation_failed")
    assert "Content-Type: application/json" in str(problem["detail"])


async def test_too_large_a_body_is_413_announced_or_not(http: httpx2.AsyncClient) -> None:
    large = json.dumps({"question": "a" * 600_000}).encode()

    async def in_parts() -> AsyncIterator[bytes]:
        for start in range(0, len(large), 65_536):
            yield large[start : start + 65_536]

    headers = {"content-type": "application/json"}
    assert_problem(await http.post("/echo", content=large, headers=headers), 413, "payload_too_large")
    assert_problem(await http.post("/echo", content=in_parts(), headers=headers), 413, "payload_too_large")


async def test_a_body_that_never_ends_is_408(http: httpx2.AsyncClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("backend.app.middleware._BODY_DEADLINE_S", 0.0)
    response = await http.post("/echo", json={"question": "a"})
    assert_problem(response, 408, "request_timeout")


async def test_a_good_request_id_is_kept_and_a_hostile_one_replaced(http: httpx2.AsyncClient) -> None:
    kept = await http.post("/echo", json={"question": "a"}, headers={"x-request-id": "client-id-0001"})
    assert kept.headers["x-request-id"] == "client-id-0001"
    replaced = await http.post("/echo", json={"question": "a"}, headers={"x-request-id": '"}{ injected'})
    assert replaced.headers["x-request-id"] != '"}{ injected'


async def test_every_response_carries_the_safe_headers(http: httpx2.AsyncClient) -> None:
    for path in ("/nowhere", "/fails/bug", "/openapi.json"):
        headers = (await http.get(path)).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert "frame-ancestors 'none'" in headers["content-security-policy"]
        assert headers["strict-transport-security"].startswith("max-age=")


@pytest.mark.parametrize(
    ("sent", "message"),
    [
        ('{"limit": "many"}', "limit: This must be a whole number."),
        ('{"limit": 1.5}', "limit: This must be a whole number."),
        ('{"limit": null}', "limit: This must be a whole number."),
        ('{"limit": 0}', "limit: This must be at least 1."),
        ('{"limit": 10}', "limit: This must be at most 9."),
        ('{"kind": "wide"}', "kind: This must be 'short' or 'long'."),
        ('{"kind": "\\ud800"}', "kind: This must be valid Unicode"),
    ],
)
async def test_a_refused_field_is_explained_without_the_validators_jargon(
    http: httpx2.AsyncClient, sent: str, message: str
) -> None:
    body = '{"question": "a", ' + sent[1:]
    response = await http.post("/echo", content=body, headers={"content-type": "application/json"})
    assert message in str(assert_problem(response, 422, "validation_failed")["detail"])


async def test_a_very_long_address_comes_back_neither_in_the_answer_nor_in_the_log(
    http: httpx2.AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level("INFO"):
        response = await http.get("/" + "a" * 60_000)
    assert len(response.content) < 1_000
    assert str(assert_problem(response, 404, "not_found")["instance"]).startswith("/aaa")
    own = [record.getMessage() for record in caplog.records if record.name == "backend.app.middleware"]
    assert len(own) == 1
    assert len(own[0]) < 1_000


async def test_behind_tls_a_redirect_stays_on_https(http: httpx2.AsyncClient) -> None:
    proxied = await http.post("/echo/", json={"question": "a"}, headers={"x-forwarded-proto": "https"})
    assert proxied.headers["location"] == "https://test/echo"
    plain = await http.post("/echo/", json={"question": "a"})
    assert plain.headers["location"] == "http://test/echo"
