"""One of several processes that ask at the same moment: `python -m tests.race.limit_worker STORAGE DSN`.

Reads lines `subject requests` and answers how many of these simultaneous requests were admitted.
"""

import asyncio
import sys

from pydantic import SecretStr

from backend.app.errors import RateLimited
from backend.app.models.domain import Reader, UserId
from backend.app.services.db_service import open_db
from backend.app.services.limit_windows import open_windows
from backend.app.services.rate_limiter import RateLimiter
from backend.app.utils.config import Settings


async def admitted(limiter: RateLimiter, reader: Reader, requests: int) -> int:
    """How many of so many simultaneous questions of one reader may be asked."""
    asked = (limiter.admit_question(reader, "192.0.2.1") for _ in range(requests))
    results = await asyncio.gather(*asked, return_exceptions=True)
    unexpected = [
        result for result in results if isinstance(result, Exception) and not isinstance(result, RateLimited)
    ]
    if unexpected:
        raise unexpected[0]
    return sum(not isinstance(result, RateLimited) for result in results)


async def _work(storage: str, dsn: str) -> None:
    settings = Settings(rate_limit_storage=SecretStr(storage), secret_key=SecretStr("the same in each process" * 2))
    db = open_db(dsn)
    windows = open_windows(settings, db)
    limiter = RateLimiter(settings, windows)
    await limiter.quotas(_reader(0))  # connected before the race
    print("ready", flush=True)
    while line := await asyncio.to_thread(sys.stdin.readline):
        number, requests = map(int, line.split())
        print(await admitted(limiter, _reader(number), requests), flush=True)
    await windows.close()
    await db.close()


def _reader(number: int) -> Reader:
    return Reader(UserId(number), "reader@example.com", "Reader", "beginner", "none", 0)


if __name__ == "__main__":
    asyncio.run(_work(*sys.argv[1:]))
