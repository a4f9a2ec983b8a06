"""A few threads that each own one Postgres connection.

Knows psycopg2, when a connection may be trusted and which driver errors mean "the database is not there".
Must not know any table. Measured: two such threads answer more requests than psycopg2 in the framework's
thread pool, and waiting callers queue where psycopg2's own pool would raise.

Nothing here needs a session on the server (no SET, prepared statement, advisory session lock, LISTEN or
startup `options`), so it works through PgBouncer in transaction mode, which Neon's pooled endpoint is.
"""

import asyncio
import select
import sys
import threading
from collections.abc import Callable, Generator, Mapping
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from time import monotonic
from typing import Any, TypeVar

import psycopg2
import psycopg2.extensions

from backend.app.errors import BadRequest, ConfigurationError, DatabaseUnavailable
from backend.app.utils.threads import ThreadUse, WatchedThreads

T = TypeVar("T")
Row = tuple[Any, ...]
Connection = psycopg2.extensions.connection
Cursor = psycopg2.extensions.cursor

QUEUE_WAIT_S = 10.0
"""A caller waits this long for a free thread before it is told that the database is busy."""
STATEMENT_TIMEOUT_S = 6.0
"""Everything one call does (check, connect, statement): a dead network ends in a 503, never in a hang."""
PING_TIMEOUT_S = 2.0
IDLE_BEFORE_PING_S = 60.0
MAX_AGE_S = 600.0

_BEGIN = "BEGIN; SELECT set_config('statement_timeout', %(timeout_ms)s, true)"
_NOT_THERE = (psycopg2.OperationalError, psycopg2.InterfaceError, psycopg2.InternalError)
_thread = threading.local()


class DatabasePool:
    """Runs statements on its own threads. Every method raises DatabaseUnavailable when the database cannot
    be reached or does not answer in time, and BadRequest for a value that Postgres cannot store."""

    def __init__(self, dsn: str, *, threads: int) -> None:
        """`dsn` is passed to libpq as it is (sslmode and channel_binding included); nothing connects yet."""
        try:
            psycopg2.extensions.parse_dsn(dsn)
        except psycopg2.ProgrammingError:  # its text can hold the password
            raise ConfigurationError(
                ["DATABASE_URL is not a Postgres URL: write postgresql://user:password@host/database"]
            ) from None
        psycopg2.extensions.set_wait_callback(_wait_within_time_limit)
        self._dsn = dsn
        self._executor = WatchedThreads(threads, "database")
        self._sessions: list[_Session] = []
        self._own = threading.local()

    async def rows(
        self, sql: str, binds: Mapping[str, object] | None = None, *, timeout_s: float = STATEMENT_TIMEOUT_S
    ) -> list[Row]:
        """Run one statement that commits by itself (one round trip) and return what it returns."""
        return await self._run(lambda connection: _statement(connection, sql, binds), timeout_s)

    async def transaction(self, work: Callable[[Cursor], T], *, timeout_s: float = STATEMENT_TIMEOUT_S) -> T:
        """Run `work` between BEGIN and COMMIT on one connection; any exception rolls back."""
        return await self._run(lambda connection: _transaction(connection, work, timeout_s), timeout_s)

    @property
    def use(self) -> ThreadUse:
        return self._executor.use

    async def close(self) -> None:
        """Finish what runs, refuse what waits, close the connections."""
        await asyncio.to_thread(self._executor.shutdown, cancel_futures=True)
        for session in self._sessions:
            session.close()

    async def _run(self, work: Callable[[Connection], T], timeout_s: float) -> T:
        job: Future[T] = self._executor.submit(self._on_thread, work, timeout_s)
        gave_up = False

        def give_up() -> None:
            nonlocal gave_up
            gave_up = job.cancel()  # False once it runs: then its own time limit ends it

        alarm = asyncio.get_running_loop().call_later(QUEUE_WAIT_S, give_up)
        try:
            return await asyncio.wrap_future(job)
        except asyncio.CancelledError:
            if gave_up:
                raise DatabaseUnavailable("The database is busy. Please try again in a moment.") from None
            raise
        finally:
            alarm.cancel()

    def _on_thread(self, work: Callable[[Connection], T], timeout_s: float) -> T:
        session = self._session()
        try:
            with _time_limit(timeout_s):
                return work(session.connection())
        except (*_NOT_THERE, TimeoutError) as error:
            raise DatabaseUnavailable from error
        except (psycopg2.DataError, ValueError) as error:
            raise BadRequest("The text holds characters that cannot be stored.") from error

    def _session(self) -> "_Session":
        session: _Session | None = getattr(self._own, "session", None)
        if session is None:
            session = self._own.session = _Session(self._dsn)
            self._sessions.append(session)
        return session


class _Session:
    """One thread's connection: opened at first use, checked before each use, replaced when old or dead."""

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn
        self._connection: Connection | None = None
        self._opened_at = self._used_at = 0.0

    def connection(self) -> Connection:
        """A connection that answered just now or was used a moment ago. Replacing a dead one is safe here:
        no statement of the caller has run yet."""
        connection = self._connection
        if connection is None or not self._is_alive(connection):
            self.close()
            connection = self._connection = psycopg2.connect(self._dsn)
            connection.autocommit = True
            self._opened_at = monotonic()
        self._used_at = monotonic()
        return connection

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _is_alive(self, connection: Connection) -> bool:
        now = monotonic()
        if connection.closed or now - self._opened_at > MAX_AGE_S:
            return False
        # A server that ends a connection says so first: an idle socket with something to read is suspect.
        if now - self._used_at < IDLE_BEFORE_PING_S and not _ready(connection.fileno(), "read", 0):
            return True
        return _answers(connection)


def _answers(connection: Connection) -> bool:
    try:
        with _time_limit(PING_TIMEOUT_S):
            return _statement(connection, "SELECT 1", None) == [(1,)]
    except (psycopg2.Error, TimeoutError):
        return False


def _statement(connection: Connection, sql: str, binds: Mapping[str, object] | None) -> list[Row]:
    with connection.cursor() as cursor:
        cursor.execute(sql, binds)
        return cursor.fetchall() if cursor.description else []


def _transaction(connection: Connection, work: Callable[[Cursor], T], timeout_s: float) -> T:
    with connection.cursor() as cursor:
        cursor.execute(_BEGIN, {"timeout_ms": str(int(timeout_s * 1000))})
        try:
            result = work(cursor)
            cursor.execute("COMMIT")
        except BaseException:
            with suppress(psycopg2.Error, TimeoutError):
                cursor.execute("ROLLBACK")
            raise
        return result


@contextmanager
def _time_limit(seconds: float) -> Generator[None]:
    """Bounds what this thread waits for the database inside the block; the tighter of two limits counts."""
    outer: float | None = getattr(_thread, "ends_at", None)
    ends_at = monotonic() + seconds
    _thread.ends_at = ends_at if outer is None else min(outer, ends_at)
    try:
        yield
    finally:
        _thread.ends_at = outer


def _wait_within_time_limit(connection: Connection) -> None:
    """psycopg2 calls this instead of blocking in libpq, whose own limits do not help where the peer's kernel
    still acknowledges packets. After an exception psycopg2 closes the connection."""
    while (state := connection.poll()) != psycopg2.extensions.POLL_OK:
        ends_at: float | None = getattr(_thread, "ends_at", None)
        direction = "read" if state == psycopg2.extensions.POLL_READ else "write"
        if not _ready(connection.fileno(), direction, None if ends_at is None else ends_at - monotonic()):
            raise TimeoutError("the database did not answer in time")


def _ready(fileno: int, direction: str, timeout_s: float | None) -> bool:
    timeout_s = None if timeout_s is None else max(timeout_s, 0)
    if sys.platform == "win32":  # no poll() there, and select() has no limit on the number of a socket
        read, write = ([fileno], []) if direction == "read" else ([], [fileno])
        return any(select.select(read, write, [], timeout_s))
    poller = select.poll()
    poller.register(fileno, select.POLLIN if direction == "read" else select.POLLOUT)
    return bool(poller.poll(None if timeout_s is None else timeout_s * 1000))
