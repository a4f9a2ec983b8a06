"""Many signups for one address at the same moment: one account, one winner, and every loser is told why."""

import asyncio
from collections import Counter
from collections.abc import Callable

import pytest

from backend.app.services.db_service import DBService, open_db
from tests.fixtures.accounts import AccountServices, CountingHasher, accounts_app, in_process, signup_form
from tests.fixtures.database import statements

pytestmark = [pytest.mark.anyio, pytest.mark.race]
TRIES = 200
SPELLINGS = ["sana@example.com", "SANA@example.com", "Sana@Example.com", " sana@example.com "]


def _rows(database_url: str) -> list[tuple[str]]:
    with statements(database_url) as cursor:
        cursor.execute("SELECT lower(email) FROM users")
        return cursor.fetchall()


async def test_of_two_hundred_signups_in_one_process_one_wins_with_the_queue_of_production(
    db: DBService, database_url: str, start_accounts: Callable[..., AccountServices]
) -> None:
    passwords = CountingHasher(rounds=10, threads=2, queue=16)
    services = start_accounts(db, passwords=passwords)
    async with in_process(accounts_app(services)) as http:
        forms = [signup_form(SPELLINGS[n % 4], password=f"password number {n}") for n in range(TRIES)]
        answers = await asyncio.gather(*(http.post("/api/auth/signup", json=form) for form in forms))
        assert Counter(answer.status_code for answer in answers) == {201: 1, 400: TRIES - 1}
        assert {answer.json().get("code") for answer in answers} == {None, "email_taken"}
        assert len(passwords.work) < 20, "who waits for another try with the address needs no hash to be refused"
        assert _rows(database_url) == [("sana@example.com",)]
        winner = next(n for n, answer in enumerate(answers) if answer.status_code == 201)
        login = {"email": "sana@example.com", "password": forms[winner]["password"]}
        assert (await http.post("/api/auth/login", json=login)).status_code == 200


@pytest.mark.parametrize("attempt", range(2))
async def test_of_signups_in_four_processes_one_wins(
    db: DBService, database_url: str, start_accounts: Callable[..., AccountServices], attempt: int
) -> None:
    others = [open_db(database_url) for _ in range(3)]
    clients = [in_process(accounts_app(start_accounts(each))) for each in (db, *others)]
    tries = [
        client.post("/api/auth/signup", json=signup_form(SPELLINGS[n % 4])) for n in range(50) for client in clients
    ]
    answers = await asyncio.gather(*tries)
    assert Counter(answer.status_code for answer in answers) == {201: 1, 400: TRIES - 1}
    assert _rows(database_url) == [("sana@example.com",)]
    for client in clients:
        await client.aclose()
    for other in others:
        await other.close()


async def test_signups_for_different_addresses_do_not_wait_for_each_other(
    db: DBService, start_accounts: Callable[..., AccountServices]
) -> None:
    services = start_accounts(db)
    async with in_process(accounts_app(services)) as http:
        forms = [signup_form(f"reader{n}@example.com") for n in range(30)]
        answers = await asyncio.gather(*(http.post("/api/auth/signup", json=form) for form in forms))
    assert [answer.status_code for answer in answers] == [201] * 30
    assert isinstance(services.passwords, CountingHasher)
    assert services.passwords.work == ["hash"] * 30
