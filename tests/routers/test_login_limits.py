"""Logins and sign-ups over HTTP: wrong passwords run out, right ones never do, and nobody locks out anybody else."""

from collections.abc import AsyncIterator, Callable

import httpx2
import pytest
from pydantic import SecretStr

from backend.app.services.db_service import DBService, open_db
from backend.app.services.rate_limiter import RateLimiter
from backend.app.services.redis_windows import RedisWindows
from backend.app.utils.config import Settings
from tests.fixtures.accounts import SECRET, AccountServices, accounts_app, bearer, in_process, sign_up, signup_form

pytestmark = pytest.mark.anyio

RIGHT = {"email": "sana@example.com", "password": signup_form()["password"]}
WRONG = RIGHT | {"password": "not the password"}
HERE, THERE = {"X-Forwarded-For": "192.0.2.1"}, {"X-Forwarded-For": "2001:db8::1"}


@pytest.fixture
async def accounts(
    db: DBService, start_accounts: Callable[..., AccountServices]
) -> AsyncIterator[httpx2.AsyncClient]:
    """With the limits of production, behind one proxy."""
    settings = Settings(secret_key=SecretStr(SECRET), trusted_proxy_hops=1)
    async with in_process(accounts_app(start_accounts(db, settings=settings))) as client:
        yield client


async def _log_in(http: httpx2.AsyncClient, form: dict[str, str], where: dict[str, str]) -> int:
    return (await http.post("/api/auth/login", json=form, headers=where)).status_code


async def test_the_sixth_wrong_password_in_a_minute_is_not_tried(accounts: httpx2.AsyncClient) -> None:
    await sign_up(accounts)
    assert [await _log_in(accounts, WRONG, HERE) for _ in range(5)] == [401] * 5
    refused = await accounts.post("/api/auth/login", json=RIGHT, headers=HERE)
    assert refused.status_code == 429
    assert refused.json()["rate_limit"] | {"resets_in_s": 0} == {
        "limit": 5,
        "remaining": 0,
        "window_s": 60,
        "resets_in_s": 0,
    }
    assert 0 < int(refused.headers["retry-after"]) <= 60
    assert refused.headers["ratelimit-policy"] == '"logins";q=5;w=60'
    assert await _log_in(accounts, RIGHT | {"email": "SANA@example.com"}, HERE) == 429
    assert await _log_in(accounts, RIGHT, THERE) == 200, "the reader at home is not locked out"


async def test_right_passwords_and_what_is_no_login_are_not_counted(accounts: httpx2.AsyncClient) -> None:
    await sign_up(accounts)
    assert [await _log_in(accounts, RIGHT, HERE) for _ in range(25)] == [200] * 25
    assert [await _log_in(accounts, {"email": "no address"}, HERE) for _ in range(25)] == [422] * 25
    assert [await _log_in(accounts, WRONG, HERE) for _ in range(4)] == [401] * 4
    assert await _log_in(accounts, RIGHT, HERE) == 200


async def test_one_network_has_twenty_wrong_passwords_for_all_addresses(accounts: httpx2.AsyncClient) -> None:
    tried = [await _log_in(accounts, WRONG | {"email": f"reader{n}@example.com"}, HERE) for n in range(21)]
    assert tried == [401] * 20 + [429]
    assert await _log_in(accounts, WRONG, THERE) == 401


async def test_a_login_that_is_not_refused_does_not_say_how_many_are_left(accounts: httpx2.AsyncClient) -> None:
    await sign_up(accounts)
    for form in (RIGHT, WRONG, WRONG | {"email": "nobody@example.com"}):
        response = await accounts.post("/api/auth/login", json=form, headers=HERE)
        assert not [name for name in response.headers if "ratelimit" in name]


async def test_the_current_password_cannot_be_guessed_with_a_stolen_token(accounts: httpx2.AsyncClient) -> None:
    own = bearer((await sign_up(accounts))["access_token"])

    async def change(current: str) -> int:
        form = {"current_password": current, "new_password": "another good passphrase"}
        return (await accounts.post("/api/auth/password", json=form, headers=own | HERE)).status_code

    assert [await change("wrong") for _ in range(5)] == [401] * 5
    assert await change(RIGHT["password"]) == 429


async def test_a_network_opens_sixty_accounts_an_hour_and_taken_addresses_count(accounts: httpx2.AsyncClient) -> None:
    async def opened(n: int, where: dict[str, str]) -> int:
        form = signup_form(f"reader{n}@example.com")
        return (await accounts.post("/api/auth/signup", json=form, headers=where)).status_code

    weak = signup_form("reader@example.com", password="short")
    for _ in range(3):
        assert (await accounts.post("/api/auth/signup", json=weak, headers=HERE)).status_code == 422
    assert [await opened(n // 2, HERE) for n in range(61)] == [201, 400] * 30 + [429]
    assert await opened(99, THERE) == 201


async def test_a_database_that_is_away_costs_no_try(start_accounts: Callable[..., AccountServices]) -> None:
    away = open_db("postgresql://nobody@127.0.0.1:1/nothing", threads=1)
    services = start_accounts(away, settings=Settings(secret_key=SecretStr(SECRET)))
    async with in_process(accounts_app(services)) as http:
        assert [await _log_in(http, RIGHT, {}) for _ in range(8)] == [503] * 8
    await away.close()


async def test_while_redis_is_away_only_what_has_a_limit_is_refused(
    db: DBService, start_accounts: Callable[..., AccountServices]
) -> None:
    services = start_accounts(db)
    async with in_process(accounts_app(services)) as http:
        own = bearer((await sign_up(http))["access_token"])
        away = RedisWindows("redis://:hunter2@127.0.0.1:1")
        services.limiter = RateLimiter(services.settings, away)
        refused = [
            await http.post("/api/auth/login", json=RIGHT),
            await http.post("/api/auth/signup", json=signup_form("other@example.com")),
            await http.get("/api/user/limits", headers=own),
        ]
        for response in refused:
            assert (response.status_code, response.json()["code"]) == (503, "rate_limits_unavailable")
            assert response.headers["retry-after"] == "5"
            assert "hunter2" not in response.text
        assert (await http.get("/api/auth/me", headers=own)).status_code == 200
        await away.close()
