"""When a connection is trusted, how long a caller waits, and what a failure becomes."""

import asyncio
import threading
import time
from pathlib import Path

import psycopg2
import pytest

from backend.app.errors import ConfigurationError, DatabaseUnavailable
from backend.app.services import db_pool
from backend.app.services.db_pool import Cursor, DatabasePool
from tests.fixtures.database import statements

pytestmark = pytest.mark.anyio

BACKEND = "SELECT pg_backend_pid()"


def _backends(dsn: str) -> int:
    with statements(dsn) as cursor:
        cursor.execute("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()")
        return cursor.fetchall()[0][0] - 1


def _until_no_backend(dsn: str) -> None:
    deadline = time.monotonic() + 5
    while _backends(dsn):  # a closed connection's backend needs a moment to go
        assert time.monotonic() < deadline
        time.sleep(0.01)


async def test_nothing_connects_before_the_first_statement_and_closing_leaves_no_connection(database_url: str):
    pool = DatabasePool(database_url, threads=2)
    assert _backends(database_url) == 0
    await asyncio.gather(*(pool.rows("SELECT pg_sleep(0.05)") for _ in range(4)))
    assert _backends(database_url) == 2
    await pool.close()
    await asyncio.to_thread(_until_no_backend, database_url)


async def test_a_connection_is_kept_between_statements(database_url: str):
    pool = DatabasePool(database_url, threads=1)
    assert await pool.rows(BACKEND) == await pool.rows(BACKEND)
    await pool.close()


@pytest.mark.parametrize("limit", ["MAX_AGE_S", "IDLE_BEFORE_PING_S"])
async def test_an_old_connection_is_replaced_and_an_idle_one_only_checked(
    database_url: str, limit: str, monkeypatch: pytest.MonkeyPatch
):
    pool = DatabasePool(database_url, threads=1)
    before = await pool.rows(BACKEND)
    monkeypatch.setattr(db_pool, limit, -1.0)
    after = await pool.rows(BACKEND)
    assert (after == before) is (limit == "IDLE_BEFORE_PING_S")
    await pool.close()


async def test_killed_idle_connections_are_replaced_without_anyone_noticing(database_url: str):
    pool = DatabasePool(database_url, threads=2)
    with statements(database_url) as cursor:
        for _ in range(20):
            await asyncio.gather(*(pool.rows("SELECT pg_sleep(0.01)") for _ in range(2)))
            cursor.execute(
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
            assert cursor.fetchall() == [(True,), (True,)]
            assert await asyncio.gather(*(pool.rows("SELECT 1") for _ in range(2))) == [[(1,)], [(1,)]]
    await pool.close()


async def test_a_connection_killed_inside_a_statement_is_unavailable_and_the_next_one_works(database_url: str):
    pool = DatabasePool(database_url, threads=1)
    with pytest.raises(DatabaseUnavailable):
        await pool.rows("SELECT pg_terminate_backend(pg_backend_pid())")
    assert await pool.rows("SELECT 1") == [(1,)]
    await pool.close()


async def test_a_statement_that_takes_too_long_is_unavailable_and_frees_its_thread(database_url: str):
    pool = DatabasePool(database_url, threads=1)
    with pytest.raises(DatabaseUnavailable):
        await pool.rows("SELECT pg_sleep(30)", timeout_s=0.1)
    with pytest.raises(DatabaseUnavailable):
        await pool.transaction(lambda cursor: cursor.execute("SELECT pg_sleep(30)"), timeout_s=0.1)
    assert await pool.rows("SELECT 1") == [(1,)]
    await pool.close()


async def test_a_transaction_is_all_or_nothing(database_url: str):
    pool = DatabasePool(database_url, threads=1)

    def two_rows(cursor: Cursor, broken: bool) -> None:
        cursor.execute("INSERT INTO users (email, password_hash) VALUES ('a', 'h')")
        if broken:
            raise LookupError
        cursor.execute("INSERT INTO users (email, password_hash) VALUES ('b', 'h')")

    with pytest.raises(LookupError):
        await pool.transaction(lambda cursor: two_rows(cursor, True))
    assert await pool.rows("SELECT count(*) FROM users") == [(0,)]
    await pool.transaction(lambda cursor: two_rows(cursor, False))
    assert await pool.rows("SELECT count(*) FROM users") == [(2,)]
    await pool.close()


async def test_a_transaction_leaves_no_setting_behind(database_url: str):
    pool = DatabasePool(database_url, threads=1)
    await pool.transaction(lambda cursor: cursor.execute("SELECT 1"), timeout_s=3)
    assert await pool.rows("SHOW statement_timeout") == [("0",)]
    await pool.close()


async def test_more_callers_than_threads_wait_and_a_wait_that_is_too_long_is_unavailable(
    database_url: str, monkeypatch: pytest.MonkeyPatch
):
    pool = DatabasePool(database_url, threads=1)
    monkeypatch.setattr(db_pool, "QUEUE_WAIT_S", 0.2)
    slow = asyncio.create_task(pool.rows("SELECT pg_sleep(0.6)"))
    await asyncio.sleep(0)
    with pytest.raises(DatabaseUnavailable, match="busy"):
        await pool.rows("SELECT 1")
    assert len(await slow) == 1
    assert await pool.rows("SELECT 1") == [(1,)]
    await pool.close()


async def test_a_caller_who_is_cancelled_while_it_waits_runs_nothing(database_url: str):
    pool = DatabasePool(database_url, threads=1)
    free = threading.Event()
    busy = asyncio.create_task(pool.transaction(lambda _: free.wait(5)))
    await asyncio.sleep(0)
    waiting = asyncio.create_task(pool.rows("INSERT INTO users (email, password_hash) VALUES ('a', 'h')"))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    free.set()
    assert await busy is True
    assert await pool.rows("SELECT count(*) FROM users") == [(0,)]
    await pool.close()


@pytest.mark.parametrize("dsn", ["http://user:geheim@host/db", "postgresql://[geheim", "geheim geheim"])
async def test_a_url_that_is_none_is_named_without_its_password(dsn: str):
    with pytest.raises(ConfigurationError) as caught:
        DatabasePool(dsn, threads=1)
    assert "DATABASE_URL" in caught.value.detail
    assert "geheim" not in repr(caught.value)
    assert caught.value.__suppress_context__


@pytest.mark.parametrize("scheme", ["postgres", "postgresql"])
async def test_both_schemes_are_accepted(database_url: str, scheme: str):
    pool = DatabasePool(database_url.replace("postgresql://", f"{scheme}://"), threads=1)
    assert await pool.rows("SELECT 1") == [(1,)]
    await pool.close()


async def test_a_failure_hides_the_server_from_clients_and_keeps_the_cause_for_the_log(tmp_path: Path):
    pool = DatabasePool(f"postgresql://postgres@/x?host={tmp_path}", threads=1)
    with pytest.raises(DatabaseUnavailable) as caught:
        await pool.rows("SELECT 1")
    assert str(tmp_path) not in caught.value.detail
    assert isinstance(caught.value.__cause__, psycopg2.OperationalError)
    await pool.close()
