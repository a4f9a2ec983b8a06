"""Who a request says it comes from: every form of the Authorization header, where a login is needed and where not."""

from collections.abc import AsyncIterator, Callable

import httpx2
import pytest

from backend.app.dependencies import OptionalReader
from backend.app.models.domain import Reader, UserId
from backend.app.services.db_pool import DatabasePool
from backend.app.services.db_service import DBService
from tests.fixtures.accounts import AccountServices, accounts_app, in_process, sign_up

pytestmark = pytest.mark.anyio


async def _greet(reader: OptionalReader) -> str:
    return reader.name if reader else "anonymous"


@pytest.fixture(name="http")
async def _http(account_services: AccountServices) -> AsyncIterator[httpx2.AsyncClient]:
    app = accounts_app(account_services)
    app.add_api_route("/greeting", _greet)
    async with in_process(app) as client:
        yield client


async def both(http: httpx2.AsyncClient, *values: bytes) -> tuple[httpx2.Response, httpx2.Response]:
    """The answers where a login is needed and where it is optional."""
    headers = [(b"Authorization", value) for value in values]
    return await http.get("/api/auth/me", headers=headers), await http.get("/greeting", headers=headers)


NO_TOKEN = [
    b"",
    b" ",
    b"Bearer",
    b"Bearer ",
    b"bearer",
    b"BEARER   ",
    b"Bearer null",
    b"Bearer undefined",
    b"bearer null",
]


@pytest.mark.parametrize("value", NO_TOKEN)
async def test_what_frontends_send_before_login_is_anonymous(http: httpx2.AsyncClient, value: bytes) -> None:
    needed, optional = await both(http, value)
    assert (needed.status_code, needed.json()["code"]) == (401, "not_authenticated")
    assert needed.headers["www-authenticate"] == "Bearer"
    assert (optional.status_code, optional.json()) == (200, "anonymous")


async def test_without_the_header_a_request_is_anonymous(http: httpx2.AsyncClient) -> None:
    needed, optional = await both(http)
    assert (needed.status_code, needed.json()["code"]) == (401, "not_authenticated")
    assert (optional.status_code, optional.json()) == (200, "anonymous")


@pytest.mark.parametrize("scheme", [b"Bearer ", b"bearer ", b"BEARER ", b"Bearer   ", b"  Bearer "])
async def test_a_valid_token_is_the_reader_in_both_places(http: httpx2.AsyncClient, scheme: bytes) -> None:
    token = (await sign_up(http))["access_token"]
    needed, optional = await both(http, scheme + token.encode() + b" ")
    assert (needed.status_code, needed.json()["name"]) == (200, "Sana")
    assert (optional.status_code, optional.json()) == (200, "Sana")


INVALID = {
    "no token of ours": b"Bearer token",
    "null, quoted": b'Bearer "null"',
    "null of another language": b"Bearer None",
    "a list of nulls": b"Bearer null, null",
    "the template left as it is": b"Bearer ${token}",
    "an object": b"Bearer [object Object]",
    "another scheme": b"Basic c2FuYTpwYXNzd29yZA==",
    "another scheme with our token": b"Token %TOKEN%",
    "no scheme": b"%TOKEN%",
    "no scheme, null": b"null",
    "no space": b"Bearer%TOKEN%",
    "a colon": b"Bearer: %TOKEN%",
    "a tab": b"Bearer\t%TOKEN%",
    "twice the scheme": b"Bearer Bearer %TOKEN%",
    "two tokens": b"Bearer %TOKEN% %TOKEN%",
    "two with a comma": b"Bearer %TOKEN%, Bearer %TOKEN%",
    "quoted": b'Bearer "%TOKEN%"',
    "Latin-1": b"Bearer \xe9\xe8\xff",
    "UTF-8": "Bearer ٹوکن".encode(),
    "a NUL": b"Bearer %TOKEN%\0",
    "64 KB": b"Bearer " + b"A" * 65_536,
    "64 KB of dots": b"Bearer " + b"." * 65_536,
    "64 KB of spaces": b"Bearer" + b" " * 65_536 + b"x",
    "SQL": b"Bearer ' OR 1=1 --",
}


@pytest.mark.parametrize("value", INVALID.values(), ids=INVALID.keys())
async def test_a_token_that_is_there_and_not_valid_is_refused_everywhere(
    http: httpx2.AsyncClient, value: bytes
) -> None:
    token = (await sign_up(http))["access_token"].encode()
    for response in await both(http, value.replace(b"%TOKEN%", token)):
        assert (response.status_code, response.json()["code"]) == (401, "invalid_token")
        assert response.headers["www-authenticate"] == 'Bearer error="invalid_token"'


async def test_two_headers_are_refused_even_when_one_of_them_is_valid(http: httpx2.AsyncClient) -> None:
    token = b"Bearer " + (await sign_up(http))["access_token"].encode()
    for values in ((token, token), (token, b"Bearer null"), (b"", token), (b"Bearer null", b"Bearer null")):
        for response in await both(http, *values):
            assert (response.status_code, response.json()["code"]) == (401, "invalid_token")


async def test_a_token_anywhere_else_in_the_request_counts_for_nothing(http: httpx2.AsyncClient) -> None:
    token = (await sign_up(http))["access_token"]
    response = await http.get(
        "/greeting",
        params={"access_token": token, "token": token},
        headers={"Cookie": f"access_token={token}", "X-Authorization": f"Bearer {token}"},
    )
    assert response.json() == "anonymous"


class _CountingDB(DBService):
    reads = 0

    async def find_reader(self, user_id: UserId) -> Reader | None:
        self.reads += 1
        return await super().find_reader(user_id)


async def test_the_reader_is_read_once_for_a_request(
    database_url: str, start_accounts: Callable[..., AccountServices]
) -> None:
    db = _CountingDB(DatabasePool(database_url, threads=1))
    async with in_process(accounts_app(start_accounts(db))) as http:
        headers = {"Authorization": f"Bearer {(await sign_up(http))['access_token']}"}
        assert db.reads == 0
        assert (await http.get("/api/auth/me", headers=headers)).status_code == 200
        assert db.reads == 1
        assert (await http.get("/api/auth/me", headers=headers)).status_code == 200
        assert db.reads == 2
        assert (await http.get("/api/auth/me", headers={"Authorization": "Bearer forged"})).status_code == 401
        assert db.reads == 2
    await db.close()
