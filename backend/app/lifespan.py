"""Settings -> services: opened in order, closed in reverse, and everything that was started is stopped.

The one place that knows which implementation stands behind each service. The command line opens the same
services as the server does.
"""

import asyncio
import gc
from collections.abc import AsyncGenerator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

import structlog

from backend.app.errors import ConfigurationError, Unavailable
from backend.app.models.adaptation import Personalize, Translate
from backend.app.models.domain import Hardware
from backend.app.services.adaptation_service import AdaptationService
from backend.app.services.adaptation_tasks import AdaptationTasks
from backend.app.services.answer_service import AnswerService
from backend.app.services.budget_service import BudgetService
from backend.app.services.cached_chapters import CachedChapters
from backend.app.services.chapter_service import ChapterService
from backend.app.services.claude_service import ClaudeService
from backend.app.services.correction_service import CorrectionService
from backend.app.services.daily_usage import DailyUsage
from backend.app.services.db_service import DBService, open_db
from backend.app.services.embedding_service import EmbeddingService, open_embedder
from backend.app.services.limit_windows import open_windows
from backend.app.services.metrics import Metrics
from backend.app.services.own_text import OwnTexts
from backend.app.services.progress_service import ProgressService
from backend.app.services.qdrant_service import QdrantService, import_client, open_index
from backend.app.services.query_rewriter import QueryRewriter
from backend.app.services.rate_limiter import RateLimiter
from backend.app.services.reader_export import ReaderExport
from backend.app.services.readiness import Readiness
from backend.app.services.retriever import Retriever
from backend.app.services.tally import Tally
from backend.app.services.telemetry import Telemetry
from backend.app.services.translation_export import TranslationExport
from backend.app.services.unanswered import UnansweredLog
from backend.app.services.usage_report import UsageService
from backend.app.textbook.docusaurus import read_book
from backend.app.textbook.ingest import ingest
from backend.app.textbook.site_files import find_pages, find_translations
from backend.app.utils.auth import PasswordHasher, TokenSigner
from backend.app.utils.config import Settings
from backend.app.utils.embedded import EmbeddedPostgres
from backend.app.utils.threads import ThreadUse

SAMPLE_BOOK = Path(__file__).parent / "sample_book" / "docs"
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Services:
    """Everything a request may need, open and ready."""

    settings: Settings
    db: DBService
    embedder: EmbeddingService
    index: QdrantService
    claude: ClaudeService | None
    retriever: Retriever
    answers: AnswerService
    chapters: ChapterService
    adaptations: AdaptationService
    corrections: CorrectionService
    cached_chapters: CachedChapters
    own_texts: OwnTexts
    progress: ProgressService
    export: ReaderExport
    passwords: PasswordHasher
    tokens: TokenSigner
    limiter: RateLimiter
    tally: Tally
    usage: UsageService
    metrics: Metrics
    readiness: Readiness


@dataclass(frozen=True, slots=True)
class Answering:
    """What a question passes through; `evaluate` measures it over an index of its own."""

    rewriter: QueryRewriter
    retriever: Retriever
    answers: AnswerService


def answering(
    settings: Settings,
    embedder: EmbeddingService,
    index: QdrantService,
    claude: ClaudeService | None,
    db: DBService,
    unanswered: UnansweredLog | None = None,
    telemetry: Telemetry | None = None,
) -> Answering:
    """The parts of answering over these stores, put together as they are for readers; without `unanswered` and
    `telemetry` nothing is recorded."""
    retriever = Retriever(embedder, index, threshold=settings.retrieval_threshold, telemetry=telemetry)
    rewriter = QueryRewriter(claude, shelf=index, finding=retriever)
    answers = AnswerService(settings, rewriter, retriever, claude, db, unanswered, telemetry)
    return Answering(rewriter, retriever, answers)


@asynccontextmanager
async def open_services(settings: Settings) -> AsyncGenerator[Services]:
    """Open what the settings name. Raises ConfigurationError when something can never work as configured; a
    remote service that does not answer now is no reason not to start: it may answer later."""
    async with AsyncExitStack() as stack:
        db = await stack.enter_async_context(open_database(settings))
        tally = Tally()
        usage = DailyUsage(db, tally)
        usage.start()
        stack.push_async_callback(usage.close)
        embedder, _ = await asyncio.gather(  # side by side: half a second less until the first answer
            asyncio.to_thread(open_embedder, settings), asyncio.to_thread(import_client)
        )
        stack.callback(embedder.close)
        index = open_index(settings)
        stack.push_async_callback(index.close)
        claude = None
        if settings.anthropic_api_key:
            budget = BudgetService(settings, db, tally)
            stack.push_async_callback(budget.close)
            claude = ClaudeService.from_settings(settings, budget, tally)
            stack.push_async_callback(claude.close)
        unanswered = UnansweredLog(db)
        stack.push_async_callback(unanswered.close)
        asked = answering(settings, embedder, index, claude, db, unanswered, tally)
        tasks = AdaptationTasks(settings)
        adaptations = AdaptationService(tasks, claude, db, embedder, telemetry=tally)
        stack.push_async_callback(adaptations.close)
        passwords = PasswordHasher()
        stack.callback(passwords.close)
        chapters = ChapterService(db)
        windows = open_windows(settings, db)
        stack.push_async_callback(windows.close)
        yield Services(
            settings=settings,
            db=db,
            embedder=embedder,
            index=index,
            claude=claude,
            retriever=asked.retriever,
            answers=asked.answers,
            chapters=chapters,
            adaptations=adaptations,
            corrections=CorrectionService(db, tasks, adaptations),
            cached_chapters=CachedChapters(adaptations, chapters),
            own_texts=OwnTexts(db, chapters),
            progress=ProgressService(db, chapters),
            export=ReaderExport(db),
            passwords=passwords,
            tokens=TokenSigner(settings.secret_key.get_secret_value(), settings.access_token_expire_minutes),
            limiter=RateLimiter(settings, windows, tally),
            tally=tally,
            usage=UsageService(settings, db, embedder.embed),
            metrics=Metrics(tally, _pools(db, embedder, passwords)),
            readiness=Readiness({"database": db.ping, "search": index.ping}),
        )


@dataclass(frozen=True, slots=True)
class Pages:
    """What takes adapted chapters to files and back."""

    db: DBService
    export: TranslationExport
    corrections: CorrectionService


@asynccontextmanager
async def open_pages(settings: Settings) -> AsyncGenerator[Pages]:
    """Without the search, so that it works beside a server, and without a model."""
    async with AsyncExitStack() as stack:
        db = await stack.enter_async_context(open_database(settings))
        embedder = await asyncio.to_thread(open_embedder, settings)
        stack.callback(embedder.close)
        tasks = AdaptationTasks(settings)
        adaptations = AdaptationService(tasks, None, db, embedder)
        stack.push_async_callback(adaptations.close)
        exporting, importing = TranslationExport(db, tasks, adaptations), CorrectionService(db, tasks, adaptations)
        yield Pages(db, exporting, importing)


def _pools(
    db: DBService, embedder: EmbeddingService, passwords: PasswordHasher
) -> dict[str, Callable[[], ThreadUse]]:
    return {
        "database": lambda: db.threads,
        "embedding": lambda: embedder.use,
        "passwords": lambda: passwords.use,
    }


@asynccontextmanager
async def open_database(settings: Settings) -> AsyncGenerator[DBService]:
    """The database alone: the configured one, or the embedded server, started here and stopped at the end."""
    async with AsyncExitStack() as stack:
        if settings.database_url:
            dsn = settings.database_url.get_secret_value()
        else:
            starting = asyncio.ensure_future(asyncio.to_thread(EmbeddedPostgres.start, settings.data_dir))
            stack.push_async_callback(_stop_started, starting)
            dsn = (await asyncio.shield(starting)).dsn
        db = open_db(dsn, threads=settings.database_threads)
        stack.push_async_callback(db.close)
        yield db


async def _stop_started(starting: asyncio.Future[EmbeddedPostgres]) -> None:
    """Also when a signal came while it was starting: the thread that starts it cannot be interrupted."""
    with suppress(ConfigurationError):  # it did not start, which has been told
        await asyncio.to_thread((await starting).stop)


async def prepare_to_serve(services: Services) -> None:
    """What must be true before the first reader is answered.

    Development brings the schema up to date and indexes the sample book where there is none; in production both
    are commands of their own. Raises ConfigurationError when the database lacks tables, or when the index was made
    for another embedding model.
    """
    for prepare in (ensure_schema, _check_index, _ensure_book):  # one that is not there excuses no other
        try:
            await prepare(services)
        except Unavailable as unavailable:
            _log.warning("started_without", code=unavailable.code)


async def ensure_schema(services: Services) -> None:
    """In development, bring it up to date; in production, raise ConfigurationError when it is not."""
    await ensure_tables(services.settings, services.db)


async def ensure_tables(settings: Settings, db: DBService) -> None:
    """The same, for who has no more than the database."""
    if settings.environment == "development":
        await db.migrate()
    elif await db.list_missing_steps():
        raise ConfigurationError(["DATABASE_URL: the database lacks tables. Run first: python -m backend migrate"])


async def _check_index(services: Services) -> None:
    await services.index.check(services.embedder.dimension, services.embedder.fingerprint)


async def _ensure_book(services: Services) -> None:
    if services.settings.environment != "development" or await services.index.active_version() is not None:
        return
    book = await asyncio.to_thread(read_book, SAMPLE_BOOK)
    report = await ingest(book, services.embedder, services.index, services.db)
    _log.info("sample_book_ingested", chapters=len(book.chapters), chunks=report.chunks)
    await _take_shipped_pages(services.corrections)


async def _take_shipped_pages(corrections: CorrectionService) -> None:
    """The sample book's translated and adapted chapters, which show the feature without a model."""
    levels = [Personalize("beginner", hardware) for hardware in get_args(Hardware)]
    translated = [(file, [Translate("ur")]) for file in find_translations(SAMPLE_BOOK.parent / "i18n", "ur")]
    personalized = [(file, levels) for file in find_pages(SAMPLE_BOOK.parent / "levels" / "beginner")]
    for file, targets in [*translated, *personalized]:
        await corrections.take(await corrections.check(file, targets), targets)


async def warm_up(services: Services) -> None:
    """What makes the first answers slow and can be done beside them: one embedding and the Claude client's import
    (almost a second). Then keep the collector off what stays for good: its longest pause falls from 100 ms to 3."""
    await services.embedder.embed(["warm up"])
    if services.claude:
        await services.claude.warm_up()
    gc.collect()
    gc.freeze()
    gc.enable()
