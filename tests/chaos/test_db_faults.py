"""Postgres is killed, refuses, falls silent or stands behind a transaction pooler: callers get 503, then it works."""

import asyncio
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import psutil
import psycopg2
import pytest

from backend.app.errors import DatabaseUnavailable
from backend.app.models.domain import PastTurn
from backend.app.services import db_pool
from backend.app.services.conversations import Conversations
from backend.app.services.db_service import open_db
from backend.app.sql import load_steps
from backend.app.utils.embedded import EmbeddedPostgres
from tests.fixtures.database import public_folder, statements

pytestmark = [pytest.mark.anyio, pytest.mark.chaos]

SELF_SIGNED = [
    *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"),
    *("-days", "2", "-subj", "/CN=localhost", "-keyout", "key.pem", "-out", "cert.pem"),
]
ALL_STEPS = [step.name for step in load_steps()]
TURN = PastTurn("q", "a", (), "not_in_book")
PGBOUNCER = shutil.which("pgbouncer", path=f"{os.environ.get('PATH', '')}:/usr/sbin")


def _postmaster(server: EmbeddedPostgres) -> psutil.Process:
    return psutil.Process(int((server.cluster / "postmaster.pid").read_text().splitlines()[0]))


async def test_a_server_killed_in_the_middle_is_unavailable_and_after_its_restart_no_saved_turn_is_lost():
    with public_folder() as folder:
        server = EmbeddedPostgres.start(folder)
        db = open_db(server.dsn)
        try:
            await db.migrate()
            reader = await db.create_user("a@example.org", "hash", "A", "beginner", "none")
            saved = [await db.save_turn(reader.user_id, uuid4(), TURN, "claude", "q") for _ in range(20)]
            postmaster = _postmaster(server)
            family = [postmaster, *postmaster.children(recursive=True)]
            for process in family:
                process.send_signal(signal.SIGKILL)
            psutil.wait_procs(family, timeout=10)
            for _ in range(3):
                with pytest.raises(DatabaseUnavailable):
                    await db.find_reader(reader.user_id)
            again = EmbeddedPostgres.start(folder)
            assert [turn.turn_id for turn in await db.list_turns(reader.user_id, 100)] == saved[::-1]
            again.stop()
        finally:
            await db.close()
            server.stop()


async def test_a_killed_database_costs_a_thread_its_memory_only_while_it_is_gone():
    with public_folder() as folder:
        server = EmbeddedPostgres.start(folder)
        db = open_db(server.dsn)
        threads = Conversations(db)
        try:
            await db.migrate()
            reader = await db.create_user("a@example.org", "hash", "A", "beginner", "none")
            thread = await threads.open(None, reader)
            claimed = str(thread.conversation_id)
            assert await threads.save(thread, TURN, "claude", reader)
            opened = await threads.open(claimed, reader)
            postmaster = _postmaster(server)
            family = [postmaster, *postmaster.children(recursive=True)]
            for process in family:
                process.send_signal(signal.SIGKILL)
            psutil.wait_procs(family, timeout=10)
            assert await threads.save(opened, TURN, "claude", reader) is False
            lost = await threads.open(claimed, reader)
            assert (lost.turns, lost.is_lost, str(lost.conversation_id) == claimed) == ((), True, False)
            again = EmbeddedPostgres.start(folder)
            assert await threads.open(claimed, reader) == opened
            assert await threads.save(opened, TURN, "claude", reader)
            assert len((await threads.open(claimed, reader)).turns) == 2
            again.stop()
        finally:
            await db.close()
            server.stop()


@contextmanager
def _listener(backlog: int = 20) -> Iterator[int]:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen(backlog)
        yield listening.getsockname()[1]


async def test_a_refused_connection_is_unavailable_at_once():
    with _listener() as port:
        pass  # closed: nobody listens there any more
    db = open_db(f"postgresql://u@127.0.0.1:{port}/x")
    began = time.monotonic()
    with pytest.raises(DatabaseUnavailable):
        await db.ping()
    assert time.monotonic() - began < 1
    await db.close()


async def test_a_server_that_never_says_a_word_ends_as_unavailable_within_the_limit():
    with _listener() as port:
        db = open_db(f"postgresql://u@127.0.0.1:{port}/x")
        began = time.monotonic()
        with pytest.raises(DatabaseUnavailable):
            await db.ping()
        assert db_pool.STATEMENT_TIMEOUT_S - 0.5 < time.monotonic() - began < db_pool.STATEMENT_TIMEOUT_S + 1
        await db.close()


async def test_a_server_that_falls_silent_between_two_statements_does_not_hang_anyone(
    monkeypatch: pytest.MonkeyPatch,
):
    monkeypatch.setattr(db_pool, "IDLE_BEFORE_PING_S", -1.0)
    monkeypatch.setattr(db_pool, "PING_TIMEOUT_S", 0.2)
    with public_folder() as folder:
        server = EmbeddedPostgres.start(folder)
        db = open_db(server.dsn, threads=1)
        postmaster = _postmaster(server)
        await db.ping()
        family = [postmaster, *postmaster.children(recursive=True)]
        try:
            for process in family:
                process.suspend()
            began = time.monotonic()
            with pytest.raises(DatabaseUnavailable):
                await db.ping()
            assert time.monotonic() - began < db_pool.STATEMENT_TIMEOUT_S + 1
        finally:
            for process in family:
                process.resume()
        await db.ping()
        await db.close()
        server.stop()


async def test_a_server_without_a_free_connection_is_unavailable_and_recovers():
    with public_folder() as folder:
        few = {"max_connections": "4", "superuser_reserved_connections": "0", "max_wal_senders": "0"}
        server = EmbeddedPostgres.start(folder, settings=few)
        db = open_db(server.dsn, threads=1)
        others = [psycopg2.connect(server.dsn) for _ in range(4)]
        with pytest.raises(DatabaseUnavailable):
            await db.ping()
        for other in others:
            other.close()
        await asyncio.to_thread(_until_free, server.dsn)
        await db.ping()
        await db.close()
        server.stop()


def _until_free(dsn: str) -> None:
    for _ in range(100):
        try:
            psycopg2.connect(dsn).close()
        except psycopg2.OperationalError:
            time.sleep(0.02)  # a closed connection's backend needs a moment to go
        else:
            return


async def test_a_read_only_database_still_answers_reads(fresh_database_url: str):
    db = open_db(fresh_database_url)
    reader = await db.create_user("a@example.org", "hash", "A", "beginner", "none")
    await db.close()
    with statements(fresh_database_url) as cursor:
        cursor.execute("SELECT current_database()")
        cursor.execute(f"ALTER DATABASE {cursor.fetchall()[0][0]} SET default_transaction_read_only = on")
    other = open_db(fresh_database_url)
    assert await other.find_reader(reader.user_id) == reader
    with pytest.raises(DatabaseUnavailable):
        await other.save_turn(reader.user_id, uuid4(), TURN, "claude", "q")
    await other.close()


@contextmanager
def _pgbouncer(server: EmbeddedPostgres) -> Iterator[int]:
    with _listener() as port:
        pass
    socket_folder = (server.cluster / "postmaster.pid").read_text().splitlines()[4]
    with public_folder() as folder:
        (folder / "users.txt").write_text('"postgres" "secret"\n')
        subprocess.run(SELF_SIGNED, cwd=folder, check=True, capture_output=True)
        (folder / "pgbouncer.ini").write_text(
            f"[databases]\n* = host={socket_folder} port=5432 user=postgres\n"
            f"[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\n"
            f"auth_type = scram-sha-256\nauth_file = {folder / 'users.txt'}\n"
            "pool_mode = transaction\ndefault_pool_size = 3\nclient_tls_sslmode = require\n"
            f"client_tls_key_file = {folder / 'key.pem'}\nclient_tls_cert_file = {folder / 'cert.pem'}\n"
        )
        (folder / "key.pem").chmod(0o644)
        user = server.cluster.owner() if os.geteuid() == 0 else None
        with (folder / "log").open("w") as log:
            process = subprocess.Popen([str(PGBOUNCER), str(folder / "pgbouncer.ini")], stderr=log, user=user)
        try:
            _until_listening(port, process, folder / "log")
            yield port
        finally:
            process.terminate()
            process.wait(10)


def _until_listening(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    for _ in range(200):
        assert process.poll() is None, log.read_text()
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.02)
    pytest.fail(log.read_text())


@pytest.mark.skipif(not (PGBOUNCER and shutil.which("openssl")), reason="needs pgbouncer and openssl")
async def test_everything_works_over_tls_through_pgbouncer_in_transaction_mode(
    postgres_server: EmbeddedPostgres, empty_database_url: str
):
    name = empty_database_url.split("/")[3].split("?")[0]
    with _pgbouncer(postgres_server) as port:
        url = f"postgresql://postgres:secret@127.0.0.1:{port}/{name}?sslmode=require&channel_binding=prefer"
        services = [open_db(url, threads=4) for _ in range(3)]
        applied = await asyncio.gather(*(service.migrate() for service in services))
        assert sorted(step for steps in applied for step in steps) == ALL_STEPS
        reader = await services[0].create_user("a@example.org", "hash", "A", "beginner", "none")
        for _ in range(20):
            saves = [
                service.save_turn(reader.user_id, uuid4(), TURN, "claude", "q")
                for service in services
                for _ in range(4)
            ]
            await asyncio.gather(*saves, *(service.find_reader(reader.user_id) for service in services))
        with statements(empty_database_url) as cursor:
            cursor.execute(
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid()"
            )
            assert len(cursor.fetchall()) > 0
        await asyncio.gather(*(service.find_reader(reader.user_id) for service in services for _ in range(4)))
        assert await services[1].delete_turns(reader.user_id) == 240
        for service in services:
            await service.close()
