"""Fifty questions at the same moment and money for seven: exactly seven reach Claude, in one process and in three,
and at no moment is more spent and held than the day has. A process that is killed in the middle pays for its call."""

import asyncio
import random
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from decimal import Decimal

import httpx2
import pytest
from pydantic import SecretStr

from backend.app.errors import AIServiceBusy
from backend.app.services.claude_budget import NoMoney
from backend.app.services.claude_prices import MICROUSD
from backend.app.services.claude_reply import ClaudeReply
from backend.app.services.db_service import DBService
from backend.main import create_app
from tests.fakes import claude_wire as wire
from tests.fakes.claude import FakeClaude, Reply
from tests.fixtures.app import running
from tests.fixtures.budget import Ledger, read_ledger
from tests.fixtures.database import statements
from tests.fixtures.processes import REPO, OwnSettings, as_environment, started
from tests.race.budget_worker import AS_DEAR_AS_CAN_BE, HELD, ask, open_claude

pytestmark = [pytest.mark.anyio, pytest.mark.race]
ROUNDS, QUESTIONS, CALLS = 20, 50, 7
CAP = CALLS * HELD
USD = Decimal(CAP) / MICROUSD


@contextmanager
def watched(dsn: str, cap: int) -> Iterator[list[Ledger]]:
    """Reads the ledger again and again meanwhile, and holds every sample against the rules. -> the samples"""
    samples: list[Ledger] = []
    is_over = threading.Event()

    def watch() -> None:
        while not is_over.is_set():
            samples.append(read_ledger(dsn))

    watching = threading.Thread(target=watch)
    watching.start()
    try:
        yield samples
    finally:
        is_over.set()
        watching.join()
    assert max(sample.spent + sample.reserved for sample in samples) <= cap
    assert [
        each for each in samples if (each.spent, each.reserved) != (each.spent_in_rows, each.reserved_in_rows)
    ] == []


def forget(dsn: str) -> None:
    with statements(dsn) as cursor:
        cursor.execute("TRUNCATE budget, claude_calls CASCADE")


async def test_exactly_the_calls_that_there_is_money_for_reach_claude(
    db: DBService, database_url: str, claude: FakeClaude
) -> None:
    service, budget = open_claude(db, claude.base_url, USD)
    claude.says("Hello.", usage=AS_DEAR_AS_CAN_BE, times=ROUNDS * QUESTIONS)
    with watched(database_url, CAP) as samples:
        for number in range(1, ROUNDS + 1):
            results = await ask(service, QUESTIONS)
            await budget.close()
            assert Counter(type(result) for result in results) == {ClaudeReply: CALLS, NoMoney: QUESTIONS - CALLS}
            assert len(claude.requests) == number * CALLS
            assert read_ledger(database_url) == Ledger(CAP, 0, CAP, 0)
            forget(database_url)
    assert len({(sample.spent, sample.reserved) for sample in samples}) > 10
    await service.close()


async def test_whatever_becomes_of_the_calls_the_counters_are_the_sums(
    db: DBService, database_url: str, claude: FakeClaude
) -> None:
    chance = random.Random(7)
    service, budget = open_claude(db, claude.base_url, USD * 3, deadline_s=1.0)
    await service.warm_up()
    for _ in range(ROUNDS * QUESTIONS):
        match chance.randrange(5):
            case 0:
                claude.fails(529)
            case 1:
                claude.hangs()
            case 2:
                claude.replies(Reply(raw=b"x" * 100, keep_bytes=10))
            case _:
                claude.says("Hello.", delay_s=chance.random() / 10)
    seen: Counter[str] = Counter()
    with watched(database_url, 3 * CAP):
        for _ in range(3):
            asking = [asyncio.create_task(service.answer("?", [])) for _ in range(QUESTIONS)]
            await asyncio.sleep(0.2)
            for task in chance.sample(asking, 10):  # readers leave
                task.cancel()
            for result in await asyncio.gather(*asking, return_exceptions=True):
                assert isinstance(result, ClaudeReply | NoMoney | AIServiceBusy | asyncio.CancelledError), result
                seen[type(result).__name__] += 1
            await budget.close()
            assert read_ledger(database_url).reserved == 0
            forget(database_url)
    assert len(seen) == 4
    await service.close()


def test_three_processes_make_together_exactly_the_calls_that_there_is_money_for(
    database_url: str, claude: FakeClaude
) -> None:
    claude.says("Hello.", usage=AS_DEAR_AS_CAN_BE, times=ROUNDS * QUESTIONS)
    command = [sys.executable, "-m", "tests.race.budget_worker", database_url, claude.base_url, str(USD)]
    with ExitStack() as stack:
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
        workers = [stack.enter_context(subprocess.Popen(command, cwd=REPO, **pipes)) for _ in range(3)]
        assert [_answer(worker) for worker in workers] == ["ready"] * 3
        with watched(database_url, CAP):
            for number in range(1, ROUNDS + 1):
                for worker, questions in zip(workers, (17, 17, 16), strict=True):
                    assert worker.stdin
                    worker.stdin.write(f"{questions}\n")
                    worker.stdin.flush()
                assert sum(int(_answer(worker)) for worker in workers) == CALLS
                assert len(claude.requests) == number * CALLS
                assert read_ledger(database_url) == Ledger(CAP, 0, CAP, 0)
                forget(database_url)
        for worker in workers:
            assert worker.stdin
            worker.stdin.close()
            assert worker.wait(30) == 0


def _answer(worker: "subprocess.Popen[str]") -> str:
    assert worker.stdout
    return worker.stdout.readline().strip()


QUESTION = {"question": "What is a ROS 2 node?"}


async def test_over_http_seven_are_answered_by_claude_and_the_others_get_quotations(
    own_settings: OwnSettings, claude: FakeClaude
) -> None:
    with_claude = {"anthropic_api_key": SecretStr("sk-test"), "anthropic_base_url": claude.base_url}
    settings = await asyncio.to_thread(own_settings, budget_anonymous_share=Decimal(1), **with_claude)
    assert settings.database_url
    dsn = settings.database_url.get_secret_value()
    with ExitStack() as stack:
        base_url = await asyncio.to_thread(stack.enter_context, running(create_app(settings)))
        async with httpx2.AsyncClient(base_url=base_url, timeout=120) as http:
            first = await http.post("/api/chat/ask", json=QUESTION)
            assert first.json()["mode"] == "claude"
            held = _leave_money_for(CALLS, dsn)
            dear = {"input_tokens": 0, "cache_creation_input_tokens": (held - 750) * 8, "output_tokens": 1500}
            claude.says(wire.default_content, usage=dear, times=CALLS)
            with watched(dsn, 10 * MICROUSD):
                asked = (http.post("/api/chat/ask", json=QUESTION) for _ in range(QUESTIONS))
                answers = [(response.status_code, response.json()) for response in await asyncio.gather(*asked)]
    assert Counter((status, body["mode"]) for status, body in answers) == {
        (200, "claude"): CALLS,
        (200, "extractive"): QUESTIONS - CALLS,
    }
    assert len(claude.requests) == 1 + CALLS
    quoted = [body for _, body in answers if body["mode"] == "extractive"]
    assert all(body["sources"] and "budget for written answers is used up" in body["warning"] for body in quoted)


def _leave_money_for(calls: int, dsn: str) -> int:
    """As if the one call that was made had cost all the rest. -> what is held for a call like that"""
    with statements(dsn) as cursor:
        cursor.execute("SELECT reserved_microusd FROM claude_calls WHERE outcome = 'complete'")
        ((held,),) = cursor.fetchall()
        for table, column in (("budget", "spent_microusd"), ("claude_calls", "cost_microusd")):
            cursor.execute(f"UPDATE {table} SET {column} = %s", (10 * MICROUSD - calls * held,))
    return held


async def test_a_process_that_is_killed_in_the_middle_of_a_call_pays_for_it(
    own_settings: OwnSettings, claude: FakeClaude
) -> None:
    settings = await asyncio.to_thread(own_settings)
    assert settings.database_url
    dsn = settings.database_url.get_secret_value()
    environment = as_environment(settings) | {
        "PORT": "0",
        "ANTHROPIC_API_KEY": "sk-test",
        "ANTHROPIC_BASE_URL": claude.base_url,
        "DAILY_BUDGET_USD": "0.003",  # more than one call of this question holds, less than two
        "BUDGET_ANONYMOUS_SHARE": "1",
    }
    claude.hangs()
    async with httpx2.AsyncClient(timeout=120) as http:
        with started("serve", **environment) as first:
            url = await asyncio.to_thread(lambda: first.url)
            asking = asyncio.create_task(http.post(f"{url}/api/chat/ask", json=QUESTION))
            assert await asyncio.to_thread(claude.received.wait, 60)
            first.process.kill()
            with pytest.raises(httpx2.TransportError):
                await asking
        ledger = read_ledger(dsn)
        held = ledger.reserved
        assert ledger == Ledger(0, held, 0, held)
        assert 1_500 < held < 3_000
        with statements(dsn) as cursor:
            cursor.execute("UPDATE claude_calls SET expires_at = expires_at - interval '80 s'")
        with started("serve", **environment) as second:
            url = await asyncio.to_thread(lambda: second.url)
            response = await http.post(f"{url}/api/chat/ask", json=QUESTION)
            await asyncio.to_thread(second.wait_for, "calls_lost")
    assert (response.status_code, response.json()["mode"]) == (200, "extractive")
    assert read_ledger(dsn) == Ledger(held, 0, held, 0)
    assert len(claude.requests) == 1
