"""`python3 scripts/bench.py cached`: a chapter that is translated already, beside a bare endpoint with its SELECT.

Both servers read the same database. Requests come 20 a second, whether or not the one before was answered, as readers
do; calls take turns, round by round. The machine's speed drifts, so the ratios count.
"""

import argparse
import asyncio
import itertools
import statistics
import sys
import tempfile
import time
from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import httpx2
import uvicorn
from fastapi import FastAPI

from backend.app.lifespan import open_database
from backend.app.models.adaptation import Translate
from backend.app.models.domain import ChapterId
from backend.app.services.adaptation_plan import recipe_of
from backend.app.services.adaptation_tasks import AdaptationTasks
from backend.app.services.db_service import DBService
from backend.app.utils.config import load_settings
from tests.benchmarks.ask import Target, serving, sign_up
from tests.fakes import translators
from tests.fakes.claude import FakeClaude

CHAPTER = "foundations/kinematics"
CACHED = f"/api/translate/cache/{CHAPTER}/ur"
PER_SECOND = 20
REQUESTS = 200  # in a round


@dataclass
class Call:
    """One way to get the chapter, and how long it took."""

    name: str
    target: Target
    method: str = "GET"
    path: str = CACHED
    body: Mapping[str, Any] | None = None
    with_token: bool = False
    latencies_ms: list[float] = field(default_factory=list[float])


def bare_app(db: DBService) -> FastAPI:
    """The least that answers with the chapter: the statement and the JSON."""
    app = FastAPI()
    tasks, target = AdaptationTasks(load_settings()), Translate("ur")
    recipe = recipe_of(tasks.task(target), tasks.model(target))

    @app.get(CACHED)
    async def _() -> dict[str, Any]:
        chapter = await db.find_translation(ChapterId(CHAPTER), target, recipe)
        assert chapter
        return asdict(chapter)

    return app


async def _serve_bare(port: int) -> None:
    async with open_database(load_settings()) as db:
        config = uvicorn.Config(bare_app(db), port=port, log_level="warning", access_log=False)
        await uvicorn.Server(config).serve()


async def measure(call: Call) -> None:
    """One round."""
    headers = call.target.headers if call.with_token else {}
    async with httpx2.AsyncClient(base_url=call.target.base_url, headers=headers, timeout=60) as client:

        async def get(number: int) -> float:
            await asyncio.sleep(number / PER_SECOND)
            started = time.perf_counter()
            response = await client.request(call.method, call.path, json=call.body)
            response.raise_for_status()
            return (time.perf_counter() - started) * 1000

        call.latencies_ms += await asyncio.gather(*map(get, range(REQUESTS)))


def report(bare: Call, others: list[Call]) -> None:
    def percentile(call: Call, share: float) -> float:
        return statistics.quantiles(call.latencies_ms, n=100)[round(share * 100) - 1]

    print(f"{'':<22}{'p50 ms':>9}{'p95 ms':>9}{'p99 ms':>9}{'p50 ratio':>11}{'p95 ratio':>11}")
    for call in (bare, *others):
        times = "".join(f"{percentile(call, share):>9.1f}" for share in (0.5, 0.95, 0.99))
        ratios = "".join(f"{percentile(call, share) / percentile(bare, share):>11.2f}" for share in (0.5, 0.95))
        print(f"{call.name:<22}{times}{ratios}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--port", type=int, help="serve the bare endpoint only")
    options = parser.parse_args()
    if options.port:
        asyncio.run(_serve_bare(options.port))
        return
    with ExitStack() as stack:
        claude = stack.enter_context(FakeClaude())
        claude.adapts(translators.good)
        shared = stack.enter_context(tempfile.TemporaryDirectory())
        Path(shared).chmod(0o755)  # as root the embedded Postgres is another user
        commands = {"product": ["-m", "backend", "serve"], "bare": ["-m", "tests.benchmarks.cached"]}
        product, bare = (
            stack.enter_context(serving(name, [sys.executable, *command], claude.base_url, {"DATA_DIR": shared}))
            for name, command in commands.items()
        )
        sign_up(product)
        translate = {"chapter_id": CHAPTER, "language": "ur"}
        made = httpx2.post(
            f"{product.base_url}/api/translate/chapter", json=translate, headers=product.headers, timeout=300
        )
        made.raise_for_status()
        calls = [
            Call("bare", bare),
            Call("GET", product),
            Call("GET with a token", product, with_token=True),
            Call("POST with a token", product, "POST", "/api/translate/chapter", translate, with_token=True),
        ]
        for call in calls:  # warm up
            asyncio.run(measure(call))
            call.latencies_ms.clear()
        for _, call in itertools.product(range(options.rounds), calls):
            asyncio.run(measure(call))
        report(calls[0], calls[1:])


if __name__ == "__main__":
    main()
