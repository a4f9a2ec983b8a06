"""The command line as an owner uses it: exit codes, one-line failures, a clean start and stop."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx2
import pytest
from pydantic import SecretStr

from backend.app import ingest_command, serving
from backend.app.doctor import Check, examine
from backend.app.errors import ConfigurationError
from backend.app.lifespan import SAMPLE_BOOK
from backend.app.utils.config import Settings
from backend.app.utils.embedded import EmbeddedPostgres
from tests.fixtures.database import copied_database, public_folder
from tests.fixtures.processes import REPO, OwnSettings, as_environment, processes_of, run, start, started


def test_a_bad_configuration_is_one_message_with_every_problem_and_no_secret() -> None:
    code, out, err = run("serve", ENVIRONMENT="production", PORT="eighty", SECRET_KEY="hunter2", QDRANT_URL="hunter2")
    assert code == 78
    assert out == ""
    for name in ("PORT", "SECRET_KEY", "QDRANT_URL"):
        assert f"  - {name}" in err
    assert "hunter2" not in err
    assert "Traceback" not in err


def test_nothing_heavy_is_loaded_before_the_configuration_is_known_to_be_good() -> None:
    heavy = ("fastapi", "uvicorn", "numpy", "onnxruntime", "psycopg2", "qdrant_client", "anthropic", "rich.progress")
    code = f"import sys, backend.app.cli; print([name for name in {heavy!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], cwd=REPO, check=True, capture_output=True, text=True)
    assert done.stdout == "[]\n"


@pytest.mark.parametrize("arguments", [("fly",), ("serve", "--port", "eighty"), ("ask",), ("ask", " "), ("ingest",)])
def test_wrong_usage_is_exit_code_2_without_a_traceback(arguments: tuple[str, ...]) -> None:
    code, _, err = run(*arguments)
    assert code == 2
    assert "Usage: python -m backend" in err
    assert "Traceback" not in err


def test_without_arguments_it_tells_its_commands() -> None:
    _, out, err = run()
    for command in ("serve", "ingest", "ask", "evaluate", "usage", "migrate", "doctor", "settings"):
        assert re.search(rf"\b{command}\b", out + err)


def test_a_folder_that_is_no_book_is_one_line_and_exit_code_1(tmp_path: Path) -> None:
    code, out, err = run("ingest", str(tmp_path), "--dry-run")
    assert (code, out) == (1, "")
    assert len(err.splitlines()) == 1
    assert str(tmp_path) in err


def test_a_port_in_use_is_a_problem_that_names_the_way_out() -> None:
    with serving.bind("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ConfigurationError, match=f"PORT: .*--port {port + 1}"):
            serving.bind("127.0.0.1", port)


def test_every_address_means_both_families() -> None:
    with serving.bind("", 0) as listener:
        port = listener.getsockname()[1]
        socket.create_connection(("127.0.0.1", port)).close()
        if listener.family == socket.AF_INET6:
            socket.create_connection(("::1", port)).close()
        assert serving.url(listener) == f"http://localhost:{port}"


def test_the_banner_tells_what_is_embedded_and_what_changes_it() -> None:
    text = serving.banner(Settings(), "http://127.0.0.1:8000", "6 chapters, 113 passages")
    for part in ("http://127.0.0.1:8000/docs", "DATABASE_URL", "QDRANT_URL", "ANTHROPIC_API_KEY", "curl", "doctor"):
        assert part in text
    assert len(text.splitlines()) < 20
    with_key = Settings(anthropic_api_key=SecretStr("hunter2"), database_url=SecretStr("postgresql://hunter2@h/d"))
    assert "hunter2" not in serving.banner(with_key, "http://127.0.0.1:8000", "")


@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_serves_logs_json_and_stops_cleanly(number: signal.Signals, own_settings: OwnSettings) -> None:
    with started("serve", "--port", "0", **as_environment(own_settings())) as backend:
        answer = httpx2.get(f"{backend.url}/api/health")
        assert answer.status_code == 200
        assert "server" not in answer.headers
        backend.process.send_signal(number)
        assert backend.wait() == 0
        assert backend.process.stdout
        assert backend.process.stdout.read() == ""
    assert [json.loads(line)["event"] for line in backend.lines]
    assert "Traceback" not in "".join(backend.lines)


@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
@pytest.mark.parametrize("moment", ["postgres.unfinished", "postgres/postmaster.pid"])
def test_a_signal_while_it_starts_leaves_no_database_running(moment: str) -> None:
    with public_folder() as folder:
        process = start("serve", "--port", "0", DATA_DIR=str(folder))
        while not (folder / moment).exists():
            with suppress(subprocess.TimeoutExpired):
                pytest.fail(f"it ended with {process.wait(0.002)}")
        process.terminate()
        _, err = process.communicate(timeout=60)
        assert process.returncode == 0, err
        assert processes_of(folder) == []


def test_ask_prints_the_answer_and_links_to_its_sources(own_settings: OwnSettings) -> None:
    settings = as_environment(own_settings())
    code, out, err = run("ask", "What is a ROS 2 node?", SITE_URL="https://book.example", **settings)
    assert (code, err) == (0, "")
    assert "No AI model is configured" in out
    assert re.search(r"^\[1\] .+\n    https://book\.example/docs/\S+$", out, re.MULTILINE)
    code, out, _ = run("ask", "Who won the football world cup of 1998?", **settings)
    assert (code, out) == (0, "I don't have this information in the book.\n")


def test_migrate_applies_the_steps_once(postgres_server: EmbeddedPostgres) -> None:
    with copied_database(postgres_server, "template1") as dsn:
        first, second = run("migrate", DATABASE_URL=dsn), run("migrate", DATABASE_URL=dsn)
    assert first[0] == second[0] == 0
    assert first[1].startswith("applied 0001_")
    assert second[1] == "The database is up to date.\n"


@pytest.mark.anyio
async def test_ingest_ends_with_counts_and_three_questions_and_an_unchanged_book_costs_nothing(
    own_settings: OwnSettings, capsys: pytest.CaptureFixture[str]
) -> None:
    await ingest_command.index_book(own_settings(), SAMPLE_BOOK, replace=False, include_unlisted=False)
    out = capsys.readouterr().out
    assert "0 added, 0 changed, 0 removed, 6 unchanged" in out
    assert " 0 embedded" in out
    assert out.partition("Asked back:")[2].count("  - ") == 3


@pytest.mark.anyio
async def test_a_rehearsal_writes_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    settings = Settings(data_dir=tmp_path / "data", database_url=SecretStr("postgresql://nowhere.invalid/x"))
    await ingest_command.rehearse_book(settings, SAMPLE_BOOK, include_unlisted=False)
    assert "nothing was written" in capsys.readouterr().out
    assert {path.name for path in (tmp_path / "data").iterdir()} <= {"models"}


@contextmanager
def claude_that_answers(status: int) -> Iterator[str]:
    """The Claude API's model endpoint, as far as a key check sees it."""
    body = {"id": "claude-haiku-5-5", "type": "model", "display_name": "x", "created_at": "2026-01-01T00:00:00Z"}
    error = {"type": "error", "error": {"type": "some_error", "message": "hunter2"}}

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            content = json.dumps(body if status == 200 else error).encode()
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format: str, *args: Any) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


def by_name(checks: list[Check]) -> dict[str, Check]:
    return {check.name: check for check in checks}


@pytest.mark.anyio
async def test_the_doctor_finds_nothing_wrong_where_nothing_is(own_settings: OwnSettings) -> None:
    with claude_that_answers(200) as url:
        settings = own_settings(
            anthropic_api_key=SecretStr("hunter2"), anthropic_base_url=url, site_url="https://book.example", port=0
        )
        checks = await examine(settings)
    assert {check.state for check in checks} == {"ok"}
    assert re.search(r"\d+ passages indexed", by_name(checks)["search"].detail)


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("status", "fix"), [(401, "ANTHROPIC_API_KEY"), (404, "CLAUDE_MODEL"), (500, "ANTHROPIC_BASE_URL")]
)
async def test_the_doctor_says_what_to_do_about_claude(status: int, fix: str, own_settings: OwnSettings) -> None:
    with claude_that_answers(status) as url:
        checks = await examine(own_settings(anthropic_api_key=SecretStr("hunter2"), anthropic_base_url=url))
    claude = by_name(checks)["claude"]
    assert claude.state == "failed"
    assert fix in claude.fix
    assert "hunter2" not in repr(checks)


@pytest.mark.anyio
async def test_the_doctor_reports_every_dead_dependency_and_no_secret(tmp_path: Path) -> None:
    with serving.bind("127.0.0.1", 0) as closed:
        dead = f"127.0.0.1:{closed.getsockname()[1]}"
    settings = Settings(
        environment="production",
        data_dir=tmp_path,
        database_url=SecretStr(f"postgresql://book:hunter2@{dead}/book"),
        qdrant_url=f"http://{dead}",
        anthropic_api_key=SecretStr("hunter2"),
        anthropic_base_url=f"http://{dead}",
    )
    checks = await examine(settings)
    assert {check.name for check in checks if check.state == "failed"} == {"database", "search", "claude"}
    assert "suspends" in by_name(checks)["search"].fix
    assert by_name(checks)["browsers"].state == "warning"
    assert "hunter2" not in repr(checks)


def test_the_doctor_fails_as_a_command_and_speaks_json(tmp_path: Path, postgres_server: EmbeddedPostgres) -> None:
    with copied_database(postgres_server, "template1") as dsn:
        settings = {
            "DATABASE_URL": dsn,
            "QDRANT_URL": "http://127.0.0.1:9",
            "DATA_DIR": str(tmp_path),
            "ANTHROPIC_API_KEY": "hunter2",
            "ANTHROPIC_BASE_URL": "http://127.0.0.1:9",
        }
        code, out, err = run("doctor", "--json", ENVIRONMENT="production", **settings)
    assert code == 1, err
    checks = {check["name"]: check for check in json.loads(out)}
    assert checks["database"]["state"] == "failed"
    assert "migrate" in checks["database"]["fix"]
    assert "hunter2" not in out
