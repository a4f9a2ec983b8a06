"""One of several processes that want the same chapter: `python -m tests.race.adaptation_worker DSN CLAUDE LEASE_S`.

Reads lines `number requests`: so many readers of this process want the translation of `long_chapter(number)` at once.
Answers in JSON: the hashes of what they got, the codes of what failed, and how many of them were counted.
"""

import asyncio
import hashlib
import json
import sys
from typing import Any, cast

from pydantic import SecretStr

from backend.app.errors import AppError
from backend.app.models.adaptation import AdaptedChapter, Order, Translate
from backend.app.services.adaptation_service import AdaptationService
from backend.app.services.adaptation_tasks import AdaptationTasks
from backend.app.services.claude_service import ClaudeService, Patience
from backend.app.services.db_service import open_db
from backend.app.services.embedding_service import EmbeddingService
from backend.app.services.limit_windows import MemoryWindows
from backend.app.services.rate_limiter import RateLimiter
from backend.app.utils.config import Settings
from backend.app.utils.logs import configure_logs
from tests.fixtures.adaptation import Readers, long_chapter, reader_of

NO_EMBEDDER = cast(EmbeddingService, None)  # nothing is embedded for a translation


async def answer_of(service: AdaptationService, readers: Readers, number: int, requests: int) -> dict[str, Any]:
    """What so many readers got who asked at once."""
    order, before = Order(Translate("ur"), long_chapter(number)), len(readers.admitted)
    asked = (service.adapt(order, reader_of(each), readers.admit(each)) for each in range(1, requests + 1))
    results = await asyncio.gather(*asked, return_exceptions=True)
    return {
        "texts": sorted({_hash(result.content) for result in results if isinstance(result, AdaptedChapter)}),
        "failed": [result.code if isinstance(result, AppError) else repr(result) for result in results
                   if isinstance(result, BaseException)],
        "counted": len(readers.admitted) - before,
    }  # fmt: skip


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:12]


async def _work(dsn: str, base_url: str, lease_s: str) -> None:
    configure_logs(as_json=False, level="ERROR")  # not where the answers go
    settings = Settings(secret_key=SecretStr("the same in each process" * 2), rate_limit_translations_per_day=100_000)
    db = open_db(dsn)
    patience = Patience(section_deadline_s=60.0, backoff_s=0.01)
    claude = ClaudeService("k", settings.claude_model, base_url=base_url, patience=patience)
    service = AdaptationService(AdaptationTasks(settings), claude, db, NO_EMBEDDER, lease_s=float(lease_s))
    readers = Readers(RateLimiter(settings, MemoryWindows()))
    await claude.warm_up()
    await db.ping()
    print("ready", flush=True)
    while line := await asyncio.to_thread(sys.stdin.readline):
        number, requests = map(int, line.split())
        print(json.dumps(await answer_of(service, readers, number, requests)), flush=True)
    await service.close()
    await claude.close()
    await db.close()


if __name__ == "__main__":
    asyncio.run(_work(*sys.argv[1:]))
