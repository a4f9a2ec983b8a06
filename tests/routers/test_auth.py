"""What the account endpoints answer, and what is left or dead after them."""

import asyncio
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import httpx2
import pytest

from backend.app.models.domain import PastTurn, UserId
from backend.app.services.db_service import DBService, open_db
from backend.app.utils.auth import PasswordHasher, TokenSigner
from tests.fixtures.accounts import (
    PASSWORD,
    SECRET,
    AccountServices,
    CountingHasher,
    accounts_app,
    bearer,
    in_process,
    sign_up,
    signup_form,
)
from tests.fixtures.database import statements

pytestmark = pytest.mark.anyio
PROFILE = {"email": "sana@example.com", "name": "Sana", "programming_level": "advanced", "hardware": "gpu"}


def assert_refused(response: httpx2.Response, status: int, code: str) -> str:
    problem = response.json()
    assert (response.status_code, problem["code"]) == (status, code), response.text
    assert response.headers["content-type"] == "application/problem+json"
    assert ("www-authenticate" in response.headers) == (status == 401)
    assert isinstance(problem["detail"], str)
    return problem["detail"]


async def me(http: httpx2.AsyncClient, token: str) -> int:
    return (await http.get("/api/auth/me", headers=bearer(token))).status_code


async def test_signup_answers_a_token_and_the_profile(accounts: httpx2.AsyncClient) -> None:
    response = await accounts.post("/api/auth/signup", json=signup_form())
    answer = response.json()
    assert response.status_code == 201
    assert list(answer) == ["access_token", "token_type", "id", *PROFILE]
    assert answer["token_type"] == "bearer"
    assert PROFILE.items() <= answer.items()
    profile = await accounts.get("/api/auth/me", headers=bearer(answer["access_token"]))
    assert profile.json() == {"id": answer["id"], **PROFILE}


async def test_only_address_and_password_are_needed(accounts: httpx2.AsyncClient) -> None:
    response = await accounts.post("/api/auth/signup", json={"email": "a@example.com", "password": PASSWORD})
    assert response.status_code == 201
    defaults = {"name": "", "programming_level": "beginner", "hardware": "none"}
    assert defaults.items() <= response.json().items()


async def test_a_taken_address_is_refused_after_the_same_work(
    accounts: httpx2.AsyncClient, account_services: AccountServices
) -> None:
    await sign_up(accounts)
    again = await accounts.post("/api/auth/signup", json=signup_form("SANA@example.com", password="another one here"))
    assert_refused(again, 400, "email_taken")
    assert isinstance(account_services.passwords, CountingHasher)
    assert account_services.passwords.work == ["hash", "hash"]
    login = await accounts.post("/api/auth/login", json={"email": "sana@example.com", "password": "another one here"})
    assert_refused(login, 401, "invalid_credentials")


async def test_login_answers_a_token_in_any_letter_case_of_the_address(accounts: httpx2.AsyncClient) -> None:
    signed_up = await sign_up(accounts)
    for email in ("sana@example.com", "Sana@Example.COM", "  sana@example.com "):
        response = await accounts.post("/api/auth/login", json={"email": email, "password": PASSWORD})
        assert response.status_code == 200
        assert response.json()["id"] == signed_up["id"]
        assert await me(accounts, response.json()["access_token"]) == 200


async def test_login_does_the_same_for_an_unknown_address_and_a_wrong_password(
    accounts: httpx2.AsyncClient, account_services: AccountServices
) -> None:
    await sign_up(accounts)
    assert isinstance(account_services.passwords, CountingHasher)
    answers: list[tuple[Any, ...]] = []
    for email in ("sana@example.com", "nobody@example.com"):
        account_services.passwords.work.clear()
        response = await accounts.post("/api/auth/login", json={"email": email, "password": "wrong password"})
        problem = {key: value for key, value in response.json().items() if key != "request_id"}
        headers = [(name, value) for name, value in response.headers.items() if name != "x-request-id"]
        assert_refused(response, 401, "invalid_credentials")
        answers.append((problem, headers, list(account_services.passwords.work)))
    assert answers[0] == answers[1]
    assert answers[0][2] == ["verify"]


async def test_logout_kills_every_token_of_the_reader_and_no_other(accounts: httpx2.AsyncClient) -> None:
    token = (await sign_up(accounts))["access_token"]
    login = await accounts.post("/api/auth/login", json={"email": "sana@example.com", "password": PASSWORD})
    other = (await sign_up(accounts, "other@example.com"))["access_token"]
    answer = await accounts.post("/api/auth/logout", headers=bearer(token))
    assert answer.status_code == 200
    assert answer.json()["message"]
    assert [await me(accounts, each) for each in (token, login.json()["access_token"], other)] == [401, 401, 200]
    assert_refused(await accounts.post("/api/auth/logout", headers=bearer(token)), 401, "invalid_token")
    again = await accounts.post("/api/auth/login", json={"email": "sana@example.com", "password": PASSWORD})
    assert await me(accounts, again.json()["access_token"]) == 200


async def test_logout_counts_at_once_in_another_process(
    accounts: httpx2.AsyncClient, database_url: str, start_accounts: Callable[..., AccountServices]
) -> None:
    second_db = open_db(database_url)
    async with in_process(accounts_app(start_accounts(second_db))) as second:
        token = (await sign_up(accounts))["access_token"]
        assert await me(second, token) == 200
        await accounts.post("/api/auth/logout", headers=bearer(token))
        assert await me(second, token) == 401
    await second_db.close()


async def test_a_changed_password_kills_all_tokens_but_the_new_one(accounts: httpx2.AsyncClient) -> None:
    old = (await sign_up(accounts))["access_token"]
    form = {"current_password": PASSWORD, "new_password": "نیا پاس ورڈ جو لمبا ہے"}
    response = await accounts.post("/api/auth/password", json=form, headers=bearer(old))
    assert response.status_code == 200
    assert set(response.json()) == {"access_token", "token_type"}
    assert [await me(accounts, token) for token in (old, response.json()["access_token"])] == [401, 200]
    logins = [
        (await accounts.post("/api/auth/login", json={"email": "sana@example.com", "password": each})).status_code
        for each in form.values()
    ]
    assert logins == [401, 200]


async def test_the_password_changes_only_for_who_knows_the_current_one(accounts: httpx2.AsyncClient) -> None:
    token = (await sign_up(accounts))["access_token"]
    form = {"current_password": "not the right one", "new_password": "something else entirely"}
    refused = await accounts.post("/api/auth/password", json=form, headers=bearer(token))
    assert "current password" in assert_refused(refused, 401, "invalid_credentials")
    assert await me(accounts, token) == 200
    login = await accounts.post("/api/auth/login", json={"email": "sana@example.com", "password": PASSWORD})
    assert login.status_code == 200


@pytest.mark.parametrize("weak", ["short", "password123", "x" * 129, "sana.mirza", "Sana.Mirza@example.com"])
async def test_a_new_password_is_judged_as_at_signup(accounts: httpx2.AsyncClient, weak: str) -> None:
    token = (await sign_up(accounts, "sana.mirza@example.com"))["access_token"]
    form = {"current_password": PASSWORD, "new_password": weak}
    refused = await accounts.post("/api/auth/password", json=form, headers=bearer(token))
    assert_refused(refused, 422, "validation_failed")
    assert [error["field"] for error in refused.json()["errors"]] == ["new_password"]
    assert await me(accounts, token) == 200


async def test_settings_change_one_by_one(accounts: httpx2.AsyncClient) -> None:
    headers = bearer((await sign_up(accounts))["access_token"])
    changes: list[dict[str, Any]] = [
        {"name": "  ثنا  "},
        {"programming_level": "Beginner "},
        {"hardware": "JETSON"},
        {},
        {"name": None, "hardware": None},
    ]
    for change in changes:
        response = await accounts.put("/api/user/settings", json=change, headers=headers)
        assert response.status_code == 200, response.text
    expected = {"name": "ثنا", "programming_level": "beginner", "hardware": "jetson", "email": "sana@example.com"}
    assert expected.items() <= response.json().items()
    assert (await accounts.get("/api/auth/me", headers=headers)).json() == response.json()


async def test_a_deleted_account_leaves_no_row_in_any_table(
    accounts: httpx2.AsyncClient, db: DBService, database_url: str
) -> None:
    answer = await sign_up(accounts)
    other = await sign_up(accounts, "other@example.com")
    with statements(database_url) as cursor:
        for user_id in (answer["id"], other["id"]):
            await db.save_turn(user_id, uuid4(), PastTurn("q", "a", ()), "claude", "title")
            cursor.execute("INSERT INTO user_progress (user_id, chapter_id) VALUES (%s, 'intro')", (user_id,))
        headers = bearer(answer["access_token"])
        assert (await accounts.delete("/api/auth/me", headers=headers)).status_code == 204
        cursor.execute(
            "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = 'public'"
            " AND (column_name = 'user_id' OR (table_name, column_name) = ('users', 'id'))"
        )
        columns = cursor.fetchall()
        assert len(columns) >= 4
        for table, column in columns:
            cursor.execute(f"SELECT {column} FROM {table}")
            kept = [] if table == "claude_calls" else [(other["id"],)]  # nobody asked anything
            assert cursor.fetchall() == kept, table
    assert_refused(await accounts.get("/api/auth/me", headers=headers), 401, "invalid_token")
    assert await db.find_reader(UserId(answer["id"])) is None
    assert (await sign_up(accounts))["id"] != answer["id"], "the same address may come back, as another reader"


async def test_every_protected_call_refuses_a_deleted_reader(accounts: httpx2.AsyncClient) -> None:
    headers = bearer((await sign_up(accounts))["access_token"])
    await accounts.delete("/api/auth/me", headers=headers)
    form = {"current_password": PASSWORD, "new_password": "something else entirely"}
    calls = [("GET", "/api/auth/me"), ("DELETE", "/api/auth/me"), ("POST", "/api/auth/logout")]
    calls += [("POST", "/api/auth/password"), ("PUT", "/api/user/settings")]
    for method, path in calls:
        response = await accounts.request(method, path, headers=headers, json=None if method in "GETDELETE" else form)
        assert_refused(response, 401, "invalid_token")


async def test_an_expired_token_is_refused(accounts: httpx2.AsyncClient, account_services: AccountServices) -> None:
    answer = await sign_up(accounts)
    reader = await account_services.db.find_reader(UserId(answer["id"]))
    assert reader
    yesterday = TokenSigner(SECRET, 60, clock=lambda: 1_700_000_000)
    assert await me(accounts, yesterday.issue(reader.user_id, reader.token_version)) == 401
    assert await me(accounts, TokenSigner(SECRET, 60).issue(reader.user_id, reader.token_version)) == 200


async def test_a_full_queue_answers_503_and_says_when_to_come_back(
    db: DBService, start_accounts: Callable[..., AccountServices]
) -> None:
    one_place = PasswordHasher(rounds=12, threads=1, queue=0)
    await one_place.verify("after this the thread is free", None)
    async with in_process(accounts_app(start_accounts(db, passwords=one_place))) as http:
        busy = asyncio.create_task(one_place.hash("holds the only place"))
        refused = await http.post("/api/auth/login", json={"email": "sana@example.com", "password": PASSWORD})
        assert_refused(refused, 503, "too_busy")
        assert int(refused.headers["retry-after"]) > 0
        await busy


async def test_no_answer_about_an_account_may_be_stored_by_a_cache(accounts: httpx2.AsyncClient) -> None:
    token = (await sign_up(accounts))["access_token"]
    responses = [
        await accounts.post("/api/auth/signup", json=signup_form()),
        await accounts.post("/api/auth/login", json={"email": "sana@example.com", "password": PASSWORD}),
        await accounts.get("/api/auth/me", headers=bearer(token)),
        await accounts.get("/api/auth/me"),
        await accounts.put("/api/user/settings", headers=bearer(token), json={}),
    ]
    assert [response.headers["cache-control"] for response in responses] == ["no-store"] * len(responses)


async def test_no_answer_holds_a_password_or_its_hash(accounts: httpx2.AsyncClient) -> None:
    token = (await sign_up(accounts))["access_token"]
    responses = [
        await accounts.post("/api/auth/signup", json=signup_form()),
        await accounts.post("/api/auth/signup", json=signup_form(email="no address")),
        await accounts.post("/api/auth/login", json={"email": "sana@example.com", "password": PASSWORD}),
        await accounts.get("/api/auth/me", headers=bearer(token)),
    ]
    for response in responses:
        assert PASSWORD not in response.text
        assert "$bcrypt" not in response.text


async def test_the_api_document_names_the_refusals_of_each_call(accounts: httpx2.AsyncClient) -> None:
    paths = (await accounts.get("/openapi.json")).json()["paths"]
    declared = {
        f"{method.upper()} {path}": sorted(operation["responses"])
        for path, operations in paths.items()
        if path.startswith(("/api/auth", "/api/user"))
        for method, operation in operations.items()
    }
    body = ["400", "408", "413", "422"]
    assert declared == {
        "POST /api/auth/signup": sorted(["201", *body, "429", "503"]),
        "POST /api/auth/login": sorted(["200", *body, "401", "429", "503"]),
        "GET /api/auth/me": ["200", "401", "503"],
        "DELETE /api/auth/me": ["204", "401", "503"],
        "POST /api/auth/logout": ["200", "401", "503"],
        "POST /api/auth/password": sorted(["200", *body, "401", "429", "503"]),
        "PUT /api/user/settings": sorted(["200", *body, "401", "503"]),
        "GET /api/user/limits": ["200", "401", "503"],
        "GET /api/user/export": ["200", "401", "503"],
        "GET /api/user/progress": ["200", "401", "503"],
        "POST /api/user/progress/mark": sorted(["200", *body, "401", "503"]),
    }
