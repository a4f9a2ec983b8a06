"""`python -m backend evaluate`: what an owner gives, the order of the work, what comes out."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path

from rich.console import Console

from backend.app.errors import EvaluationError
from backend.app.evaluation import plot, report, table
from backend.app.evaluation.answers import answer_all
from backend.app.evaluation.baseline import compare
from backend.app.evaluation.figures import summarise
from backend.app.evaluation.library import open_library, read_corpus, read_docs, require_pages
from backend.app.evaluation.measure import Measurement
from backend.app.evaluation.observed import Observed
from backend.app.evaluation.progress import shown
from backend.app.evaluation.question_file import read_questions
from backend.app.evaluation.questions import QuestionSet
from backend.app.evaluation.report import ModelUse, Report, UseOfModel
from backend.app.evaluation.spending import CONCURRENT, WatchedClaude, open_account
from backend.app.lifespan import SAMPLE_BOOK, answering
from backend.app.services.answer_service import AnswerService
from backend.app.services.db_service import DBService, open_db
from backend.app.terminal import open_console
from backend.app.textbook.docusaurus import Book
from backend.app.utils.config import Settings

SAMPLE_QUESTIONS = tuple(
    SAMPLE_BOOK.parent / "questions" / name for name in ("questions.jsonl", "conversations.jsonl")
)
_NO_DATABASE = "postgresql://nobody@127.0.0.1:1/nothing"  # nothing is asked of it: there is no signed-in reader


@dataclass(frozen=True, slots=True)
class Request:
    """What the command line asks for. Without a book it is the sample book with its own questions."""

    questions: tuple[Path, ...] = ()
    docs: Path | None = None
    corpus: Path | None = None
    json_file: Path | None = None
    baseline: Path | None = None
    limit: int | None = None
    model: UseOfModel = "none"
    max_usd: Decimal = Decimal(1)


async def evaluate(settings: Settings, request: Request) -> bool:
    """Measures, shows and writes; whether no figure fell below the baseline.

    Raises EvaluationError for files that cannot be used, BookError for a book that cannot, ConfigurationError when a
    model is asked for without a key.
    """
    if request.json_file:
        report.prepare(request.json_file)
    earlier = report.read_earlier(request.baseline) if request.baseline else None
    measured = await measure(settings, request)
    console = open_console(table.WIDTH)
    table.show(measured, console)
    if request.json_file:
        _write(measured, settings, request.json_file, console)
    if earlier is None:
        return True
    comparison = compare(measured.observed, earlier.results)
    table.show_comparison(comparison, console)
    if earlier.used_for != measured.used_for:
        console.print(f"The baseline used a model for: {earlier.used_for}; this run for: {measured.used_for}.")
    return not comparison.worse


async def measure(settings: Settings, request: Request) -> Report:
    """Reads, indexes and asks. Raises as `evaluate`."""
    asked, book = await _read(settings, request)
    async with AsyncExitStack() as stack:
        with shown("Indexing") as indexing:
            opened = open_library(settings, book, whole_pages=request.corpus is not None, progress=indexing)
            library = await stack.enter_async_context(opened)
        db = await stack.enter_async_context(_no_database())
        claude = await stack.enter_async_context(_open_claude(settings, request))
        stores = (settings, library.embedder, library.index)
        free = answering(*stores, None, db)
        asking = answering(*stores, claude, db) if claude else free  # one: it remembers what was rewritten
        measurement = Measurement(library, asking, free)
        unreachable = await measurement.unreachable(asked.questions)
        with shown("Finding") as finding:
            found = await measurement.run(asked.questions, finding, concurrent=CONCURRENT if claude else 1)
        if claude and request.model == "answers":
            found = await _answered(asking.answers, found)
    used = ModelUse(settings.claude_model, request.model, claude.account.spent_microusd) if claude else None
    return Report(asked, library, found, summarise(found), unreachable, used)


async def _answered(answers: AnswerService, found: list[Observed]) -> list[Observed]:
    with shown("Answering") as progress:
        given = await answer_all(answers, [seen.question for seen in found], progress)
    return [replace(seen, answer=answer) for seen, answer in zip(found, given, strict=True)]


def _write(measured: Report, settings: Settings, path: Path, console: Console) -> None:
    report.write(path, measured, settings)
    picture = path.with_suffix(report.PLOT_SUFFIX)
    title = f"{len(measured.observed)} questions of {measured.asked.name}"
    drawn = plot.draw(picture, title, measured.observed, measured.groups, settings.retrieval_threshold)
    console.print(f"Written: {path}{f' and {picture}' if drawn else ''}", markup=False, soft_wrap=True)
    if not drawn:
        console.print(plot.HINT)


async def _read(settings: Settings, request: Request) -> tuple[QuestionSet, Book]:
    asked = await asyncio.to_thread(read_questions, request.questions or SAMPLE_QUESTIONS, limit=request.limit)
    if request.corpus:
        book = await asyncio.to_thread(read_corpus, request.corpus)
    else:
        book = await read_docs(settings, request.docs or SAMPLE_BOOK)
    require_pages(asked.pages(), book)
    return asked, book


@asynccontextmanager
async def _open_claude(settings: Settings, request: Request) -> AsyncGenerator[WatchedClaude | None]:
    """None unless a model is asked for: nothing is ever spent unasked."""
    if request.model == "none":
        yield None
        return
    claude = WatchedClaude(settings, open_account(settings, request.max_usd))
    try:
        refused = await claude.check()
        if refused:
            raise EvaluationError("The Claude API refuses or does not answer. What to fix: python -m backend doctor")
        yield claude
    finally:
        await claude.close()


@asynccontextmanager
async def _no_database() -> AsyncGenerator[DBService]:
    db = open_db(_NO_DATABASE, threads=1)
    try:
        yield db
    finally:
        await db.close()
