"""Five hundred questions at the same moment: exactly twenty are admitted, in one process and in three."""

import asyncio
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from time import time_ns

import httpx2
import pytest
from pydantic import SecretStr

from backend.app.errors import RateLimited
from backend.app.models.domain import Reader, UserId
from backend.app.services.db_service import DBService
from backend.app.services.limit_windows import MemoryWindows, PostgresWindows
from backend.app.services.rate_limiter import RateLimiter
from backend.app.utils.config import Settings
from tests.fixtures.accounts import AccountServices, accounts_app, in_process, signup_form
from tests.fixtures.app import AppFactory
from tests.fixtures.processes import REPO
from tests.fixtures.redis import RedisServer

pytestmark = [pytest.mark.anyio, pytest.mark.race]
ROUNDS, REQUESTS, LIMIT = 20, 500, 20


def reader(number: int) -> Reader:
    return Reader(UserId(number), "reader@example.com", "Reader", "beginner", "none", 0)


async def test_in_memory_exactly_the_limit_is_admitted_and_what_is_given_back_is_free_again() -> None:
    limiter = RateLimiter(Settings(), MemoryWindows())
    for number in range(ROUNDS):
        asked = (limiter.admit_question(reader(number), "192.0.2.1") for _ in range(REQUESTS))
        results = await asyncio.gather(*asked, return_exceptions=True)
        assert Counter(type(result).__name__ for result in results) == {
            "Allowance": LIMIT,
            "RateLimited": REQUESTS - LIMIT,
        }
        admitted = [result for result in results if not isinstance(result, BaseException)]
        assert sorted(allowance.quota.remaining for allowance in admitted) == list(range(LIMIT))
        await asyncio.gather(*(allowance.refund() for allowance in admitted[:7] for _ in range(2)))
        again = [limiter.admit_question(reader(number), "192.0.2.1") for _ in range(REQUESTS)]
        results = await asyncio.gather(*again, return_exceptions=True)
        assert Counter(isinstance(result, RateLimited) for result in results) == {False: 7, True: REQUESTS - 7}


async def test_of_a_hundred_chapters_at_once_each_kind_has_exactly_its_five() -> None:
    limiter = RateLimiter(Settings(), MemoryWindows())
    for number in range(ROUNDS):
        kinds = (("translations", "personalizations")[n % 2] for n in range(200))
        asked = (limiter.admit_reader(kind, reader(number)) for kind in kinds)
        results = await asyncio.gather(*asked, return_exceptions=True)
        names = Counter(result.quota.name for result in results if not isinstance(result, BaseException))
        assert names == {"translations": 5, "personalizations": 5}


async def test_strangers_from_many_networks_share_exactly_what_all_of_them_have() -> None:
    limiter = RateLimiter(Settings(rate_limit_all_anonymous_questions_per_hour=50), MemoryWindows())
    asked = (limiter.admit_question(None, f"192.0.2.{n % 25}") for n in range(REQUESTS))
    results = await asyncio.gather(*asked, return_exceptions=True)
    assert sum(not isinstance(result, RateLimited) for result in results) == 50


async def test_in_postgres_refunds_among_hits_are_exact(db: DBService) -> None:
    limiter = RateLimiter(Settings(rate_limit_questions_per_hour=10), PostgresWindows(db))

    async def ask_and_fail(number: int) -> bool:
        try:
            allowance = await limiter.admit_question(reader(1), "192.0.2.1")
        except RateLimited:
            return False
        if number % 2:
            await allowance.refund()
        return not number % 2

    kept = await asyncio.gather(*(ask_and_fail(number) for number in range(100)))
    (questions, *_) = await limiter.quotas(reader(1))
    assert questions.remaining == 10 - sum(kept)


@contextmanager
def _three_processes(storage: str, dsn: str) -> Iterator[list["subprocess.Popen[str]"]]:
    command = [sys.executable, "-m", "tests.race.limit_worker", storage, dsn]
    with ExitStack() as stack:
        workers = [
            stack.enter_context(
                subprocess.Popen(command, cwd=REPO, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            )
            for _ in range(3)
        ]
        for worker in workers:
            assert _answer(worker) == "ready"
        yield workers
        for worker in workers:
            assert worker.stdin
            worker.stdin.close()
            assert worker.wait(30) == 0


def _answer(worker: "subprocess.Popen[str]") -> str:
    assert worker.stdout
    return worker.stdout.readline().strip()


def _admitted_in_three(storage: str, dsn: str) -> list[int]:
    base = time_ns() // 1_000_000 % 10**9 * 100  # readers that no earlier test had: Redis is shared
    totals: list[int] = []
    with _three_processes(storage, dsn) as workers:
        for number in range(ROUNDS):
            for worker, requests in zip(workers, (167, 167, 166), strict=True):
                assert worker.stdin
                worker.stdin.write(f"{base + number} {requests}\n")
                worker.stdin.flush()
            totals.append(sum(int(_answer(worker)) for worker in workers))
    return totals


def test_three_processes_on_postgres_admit_exactly_the_limit(database_url: str) -> None:
    assert _admitted_in_three("postgres", database_url) == [LIMIT] * ROUNDS


def test_three_processes_on_redis_admit_exactly_the_limit(redis_server: RedisServer) -> None:
    assert _admitted_in_three(redis_server.url, "postgresql://not-used") == [LIMIT] * ROUNDS


@pytest.mark.parametrize("storage", ["memory", "postgres"])
async def test_over_http_exactly_the_limit_is_answered(start_app: AppFactory, storage: str) -> None:
    app = await asyncio.to_thread(
        start_app, rate_limit_anonymous_questions_per_hour=LIMIT, rate_limit_storage=SecretStr(storage)
    )
    many = httpx2.Limits(max_connections=REQUESTS)
    async with httpx2.AsyncClient(base_url=str(app.base_url), timeout=120, limits=many) as http:
        asked = (http.post("/api/chat/ask", json={"question": "What is a ROS 2 node?"}) for _ in range(REQUESTS))
        answers = await asyncio.gather(*asked)
    assert Counter(answer.status_code for answer in answers) == {200: LIMIT, 429: REQUESTS - LIMIT}
    left = sorted(int(answer.headers["x-ratelimit-remaining"]) for answer in answers if answer.status_code == 200)
    assert left == list(range(LIMIT))


async def test_of_many_wrong_passwords_at_once_five_are_tried(db: DBService) -> None:
    services = AccountServices(
        db, settings=Settings(secret_key=SecretStr("a secret of the account tests, long enough"))
    )
    async with in_process(accounts_app(services)) as http:
        assert (await http.post("/api/auth/signup", json=signup_form())).status_code == 201
        form = {"email": "sana@example.com", "password": "not the password"}
        answers = await asyncio.gather(*(http.post("/api/auth/login", json=form) for _ in range(100)))
    services.passwords.close()
    assert Counter(answer.status_code for answer in answers) == {401: 5, 429: 95}
