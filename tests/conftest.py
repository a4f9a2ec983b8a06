"""Fixtures that every test may use; each lives with the thing it starts."""

import signal

import pytest
import structlog

pytest_plugins = [
    "tests.fixtures.database",
    "tests.fixtures.retrieval",
    "tests.fixtures.claude",
    "tests.fixtures.adaptation",
    "tests.fixtures.app",
    "tests.fixtures.accounts",
    "tests.fixtures.processes",
    "tests.fixtures.redis",
]


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """Async tests run on asyncio, as the server does."""
    return "asyncio"


@pytest.fixture(scope="session", autouse=True)
def logs_go_where_pytest_captures_them() -> None:
    """structlog would print beside pytest's own lines; through the standard library a failing test shows its logs."""
    structlog.configure(logger_factory=structlog.stdlib.LoggerFactory(), wrapper_class=structlog.stdlib.BoundLogger)


@pytest.fixture(scope="session", autouse=True)
def ctrl_c_reaches_started_programs() -> None:
    """Started as a background job of a shell, this process ignores SIGINT, and so would every program it starts."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
