"""Fixtures that every test may use; each lives with the thing it starts."""

import importlib.util

import pytest

_PLUGINS = [
    "tests.fixtures.database",
    "tests.fixtures.retrieval",
    "tests.fixtures.claude",
    "tests.fixtures.app",
    "tests.fixtures.accounts",
]
pytest_plugins = [name for name in _PLUGINS if importlib.util.find_spec(name)]


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """Async tests run on asyncio, as the server does."""
    return "asyncio"
