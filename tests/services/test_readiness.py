"""Readiness asks every dependency, names what fails and does not become load itself."""

import asyncio

import pytest

from backend.app.errors import DatabaseUnavailable
from backend.app.services.readiness import Readiness

pytestmark = pytest.mark.anyio


async def _well() -> None:
    return None


async def _failing() -> None:
    raise DatabaseUnavailable


async def test_each_dependency_is_reported_by_its_own_state() -> None:
    readiness = Readiness({"search": _well, "database": _failing})
    assert await readiness.check() == {"search": "ok", "database": "database_unavailable"}


async def test_a_hanging_dependency_is_a_timeout(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("backend.app.services.readiness._TIMEOUT_S", 0.05)
    readiness = Readiness({"search": asyncio.Event().wait})  # type: ignore[dict-item]
    assert await readiness.check() == {"search": "timeout"}


async def test_asking_often_pings_once_until_the_answer_is_old() -> None:
    now, pings = [0.0], []

    async def ping() -> None:
        pings.append(now[0])

    readiness = Readiness({"search": ping}, clock=lambda: now[0])
    await asyncio.gather(*(readiness.check() for _ in range(20)))
    now[0] = 1.9
    await readiness.check()
    now[0] = 2.0
    await readiness.check()
    assert pings == [0.0, 2.0]
