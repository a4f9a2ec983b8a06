"""What every part of the database service rests on: a named block of `backend/app/sql`, run on the pool.

Knows no table. A part is a class below this one with the methods of some tables, and `DBService` is all of them.
"""

from backend.app.errors import InvalidToken
from backend.app.services.db_pool import DatabasePool, Row
from backend.app.sql import load_queries


class NamedQueries:
    """Runs blocks by their names. Raises what the pool raises: DatabaseUnavailable, BadRequest."""

    def __init__(self, pool: DatabasePool) -> None:
        self._pool = pool
        self._sql = load_queries()

    async def _all(self, query: str, **binds: object) -> list[Row]:
        return await self._pool.rows(self._sql[query], binds)

    async def _one(self, query: str, **binds: object) -> Row | None:
        rows = await self._all(query, **binds)
        return rows[0] if rows else None


def of_reader(row: Row | None) -> Row:
    """The row of a statement that returns one as long as the reader exists. Raises InvalidToken."""
    if row is None:
        raise InvalidToken
    return row
