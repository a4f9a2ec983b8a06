"""What making chapters needs, and no more: a server may have the search index open meanwhile."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from backend.app.errors import ConfigurationError
from backend.app.lifespan import open_database
from backend.app.services.adaptation_service import AdaptationService
from backend.app.services.adaptation_tasks import AdaptationTasks
from backend.app.services.budget_service import BudgetService
from backend.app.services.chapter_service import ChapterService
from backend.app.services.claude_service import ClaudeService
from backend.app.services.db_service import DBService
from backend.app.services.embedding_service import open_embedder
from backend.app.services.tally import Tally
from backend.app.utils.config import Settings


@dataclass(frozen=True, slots=True)
class Workshop:
    """`claude` is None without a key. `tally` knows what was spent, once the workshop is closed."""

    settings: Settings
    db: DBService
    claude: ClaudeService | None
    adaptations: AdaptationService
    chapters: ChapterService
    tally: Tally

    async def check_schema(self, *, read_only: bool) -> None:
        """In development bring it up to date, if that is allowed. Raises ConfigurationError when it is not."""
        if self.settings.environment == "development" and not read_only:
            await self.db.migrate()
        elif await self.db.list_missing_steps():
            raise ConfigurationError(
                ["DATABASE_URL: the database lacks tables. Run first: python -m backend migrate"]
            )


@asynccontextmanager
async def open_workshop(settings: Settings) -> AsyncGenerator[Workshop]:
    """Raises ConfigurationError as `open_services`. Closed, every call is settled."""
    async with AsyncExitStack() as stack:
        db = await stack.enter_async_context(open_database(settings))
        embedder = await asyncio.to_thread(open_embedder, settings)
        stack.callback(embedder.close)
        tally, claude = Tally(), None
        if settings.anthropic_api_key:
            budget = BudgetService(settings, db, tally)
            stack.push_async_callback(budget.close)
            claude = ClaudeService.from_settings(settings, budget, tally)
            stack.push_async_callback(claude.close)
        adaptations = AdaptationService(AdaptationTasks(settings), claude, db, embedder, telemetry=tally)
        stack.push_async_callback(adaptations.close)
        yield Workshop(settings, db, claude, adaptations, ChapterService(db), tally)
