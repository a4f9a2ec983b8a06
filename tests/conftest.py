"""Fixtures that every test may use; each lives with the thing it starts."""

pytest_plugins: list[str] = []
