"""What the doctor says is for an owner: each failure has its fix, and no line is a program's inner talk."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import SecretStr

from backend.app import serving
from backend.app.doctor import Check, examine
from backend.app.utils.config import Settings
from tests.fixtures.redis import RedisServer


@pytest.mark.anyio
async def test_a_database_that_does_not_answer_comes_with_what_to_check(tmp_path: Path) -> None:
    with serving.bind("127.0.0.1", 0) as bound_only:
        port = bound_only.getsockname()[1]
    settings = Settings(
        data_dir=tmp_path,
        port=port,
        database_url=SecretStr(f"postgresql://book:hunter2@127.0.0.1:{port}/book"),
    )
    checks = {check.name: check for check in await examine(settings)}
    assert checks["database"].state == "failed"
    assert "DATABASE_URL" in checks["database"].fix
    assert "try again" not in checks["database"].detail


@pytest.mark.anyio
async def test_where_limits_are_counted_is_told_and_a_redis_that_does_not_answer_comes_with_its_fix(
    tmp_path: Path, database_url: str, redis_server: RedisServer
) -> None:
    with serving.bind("127.0.0.1", 0) as bound_only:
        unreachable = f"redis://:hunter2@127.0.0.1:{bound_only.getsockname()[1]}/0"
    found: list[Check] = []
    for storage in ("memory", "postgres", redis_server.url, unreachable):
        settings = Settings(
            data_dir=tmp_path, database_url=SecretStr(database_url), rate_limit_storage=SecretStr(storage)
        )
        found += [check for check in await examine(settings) if check.name == "limits"]
    assert [check.state for check in found] == ["ok", "ok", "ok", "failed"]
    assert "RATE_LIMIT_STORAGE" in found[-1].fix
    assert "hunter2" not in f"{found}"


@pytest.mark.anyio
async def test_a_model_without_a_price_is_told_with_those_that_have_one(tmp_path: Path, database_url: str) -> None:
    settings = Settings(
        data_dir=tmp_path,
        database_url=SecretStr(database_url),
        anthropic_api_key=SecretStr("sk-test"),
        claude_model="claude-tomorrow",
    )
    checks = [check for check in await examine(settings) if check.name == "claude"]
    assert [check.state for check in checks] == ["failed"]
    assert "its price is not known" in checks[0].detail
    assert "claude-haiku-5-5" in checks[0].detail


@pytest.mark.anyio
async def test_a_taken_port_is_told_in_one_plain_clause(tmp_path: Path, empty_database_url: str) -> None:
    with serving.bind("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        settings = Settings(data_dir=tmp_path, port=port, database_url=SecretStr(empty_database_url))
        checks = {check.name: check for check in await examine(settings)}
    assert checks["port"].detail == f"127.0.0.1:{port} cannot be listened on: Address already in use"


def test_a_command_that_meets_no_database_sends_its_owner_to_the_doctor(tmp_path: Path) -> None:
    with serving.bind("127.0.0.1", 0) as bound_only:
        url = f"postgresql://book:hunter2@127.0.0.1:{bound_only.getsockname()[1]}/book"
    settings = {"ENVIRONMENT": "development", "DATABASE_URL": url, "DATA_DIR": str(tmp_path)}
    command = [sys.executable, "-m", "backend", "migrate"]
    done = subprocess.run(command, env=os.environ | settings, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 1
    assert done.stderr.endswith("What to fix: python -m backend doctor\n")
    assert "hunter2" not in done.stderr
