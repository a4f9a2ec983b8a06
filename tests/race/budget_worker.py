"""One of several processes that spend the same day's money: `python -m tests.race.budget_worker DSN CLAUDE USD`.

Reads how many questions to ask at once and answers how many of them were answered; the others had no money.
"""

import asyncio
import sys
from decimal import Decimal
from typing import Any

from backend.app.services.budget_service import BudgetService
from backend.app.services.claude_budget import NoMoney, dearest_usage
from backend.app.services.claude_prices import find_price
from backend.app.services.claude_reply import ClaudeReply
from backend.app.services.claude_service import ClaudeService, Patience, answer_request
from backend.app.services.db_service import DBService, open_db
from backend.app.utils.config import Settings
from backend.app.utils.logs import configure_logs
from tests.fakes.book import passage

MODEL = "claude-haiku-5-5"
PASSAGES = [passage("A node is a program. It does one job.")]
_PRICE = find_price(MODEL)
assert _PRICE
DEAREST = dearest_usage(answer_request(MODEL, "?", PASSAGES, None))
HELD = _PRICE.cost_microusd(DEAREST)
"""What is held for one of these questions."""
AS_DEAR_AS_CAN_BE = {
    "input_tokens": 0,
    "cache_creation_input_tokens": DEAREST.cache_write_tokens,
    "output_tokens": DEAREST.output_tokens,
}
"""Usage of a reply that costs all that was held, so that who is served does not depend on who is quick."""


def open_claude(db: DBService, base_url: str, usd: Decimal, deadline_s: float = 30.0) -> tuple[ClaudeService, Any]:
    """With its ledger, in which readers without a login have all the money."""
    budget = BudgetService(Settings(daily_budget_usd=usd, budget_anonymous_share=Decimal(1)), db)
    patience = Patience(deadline_s, backoff_s=0.01)
    return ClaudeService("k", MODEL, base_url=base_url, patience=patience, budget=budget), budget


async def ask(claude: ClaudeService, questions: int) -> list[ClaudeReply | BaseException]:
    """At once."""
    asked = (claude.answer("?", PASSAGES) for _ in range(questions))
    return await asyncio.gather(*asked, return_exceptions=True)


async def _work(dsn: str, base_url: str, usd: str) -> None:
    configure_logs(as_json=False, level="WARNING")  # not where the answers go
    db = open_db(dsn)
    claude, budget = open_claude(db, base_url, Decimal(usd))
    await claude.warm_up()
    await db.ping()
    print("ready", flush=True)
    while line := await asyncio.to_thread(sys.stdin.readline):
        results = await ask(claude, int(line))
        await budget.close()  # settled before the next round
        unexpected = [each for each in results if isinstance(each, BaseException) and not isinstance(each, NoMoney)]
        if unexpected:
            raise unexpected[0]
        print(sum(isinstance(result, ClaudeReply) for result in results), flush=True)
    await claude.close()
    await db.close()


if __name__ == "__main__":
    asyncio.run(_work(*sys.argv[1:]))
