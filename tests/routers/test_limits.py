"""Limits over HTTP: what is counted, what is told, and what a reader beyond the limit gets."""

import time
from typing import Any

import httpx2
from pydantic import SecretStr

from tests.fakes.claude import FakeClaude
from tests.fixtures.app import AppFactory

QUESTION = {"question": "What is a ROS 2 node?"}
PASSWORD = "a good long passphrase"
HEADERS = ("RateLimit", "RateLimit-Policy", "X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset")


def sign_up(http: httpx2.Client, email: str = "reader@example.com") -> dict[str, str]:
    response = http.post("/api/auth/signup", json={"email": email, "password": PASSWORD, "name": "Reader"})
    assert response.status_code == 201, response.text
    return {"Authorization": f"Bearer {response.json()['access_token']}"}


def ask(http: httpx2.Client, headers: dict[str, str] | None = None, path: str = "ask") -> httpx2.Response:
    return http.post(f"/api/chat/{path}", json=QUESTION | {"selected_text": "ROS 2"}, headers=headers)


def remaining(response: httpx2.Response) -> int:
    return int(response.headers["x-ratelimit-remaining"])


def assert_refused(response: httpx2.Response, limit: int, window_s: int, name: str = "questions") -> dict[str, Any]:
    problem = response.json()
    assert (response.status_code, problem["code"]) == (429, "rate_limited")
    assert response.headers["content-type"] == "application/problem+json"
    assert problem["detail"] == "Too many requests. Please wait."
    resets_in_s = problem["rate_limit"].pop("resets_in_s")
    assert 0 < resets_in_s <= window_s
    assert problem["rate_limit"] == {"limit": limit, "remaining": 0, "window_s": window_s}
    assert response.headers["retry-after"] == str(resets_in_s)
    assert response.headers["ratelimit"] == f'"{name}";r=0;t={resets_in_s}'
    assert response.headers["ratelimit-policy"] == f'"{name}";q={limit};w={window_s}'
    assert response.headers["x-ratelimit-limit"] == str(limit)
    assert response.headers["x-ratelimit-remaining"] == "0"
    assert abs(int(response.headers["x-ratelimit-reset"]) - time.time() - resets_in_s) < 10
    return problem


def test_a_reader_and_a_stranger_each_have_their_own_questions(start_app: AppFactory) -> None:
    """One application for all of this: starting one takes longer than asking it."""
    http = start_app(rate_limit_questions_per_hour=3, rate_limit_anonymous_questions_per_hour=2)
    assert [remaining(ask(http, path=path)) for path in ("ask", "question")] == [1, 0]
    assert_refused(ask(http, path="selected-text"), 2, 3600)
    assert_refused(ask(http, {"Authorization": "Bearer null"}), 2, 3600)
    invented = ask(http, {"Authorization": "Bearer made-up", "X-Forwarded-For": "203.0.113.9", "Cookie": "sid=1"})
    assert invented.status_code == 401
    assert_refused(ask(http, {"X-Forwarded-For": "203.0.113.9", "Forwarded": "for=203.0.113.9"}), 2, 3600)

    reader, other = sign_up(http), sign_up(http, "other@example.com")
    assert [remaining(ask(http, reader)) for _ in range(3)] == [2, 1, 0]
    refused = ask(http, reader)
    assert_refused(refused, 3, 3600)
    assert refused.headers["cache-control"] == "no-store"
    assert remaining(ask(http, other)) == 2

    left = http.get("/api/user/limits", headers=reader).json()
    resets_in_s = left["questions"].pop("resets_in_s")
    assert 3500 < resets_in_s <= 3600
    day = {"limit": 5, "remaining": 5, "window_s": 86400, "resets_in_s": 0}
    questions = {"limit": 3, "remaining": 0, "window_s": 3600}
    assert left == {"questions": questions, "translations": day, "personalizations": day}
    assert http.get("/api/user/limits").status_code == 401
    for path in ("/api/chat/history", "/api/auth/me", "/api/chapters"):
        free = http.get(path, headers=reader)
        assert free.status_code == 200
        assert not any(header in free.headers for header in HEADERS)


def test_pages_may_read_the_numbers(client: httpx2.Client) -> None:
    response = client.post("/api/chat/ask", json=QUESTION, headers={"Origin": "http://localhost:3000"})
    exposed = {name.strip() for name in response.headers["access-control-expose-headers"].split(",")}
    assert {*HEADERS, "Retry-After"} <= exposed
    assert all(header in response.headers for header in HEADERS)


def test_what_is_no_question_or_fails_on_our_side_is_not_counted(start_app: AppFactory, claude: FakeClaude) -> None:
    http = start_app(
        rate_limit_questions_per_hour=2,
        rate_limit_anonymous_questions_per_hour=2,
        anthropic_api_key=SecretStr("sk-ant-api03-test-key-of-the-tests"),
        anthropic_base_url=claude.base_url,
    )
    for headers in (None, sign_up(http)):
        claude.fails(429, retry_after=90)
        assert remaining(ask(http, headers)) == 2
        assert http.post("/api/chat/ask", json={"question": " "}, headers=headers).status_code == 422
        assert http.post("/api/chat/ask", content=b"{", headers=headers).status_code in (400, 422)
        assert remaining(ask(http, headers)) == 1
        assert remaining(ask(http, headers)) == 0
        assert_refused(ask(http, headers), 2, 3600)


def test_all_strangers_together_have_a_limit_and_readers_do_not_feel_it(start_app: AppFactory) -> None:
    http = start_app(rate_limit_all_anonymous_questions_per_hour=2, trusted_proxy_hops=1)
    strangers = [{"X-Forwarded-For": f"198.51.100.{n}"} for n in range(3)]
    assert [remaining(ask(http, stranger)) for stranger in strangers[:2]] == [1, 0]
    assert_refused(ask(http, strangers[2]), 2, 3600, "anonymous")
    assert ask(http, sign_up(http)).status_code == 200


def test_behind_a_proxy_each_network_is_one_stranger_however_it_spells_itself(start_app: AppFactory) -> None:
    http = start_app(rate_limit_anonymous_questions_per_hour=1, trusted_proxy_hops=1)

    def status(forwarded_for: str) -> int:
        return ask(http, {"X-Forwarded-For": forwarded_for}).status_code

    assert status("2001:db8:1:2::1") == 200
    assert status("10.0.0.1, 2001:DB8:1:2:aaaa:bbbb:cccc:dddd") == 429
    assert status("2001:db8:1:3::1") == 200
    assert status("192.0.2.1") == 200
    assert status("::ffff:192.0.2.1") == 429
    assert status("garbage-1") == 200
    assert status("garbage-2") == 429


def test_while_redis_is_away_questions_are_refused_and_the_book_stays_open(start_app: AppFactory) -> None:
    http = start_app(rate_limit_storage=SecretStr("redis://:hunter2@127.0.0.1:1/0"))
    refused = ask(http)
    assert (refused.status_code, refused.json()["code"]) == (503, "rate_limits_unavailable")
    assert refused.headers["retry-after"] == "5"
    assert "hunter2" not in refused.text
    assert http.get("/api/chapters").status_code == 200
    assert http.get("/health/ready").status_code == 200, "a load balancer must not take the book away"


def test_a_stream_that_breaks_on_our_side_is_given_back_and_one_that_the_reader_leaves_is_not(
    start_app: AppFactory, claude: FakeClaude
) -> None:
    http = start_app(
        rate_limit_questions_per_hour=3,
        anthropic_api_key=SecretStr("sk-ant-api03-test-key-of-the-tests"),
        anthropic_base_url=claude.base_url,
    )
    reader = sign_up(http)
    events = reader | {"Accept": "text/event-stream"}

    def left() -> int:
        return http.get("/api/user/limits", headers=reader).json()["questions"]["remaining"]

    whole = ask(http, events)
    assert whole.headers["content-type"].startswith("text/event-stream")
    assert (remaining(whole), left()) == (2, 2)
    claude.fails(429, retry_after=90)
    broken = ask(http, events)
    assert (broken.status_code, remaining(broken)) == (200, 1), "it had begun when Claude failed"
    assert '"type":"error"' in broken.text.replace(" ", "")
    assert left() == 2
    claude.hangs()
    claude.received.clear()
    with http.stream("POST", "/api/chat/ask", json=QUESTION, headers=events) as leaving:
        assert remaining(leaving) == 1
        assert claude.received.wait(10), "a reader who leaves before that keeps Claude from being asked"
    assert left() == 1
    assert remaining(ask(http, events, path="ask/stream")) == 0
    assert_refused(ask(http, events), 3, 3600)
