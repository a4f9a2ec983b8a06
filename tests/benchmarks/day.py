"""`python3 scripts/bench.py day`: a day of readers against a real server, in minutes.

Who comes when and what they do is drawn from a seed: most readers ask a handful of questions around their classes,
a few ask all evening, some want chapters in Urdu or at their level, some never log in. The clock by which the server
limits runs fast (`fast_clock`). Claude is the scripted server, whose tokens are estimated from the texts and priced
as the real ones. What is told: dollars, refusals and 429s, beside the day's budget.
"""

import argparse
import asyncio
import json
import random
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx2

from tests.benchmarks.ask import Target, serving
from tests.fakes import adapters, translators
from tests.fakes.claude import Body, FakeClaude

DAY_S = 86_400
_QUESTIONS = Path("backend/app/sample_book/questions/questions.jsonl")
_HEAVY_SHARE = 0.1
_CHAPTER_SHARE = 0.3
_ANONYMOUS_SHARE = 0.2
_SEEN = (200, 400, 401, 404, 422, 429, 500, 503)
_MICRO = 1_000_000


@dataclass
class Seen:
    """What came back, by what was asked for."""

    statuses: Counter[tuple[str, int]] = field(default_factory=Counter[tuple[str, int]])
    outcomes: Counter[str] = field(default_factory=Counter[str])
    problems: list[str] = field(default_factory=list[str])

    def note(self, what: str, response: httpx2.Response) -> None:
        self.statuses[what, response.status_code] += 1
        if response.status_code == 200 and what == "question":
            told = response.json()
            self.outcomes[f"{told['mode']}, {told['outcome']}"] += 1
        if response.status_code >= 500:
            self.problems.append(response.text[:200])


@dataclass(frozen=True)
class Visit:
    """One request of one reader at a second of the day."""

    at_s: float
    reader: int
    what: str
    path: str
    body: dict[str, Any]


def plan_day(chance: random.Random, readers: int, questions: list[str], chapters: list[str]) -> list[Visit]:
    """Every visit of the day in order."""
    visits: list[Visit] = []
    for reader in range(readers):
        is_heavy = chance.random() < _HEAVY_SHARE
        asked = chance.randint(40, 80) if is_heavy else chance.randint(1, 9)
        start_s = chance.gauss(15 * 3600, 3 * 3600) % DAY_S
        pause_s = 90 if is_heavy else 400
        times = [start_s + chance.expovariate(1 / pause_s) + pause_s * n for n in range(asked)]
        visits += [
            Visit(t, reader, "question", "/api/chat/ask", {"question": chance.choice(questions)}) for t in times
        ]
        if chance.random() < _CHAPTER_SHARE:
            visits += _chapters(chance, reader, start_s, chapters)
    return sorted(visits, key=lambda visit: visit.at_s % DAY_S)


def _chapters(chance: random.Random, reader: int, start_s: float, chapters: list[str]) -> list[Visit]:
    kinds = (("translation", "/api/translate/chapter"), ("personalization", "/api/personalize/chapter"))
    wanted = [chance.choice(chapters) for _ in range(chance.randint(1, 8))]
    chosen = [(chapter, *chance.choice(kinds)) for chapter in wanted]
    return [
        Visit(start_s + 300 * n, reader, what, path, {"chapter_id": chapter})
        for n, (chapter, what, path) in enumerate(chosen)
    ]


async def live(target: Target, visits: list[Visit], readers: int, anonymous: set[int], day_takes_s: float) -> Seen:
    """Let the day pass. Readers log in first: the day begins with everybody's account made."""
    seen = Seen()
    async with httpx2.AsyncClient(base_url=target.base_url, timeout=120) as client:
        tokens = {reader: await _sign_up(client, reader) for reader in range(readers) if reader not in anonymous}
        began = time.monotonic()
        async with asyncio.TaskGroup() as day:
            for visit in visits:
                due = began + visit.at_s % DAY_S / DAY_S * day_takes_s
                await asyncio.sleep(max(0.0, due - time.monotonic()))
                day.create_task(_visit(client, visit, tokens.get(visit.reader), seen))
    return seen


async def _visit(client: httpx2.AsyncClient, visit: Visit, token: str | None, seen: Seen) -> None:
    address = {"X-Forwarded-For": f"198.51.100.{visit.reader % 250}"}  # RFC 5737
    headers = address | ({"Authorization": f"Bearer {token}"} if token else {})
    seen.note(visit.what, await client.post(visit.path, json=visit.body, headers=headers))


async def _sign_up(client: httpx2.AsyncClient, reader: int) -> str:
    account = {
        "email": f"{uuid4()}@example.com",
        "password": str(uuid4()),
        "name": f"Reader {reader}",
        "programming_level": ("beginner", "intermediate", "advanced")[reader % 3],
    }
    response = await client.post("/api/auth/signup", json=account)
    response.raise_for_status()
    return response.json()["access_token"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--readers", type=int, default=100)
    parser.add_argument("--minutes", type=float, default=6, help="how long the day takes here")
    parser.add_argument("--seed", type=int, default=20)
    parser.add_argument("--budget", default="10", help="DAILY_BUDGET_USD")
    options = parser.parse_args()
    chance = random.Random(options.seed)
    questions = [json.loads(line)["question"] for line in _QUESTIONS.read_text("utf-8").splitlines()]
    speed = DAY_S / (options.minutes * 60)
    settings = {
        "DAILY_BUDGET_USD": options.budget,
        "TRUSTED_PROXY_HOPS": "1",
        "RATE_LIMIT_QUESTIONS_PER_HOUR": "20",
        "ADMIN_TOKEN": uuid4().hex,
        "RATE_LIMIT_SIGNUPS_PER_ADDRESS_PER_HOUR": "1000",
    }
    with FakeClaude() as claude:
        claude.adapts(_adapt)
        command = [sys.executable, "-m", "tests.benchmarks.fast_clock", str(speed), "serve"]
        with serving("day", command, claude.base_url, settings) as target:
            chapters = [c["id"] for c in httpx2.get(f"{target.base_url}/api/chapters").json()["chapters"]]
            visits = plan_day(chance, options.readers, questions, chapters)
            anonymous = {reader for reader in range(options.readers) if chance.random() < _ANONYMOUS_SHARE}
            seen = asyncio.run(live(target, visits, options.readers, anonymous, options.minutes * 60))
            headers = {"Authorization": f"Bearer {settings['ADMIN_TOKEN']}"}
            usage = httpx2.get(f"{target.base_url}/api/admin/usage?days=2", headers=headers, timeout=60).json()
    report(seen, usage, len(claude.requests), options.budget)


def _adapt(body: Body) -> str:
    return (adapters if "<level>" in str(body["messages"]) else translators).good(body)


def report(seen: Seen, usage: dict[str, Any], calls: int, budget: str) -> None:
    print(f"{'':<18}" + "".join(f"{status:>7}" for status in _SEEN))
    for what in sorted({what for what, _ in seen.statuses}):
        print(f"{what:<18}" + "".join(f"{seen.statuses[what, status]:>7}" for status in _SEEN))
    for outcome, count in seen.outcomes.most_common():
        print(f"  questions {outcome}: {count}")
    print(f"requests to Claude: {calls}")
    dollars: Counter[str] = Counter()
    for line in usage["spending"]["lines"]:
        dollars[f"{line['feature']} by {line['model']}"] += line["cost_microusd"]
    for feature, microusd in dollars.most_common():
        print(f"  {feature}: ${microusd / _MICRO:.4f}")
    print(f"spent ${usage['spending']['cost_microusd'] / _MICRO:.4f} of the day's ${budget}")
    for cache in usage["caches"]:
        print(f"  {cache['cache']} cache: {cache['hits']} hits, {cache['misses']} misses")
    for problem in seen.problems[:5]:
        print(problem)


if __name__ == "__main__":
    main()
