"""`python3 scripts/bench.py ask`: a whole answer beside the floor, in one run, in turns.

Claude is the scripted server without delay, so what is measured is our own work. The two servers are separate
processes with stores of their own; only one is asked at a time. The machine's speed drifts, so the ratios count.
"""

import argparse
import asyncio
import itertools
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from uuid import uuid4

import httpx2
import psutil

from tests.fakes.claude import FakeClaude

QUESTIONS = (
    "What is physical AI?",
    "What does an IMU measure?",
    "What is inverse kinematics?",
    "What is the capture point?",
    "What is domain randomisation?",
    "How does the depth error of a stereo camera grow with distance?",
    "What is the difference between a service and an action in ROS 2?",
    "Why does my subscriber receive nothing from a best effort publisher?",
)
READERS = (1, 20)
REQUESTS = {1: 60, 20: 240}


@dataclass
class Target:
    """A running server and what was measured of it, by number of readers."""

    name: str
    base_url: str
    process: subprocess.Popen[bytes]
    headers: dict[str, str] = field(default_factory=dict)
    latencies_ms: dict[int, list[float]] = field(default_factory=lambda: {n: [] for n in READERS})
    rates: dict[int, list[float]] = field(default_factory=lambda: {n: [] for n in READERS})

    @property
    def resident_mb(self) -> float:
        return psutil.Process(self.process.pid).memory_info().rss / 1e6


@contextmanager
def serving(
    name: str, command: list[str], claude_url: str, settings: Mapping[str, str] | None = None
) -> Iterator[Target]:
    """Start a server with stores of its own and wait for its first 200."""
    with tempfile.TemporaryDirectory() as folder, socket.socket() as probe:
        Path(folder).chmod(0o755)  # as root the embedded Postgres is another user
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
        probe.close()
        environment = os.environ | {
            "DATA_DIR": folder,
            "ANTHROPIC_API_KEY": "benchmark",
            "ANTHROPIC_BASE_URL": claude_url,
            "RATE_LIMIT_QUESTIONS_PER_HOUR": "100000",
            **(settings or {}),
        }
        with (Path(folder) / "log").open("wb") as log:
            process = subprocess.Popen([*command, "--port", str(port)], env=environment, stdout=log, stderr=log)
            try:
                target = Target(name, f"http://127.0.0.1:{port}", process)
                _wait_until_up(target)
                yield target
            finally:
                process.terminate()
                process.wait(60)


def _wait_until_up(target: Target) -> None:
    deadline = time.monotonic() + 300
    while time.monotonic() < deadline:
        try:
            httpx2.get(f"{target.base_url}/openapi.json")
        except httpx2.TransportError:
            if target.process.poll() is not None:
                break
            time.sleep(0.1)
        else:
            return
    raise SystemExit(f"{target.name} did not start")


async def measure(target: Target, readers: int) -> None:
    """Let `readers` ask one question after another."""
    questions = itertools.islice(itertools.cycle(QUESTIONS), REQUESTS[readers])
    async with httpx2.AsyncClient(base_url=target.base_url, headers=target.headers, timeout=60) as client:

        async def read() -> None:
            for question in questions:
                started = time.perf_counter()
                response = await client.post("/api/chat/ask", json={"question": question})
                response.raise_for_status()
                target.latencies_ms[readers].append((time.perf_counter() - started) * 1000)

        started = time.perf_counter()
        await asyncio.gather(*(read() for _ in range(readers)))
        target.rates[readers].append(REQUESTS[readers] / (time.perf_counter() - started))


def sign_up(target: Target) -> None:
    """A signed-in reader: the product then reads the reader's row and saves the turn, the two statements."""
    account = {"email": f"{uuid4()}@example.com", "password": str(uuid4()), "name": "Benchmark"}
    token = httpx2.post(f"{target.base_url}/api/auth/signup", json=account, timeout=60).json()["access_token"]
    target.headers = {"Authorization": f"Bearer {token}"}


def report(floor: Target, product: Target) -> None:
    print(f"{'':<10}{'readers':>8}{'p50 ms':>9}{'p95 ms':>9}{'req/s':>8}{'resident MB':>13}")
    for readers in READERS:
        for target in (floor, product):
            times = sorted(target.latencies_ms[readers])
            p95 = times[int(len(times) * 0.95)]
            rate = statistics.median(target.rates[readers])
            row = f"{statistics.median(times):>9.1f}{p95:>9.1f}{rate:>8.0f}{target.resident_mb:>13.0f}"
            print(f"{target.name:<10}{readers:>8}{row}")
    for readers in READERS:
        slower = statistics.median(product.latencies_ms[readers]) / statistics.median(floor.latencies_ms[readers])
        share = statistics.median(p / f for p, f in zip(product.rates[readers], floor.rates[readers], strict=True))
        print(f"{readers:>2} reader(s): p50 is {slower:.2f} times the floor's, throughput {share:.0%} of it")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    with ExitStack() as stack:
        claude = stack.enter_context(scripted_claude())
        commands = {"floor": ["-m", "tests.benchmarks.floor"], "product": ["-m", "backend", "serve"]}
        floor, product = (
            stack.enter_context(serving(name, [sys.executable, *command], claude))
            for name, command in commands.items()
        )
        sign_up(product)
        for readers in READERS:  # warm up
            for target in (floor, product):
                asyncio.run(measure(target, readers))
                target.latencies_ms[readers].clear()
                target.rates[readers].clear()
        for _, readers, target in itertools.product(range(options.rounds), READERS, (floor, product)):
            asyncio.run(measure(target, readers))
        report(floor, product)


@contextmanager
def scripted_claude() -> Iterator[str]:
    """In a process of its own, so that it does not share this one's interpreter."""
    with FakeClaude() as probe:
        port = int(probe.base_url.rpartition(":")[2])
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.fakes.claude", "--port", str(port)], stdout=subprocess.PIPE
    )
    try:
        assert process.stdout
        process.stdout.readline()
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(30)


if __name__ == "__main__":
    main()
