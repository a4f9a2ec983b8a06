"""What only the tests in here need."""

from tests.fixtures.mdx import mdx

__all__ = ["mdx"]
