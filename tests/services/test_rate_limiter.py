"""The limiter: whose limit counts, what is given back, and the same promises in memory, in Postgres and in Redis."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from limits import RateLimitItemPerHour, RateLimitItemPerSecond
from pydantic import SecretStr

from backend.app.errors import DatabaseUnavailable, RateLimited, RateLimitsUnavailable, Unavailable
from backend.app.models.domain import Reader, UserId
from backend.app.services import limit_windows
from backend.app.services.db_service import DBService, open_db
from backend.app.services.limit_windows import MemoryWindows, PostgresWindows, Windows, open_windows
from backend.app.services.rate_limiter import RateLimiter
from backend.app.services.redis_windows import RedisWindows
from backend.app.utils.config import Settings
from tests.fixtures.database import statements
from tests.fixtures.redis import RedisServer, running_redis

pytestmark = pytest.mark.anyio

SECRET = SecretStr("a secret of the limiter's tests, long enough")
THREE = RateLimitItemPerHour(3, namespace="three")
HERE, THERE = "192.0.2.1", "2001:db8::/64"


@pytest.fixture(params=["memory", "postgres", "redis"])
def storage(request: pytest.FixtureRequest) -> tuple[str, str]:
    """RATE_LIMIT_STORAGE, each of its values in turn, and a database."""
    if request.param == "redis":
        return request.getfixturevalue("redis_server").url, "postgresql://not-used"
    return request.param, request.getfixturevalue("database_url")


@pytest.fixture
async def windows(storage: tuple[str, str], anyio_backend: str) -> AsyncIterator[Windows]:
    async with AsyncExitStack() as stack:
        db = open_db(storage[1])
        stack.push_async_callback(db.close)
        opened = open_windows(Settings(rate_limit_storage=SecretStr(storage[0]), secret_key=SECRET), db)
        stack.push_async_callback(opened.close)
        yield opened


@pytest.fixture
def subject() -> str:
    """Nobody has used it: Redis is shared by all tests."""
    return uuid4().hex


def limiter_of(windows: Windows, **limits: int) -> RateLimiter:
    return RateLimiter(Settings(secret_key=SECRET, **limits), windows)


def reader(number: int | None = None) -> Reader:
    number = number or uuid4().int % 10**9
    return Reader(UserId(number), "reader@example.com", "Reader", "beginner", "none", 0)


# --- the windows


async def test_a_window_admits_its_limit_and_says_what_is_left(windows: Windows, subject: str) -> None:
    assert (await windows.look(THREE, subject)).used == 0
    hits = [await windows.hit(THREE, subject) for _ in range(5)]
    assert [hit.entry is not None for hit in hits] == [True, True, True, False, False]
    assert [hit.used for hit in hits] == [1, 2, 3, 3, 3]
    assert all(3590 < hit.frees_in_s <= 3600 for hit in hits)
    seen = await windows.look(THREE, subject)
    assert (seen.entry, seen.used) == (None, 3)
    assert 3590 < seen.frees_in_s <= 3600
    assert (await windows.hit(THREE, subject + "x")).used == 1


async def test_exactly_one_entry_is_taken_back_however_often(windows: Windows, subject: str) -> None:
    first, second, third = [await windows.hit(THREE, subject) for _ in range(3)]
    for _ in range(3):
        await windows.take_back(THREE, subject, second)
    assert (await windows.look(THREE, subject)).used == 2
    assert (await windows.hit(THREE, subject)).entry is not None
    assert (await windows.hit(THREE, subject)).entry is None
    for hit in (first, third):
        await windows.take_back(THREE, subject, hit)
    assert (await windows.look(THREE, subject)).used == 1


async def test_the_oldest_entry_that_is_left_decides_when_one_more_is_free(windows: Windows, subject: str) -> None:
    oldest = await windows.hit(THREE, subject)
    await asyncio.sleep(0.3)
    await windows.hit(THREE, subject)
    began = time.monotonic()
    with_both = await windows.look(THREE, subject)
    await windows.take_back(THREE, subject, oldest)
    without = await windows.look(THREE, subject)
    assert without.frees_in_s + time.monotonic() - began > with_both.frees_in_s + 0.2


async def test_a_window_moves_and_refused_requests_do_not_hold_it(windows: Windows, subject: str) -> None:
    two = RateLimitItemPerSecond(2, 2, namespace="two")  # in any 2 seconds
    assert [(await windows.hit(two, subject)).entry is not None for _ in range(3)] == [True, True, False]
    while (await windows.hit(two, subject)).entry is None:  # noqa: ASYNC110  # would never end if asking held it
        await asyncio.sleep(0.02)
    await asyncio.sleep(2.1)
    assert (await windows.look(two, subject)).used == 0


async def test_a_changed_limit_begins_anew(windows: Windows, subject: str) -> None:
    for _ in range(3):
        await windows.hit(THREE, subject)
    assert (await windows.hit(RateLimitItemPerHour(4, namespace="three"), subject)).used == 1


# --- each storage's own


async def test_memory_is_bounded_and_forgets_the_longest_idle_first() -> None:
    windows = MemoryWindows(max_keys=100)
    for n in range(500):
        await windows.hit(THREE, f"{n}")
    assert [(await windows.look(THREE, f"{n}")).used for n in (0, 300, 499)] == [0, 0, 1]
    assert len(windows._storage.events) <= 100
    for _ in range(500):
        await windows.take_back(THREE, "499", await windows.hit(THREE, "499"))
    assert (await windows.look(THREE, "499")).used == 1


async def test_what_is_taken_back_leaves_no_key_in_memory() -> None:
    windows = MemoryWindows()
    await windows.take_back(THREE, "somebody", await windows.hit(THREE, "somebody"))
    assert windows._storage.events == {}


async def test_postgres_needs_one_statement_for_each_hit_and_writes_nothing_for_a_refusal(
    db: DBService, database_url: str
) -> None:
    windows = PostgresWindows(db)
    for _ in range(3):
        await windows.hit(THREE, "somebody")
    with statements(database_url) as cursor:

        def row() -> list[Any]:
            cursor.execute("SELECT xmin::text, hits, expires_at FROM rate_limits")
            return cursor.fetchall()

        before = row()
        assert len(before[0][1]) == 3
        assert (await windows.hit(THREE, "somebody")).entry is None
        assert row() == before


async def test_postgres_forgets_what_has_left_every_window(
    db: DBService, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    windows = PostgresWindows(db)
    for subject in ("gone", "back"):
        for _ in range(3):
            await windows.hit(THREE, subject)
    with statements(database_url) as cursor:
        cursor.execute("UPDATE rate_limits SET hits = ARRAY(SELECT hit - interval '1 hour' FROM unnest(hits) AS hit)")
        cursor.execute("UPDATE rate_limits SET expires_at = expires_at - interval '1 hour'")
        assert (await windows.hit(THREE, "back")).used == 1
        monkeypatch.setattr(limit_windows, "SWEEP_EVERY_S", -1.0)
        assert (await windows.hit(THREE, "back")).used == 2
        cursor.execute("SELECT key, cardinality(hits) FROM rate_limits")
        assert cursor.fetchall() == [(THREE.key_for("back"), 2)]


async def test_a_moment_before_an_hour_is_over_one_more_is_too_many_and_a_moment_later_it_is_not(
    db: DBService, database_url: str
) -> None:
    windows = PostgresWindows(db)
    for _ in range(3):
        await windows.hit(THREE, "somebody")

    def age(by: timedelta) -> None:
        with statements(database_url) as cursor:
            cursor.execute("UPDATE rate_limits SET hits = ARRAY(SELECT hit - %s FROM unnest(hits) AS hit)", (by,))

    age(timedelta(seconds=3590))
    refused = await windows.hit(THREE, "somebody")
    assert refused.entry is None
    assert 0 < refused.frees_in_s < 10
    age(timedelta(seconds=10))
    assert (await windows.hit(THREE, "somebody")).used == 1


async def test_a_redis_that_is_away_is_unavailable_until_it_is_back(tmp_path: Path) -> None:
    with running_redis(tmp_path) as server:
        windows = RedisWindows(server.url)
        assert (await windows.hit(THREE, "somebody")).used == 1
        server.stop()
        for call in (windows.hit, windows.look):
            with pytest.raises(RateLimitsUnavailable):
                await call(THREE, "somebody")
        with pytest.raises(RateLimitsUnavailable):
            await windows.ping()
        server.start()
        assert (await windows.hit(THREE, "somebody")).used == 1
        await windows.close()


async def test_a_wrong_password_for_redis_is_unavailable_and_not_shown(redis_server: RedisServer) -> None:
    windows = RedisWindows(f"redis://:wrong-hunter2@127.0.0.1:{redis_server.port}")
    with pytest.raises(RateLimitsUnavailable) as caught:
        await windows.hit(THREE, "somebody")
    assert "hunter2" not in f"{caught.value!r} {caught.value.__cause__!r}"
    await windows.close()


async def test_redis_forgets_by_itself(redis_server: RedisServer, subject: str) -> None:
    windows = RedisWindows(redis_server.url)
    await windows.hit(THREE, subject)
    assert 3590 < await windows._redis.ttl(f"textbook:{THREE.key_for(subject)}") <= 3600
    await windows.close()


# --- whose limit


async def test_readers_networks_and_everybody_without_a_login_are_counted_apart() -> None:
    limiter = limiter_of(
        MemoryWindows(),
        rate_limit_questions_per_hour=2,
        rate_limit_anonymous_questions_per_hour=2,
        rate_limit_all_anonymous_questions_per_hour=3,
    )
    assert [(await limiter.admit_question(reader(1), HERE)).quota.remaining for _ in range(2)] == [1, 0]
    with pytest.raises(RateLimited):
        await limiter.admit_question(reader(1), THERE)
    assert (await limiter.admit_question(reader(2), HERE)).quota.remaining == 1
    assert [(await limiter.admit_question(None, HERE)).quota.remaining for _ in range(2)] == [1, 0]
    with pytest.raises(RateLimited) as own:
        await limiter.admit_question(None, HERE)
    assert own.value.quota.name == "questions"
    assert (await limiter.admit_question(None, THERE)).quota.name == "anonymous"
    with pytest.raises(RateLimited) as of_all:
        await limiter.admit_question(None, "192.0.2.2")
    assert of_all.value.quota.name == "anonymous"


async def test_what_one_limit_refuses_no_other_counts() -> None:
    limiter = limiter_of(
        MemoryWindows(),
        rate_limit_anonymous_questions_per_hour=2,
        rate_limit_all_anonymous_questions_per_hour=3,
    )
    taken = [await limiter.admit_question(None, f"192.0.2.{n}") for n in range(3)]
    for _ in range(5):
        with pytest.raises(RateLimited):
            await limiter.admit_question(None, HERE)
    for allowance in taken[:2]:
        await allowance.refund()
    assert [(await limiter.admit_question(None, HERE)).quota.remaining for _ in range(2)] == [1, 0]


async def test_a_refund_is_told_counts_once_and_is_exact(windows: Windows) -> None:
    limiter = limiter_of(windows, rate_limit_questions_per_hour=2)
    own = reader()
    first = await limiter.admit_question(own, HERE)
    second = await limiter.admit_question(own, HERE)
    assert (first.quota.remaining, second.quota.remaining) == (1, 0)
    for _ in range(3):
        await second.refund()
    assert second.quota.remaining == 1
    assert (await limiter.quotas(own))[0].remaining == 1
    await first.refund()
    assert [(await limiter.admit_question(own, HERE)).quota.remaining for _ in range(2)] == [1, 0]


async def test_each_share_of_a_reader_is_told_and_refused_in_the_words_of_the_plan() -> None:
    limiter = limiter_of(MemoryWindows(), rate_limit_translations_per_day=5, rate_limit_personalizations_per_day=1)
    assert [(quota.name, quota.limit, quota.window_s) for quota in await limiter.quotas(reader(1))] == [
        ("questions", 20, 3600),
        ("translations", 5, 86400),
        ("personalizations", 1, 86400),
    ]
    for _ in range(5):
        await limiter.admit_reader("translations", reader(1))
    await limiter.admit_reader("personalizations", reader(1))
    with pytest.raises(RateLimited, match=r"^Daily limit reached \(5 chapters/day\)$"):
        await limiter.admit_reader("translations", reader(1))
    with pytest.raises(RateLimited, match=r"^Daily limit reached. Try again tomorrow.$"):
        await limiter.admit_reader("personalizations", reader(1))
    for _ in range(20):
        await limiter.admit_reader("questions", reader(1))
    with pytest.raises(RateLimited, match=r"^Too many requests. Please wait.$"):
        await limiter.admit_reader("questions", reader(1))


async def test_whoever_guesses_a_password_elsewhere_locks_nobody_out() -> None:
    limiter = limiter_of(MemoryWindows())
    for _ in range(5):
        await limiter.admit_login("sana@example.com", THERE)
    for email in ("sana@example.com", "SANA@example.com"):
        with pytest.raises(RateLimited):
            await limiter.admit_login(email, THERE)
    assert (await limiter.admit_login("sana@example.com", HERE)).quota.remaining == 4
    for n in range(15):
        await limiter.admit_login(f"reader{n}@example.com", THERE)
    with pytest.raises(RateLimited) as caught:
        await limiter.admit_login("somebody@example.com", THERE)
    assert (caught.value.quota.limit, caught.value.quota.window_s) == (20, 60)


async def test_neither_addresses_nor_e_mails_are_stored_and_another_secret_hides_them_differently(
    db: DBService, database_url: str
) -> None:
    for secret in ("one secret of thirty-two bytes and more", "two secrets of thirty-two bytes and more"):
        limiter = RateLimiter(Settings(secret_key=SecretStr(secret)), PostgresWindows(db))
        await limiter.admit_question(None, HERE)
        await limiter.admit_login("sana@example.com", HERE)
        await limiter.admit_signup(HERE)
    with statements(database_url) as cursor:
        cursor.execute("SELECT key FROM rate_limits ORDER BY key")
        keys = [key for (key,) in cursor.fetchall()]
    assert len(keys) == 2 * 4 + 1
    assert not [key for key in keys if HERE in key or "sana" in key or "@" in key]


async def test_without_its_storage_nothing_is_allowed_and_a_refund_is_silent() -> None:
    db = open_db("postgresql://nobody@127.0.0.1:1/nothing", threads=1)
    limiter = limiter_of(PostgresWindows(db))
    with pytest.raises(DatabaseUnavailable):
        await limiter.admit_question(None, HERE)
    await db.close()

    class Gone(MemoryWindows):
        async def take_back(self, *_: Any) -> None:
            raise Unavailable

    await (await limiter_of(Gone()).admit_question(None, HERE)).refund()
