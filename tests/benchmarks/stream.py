"""`python3 scripts/bench.py stream`: a streamed answer beside an endpoint that only streams, in one run, in turns.

The bare endpoint sends frames of the same number and size, and does nothing else. Claude is the scripted server
without delay, so what is measured is our own work; the ratios count, not the milliseconds.
"""

import argparse
import asyncio
import itertools
import statistics
import sys
import time
from collections.abc import AsyncGenerator
from contextlib import ExitStack
from dataclasses import dataclass, field

import httpx2
import uvicorn
from fastapi import FastAPI
from fastapi.responses import StreamingResponse

from tests.benchmarks.ask import QUESTIONS, READERS, REQUESTS, Target, scripted_claude, serving, sign_up

PATH = "/api/chat/ask/stream"
FRAMES = [b'data: {"type":"text-delta","id":"answer","delta":"' + b"x" * 40 + b'"}\n\n'] * 9


@dataclass
class Figures:
    """By number of readers, in milliseconds; rates in requests a second."""

    first: dict[int, list[float]] = field(default_factory=lambda: {n: [] for n in READERS})
    text: dict[int, list[float]] = field(default_factory=lambda: {n: [] for n in READERS})
    whole: dict[int, list[float]] = field(default_factory=lambda: {n: [] for n in READERS})
    rates: dict[int, list[float]] = field(default_factory=lambda: {n: [] for n in READERS})


def bare_app() -> FastAPI:
    """The least that streams frames to a question."""
    app = FastAPI()

    async def frames() -> AsyncGenerator[bytes]:
        for frame in FRAMES:
            yield frame

    @app.post(PATH)
    async def stream() -> StreamingResponse:
        return StreamingResponse(frames(), media_type="text/event-stream")

    return app


async def measure(target: Target, figures: Figures, readers: int) -> None:
    """Let `readers` ask one question after another."""
    questions = itertools.islice(itertools.cycle(QUESTIONS), REQUESTS[readers])
    async with httpx2.AsyncClient(base_url=target.base_url, headers=target.headers, timeout=60) as client:

        async def read() -> None:
            for question in questions:
                await _ask(client, question, figures, readers)

        started = time.perf_counter()
        await asyncio.gather(*(read() for _ in range(readers)))
        figures.rates[readers].append(REQUESTS[readers] / (time.perf_counter() - started))


async def _ask(client: httpx2.AsyncClient, question: str, figures: Figures, readers: int) -> None:
    started = time.perf_counter()
    seen: set[str] = set()
    async with client.stream("POST", PATH, json={"question": question}) as response:
        response.raise_for_status()
        async for part in response.aiter_bytes():
            for name, sign in (("first", b"data: "), ("text", b"text-delta")):
                if sign in part and name not in seen:
                    seen.add(name)
                    getattr(figures, name)[readers].append((time.perf_counter() - started) * 1000)
    figures.whole[readers].append((time.perf_counter() - started) * 1000)


def report(bare: Figures, product: Figures) -> None:
    print(f"{'':<10}{'readers':>8}{'first frame':>13}{'first words':>13}{'whole':>9}{'p95':>9}{'req/s':>8}")
    for readers in READERS:
        for name, figures in (("bare", bare), ("product", product)):
            first, text, whole = (getattr(figures, kind)[readers] for kind in ("first", "text", "whole"))
            p95 = sorted(whole)[int(len(whole) * 0.95)]
            medians = (
                f"{statistics.median(first):>13.1f}{statistics.median(text):>13.1f}{statistics.median(whole):>9.1f}"
            )
            print(f"{name:<10}{readers:>8}{medians}{p95:>9.1f}{statistics.median(figures.rates[readers]):>8.0f}")
    for readers in READERS:
        share = statistics.median(p / b for p, b in zip(product.rates[readers], bare.rates[readers], strict=True))
        slower = statistics.median(product.first[readers]) / statistics.median(bare.first[readers])
        print(f"{readers:>2} reader(s): first frame {slower:.1f} times the bare one's, throughput {share:.0%} of it")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--port", type=int, help="serve the bare endpoint only")
    options = parser.parse_args()
    if options.port:
        uvicorn.run(bare_app(), port=options.port, log_level="warning", access_log=False)
        return
    with ExitStack() as stack:
        claude = stack.enter_context(scripted_claude())
        commands = {"bare": ["-m", "tests.benchmarks.stream"], "product": ["-m", "backend", "serve"]}
        bare, product = (
            stack.enter_context(serving(name, [sys.executable, *command], claude))
            for name, command in commands.items()
        )
        sign_up(product)
        figures = {id(target): Figures() for target in (bare, product)}
        for readers, target in itertools.product(READERS, (bare, product)):  # warm up
            asyncio.run(measure(target, Figures(), readers))
        for _, readers, target in itertools.product(range(options.rounds), READERS, (bare, product)):
            asyncio.run(measure(target, figures[id(target)], readers))
        report(figures[id(bare)], figures[id(product)])


if __name__ == "__main__":
    main()
