"""`python -m backend evaluate`: what an owner gives, the order of the work, what comes out."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from backend.app.evaluation import plot, report, table
from backend.app.evaluation.baseline import compare
from backend.app.evaluation.figures import summarise
from backend.app.evaluation.library import open_library, read_corpus, read_docs, require_pages
from backend.app.evaluation.measure import Measurement
from backend.app.evaluation.progress import shown
from backend.app.evaluation.question_file import read_questions
from backend.app.evaluation.questions import QuestionSet
from backend.app.evaluation.report import Report
from backend.app.lifespan import SAMPLE_BOOK, answering
from backend.app.services.db_service import DBService, open_db
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


async def evaluate(settings: Settings, request: Request) -> bool:
    """Measures, shows and writes; whether no figure fell below the baseline.

    Raises EvaluationError for files that cannot be used, BookError for a book that cannot.
    """
    earlier = report.read_results(request.baseline) if request.baseline else None
    measured = await measure(settings, request)
    console = table.open_console()
    table.show_retrieval(measured.groups, console)
    if measured.unreachable:
        console.print("No passage holds the gold of these questions, so they cannot be found:")
        console.print(table.listed(measured.unreachable), markup=False)
    if request.json_file:
        report.write(request.json_file, measured, settings)
        picture = request.json_file.with_suffix(".png")
        title = f"{len(measured.observed)} questions of {measured.asked.name}"
        drawn = plot.draw(picture, title, measured.observed, measured.groups, settings.retrieval_threshold)
        console.print(
            f"Written: {request.json_file}{f' and {picture}' if drawn else ''}", markup=False, soft_wrap=True
        )
        if not drawn:
            console.print(plot.HINT)
    if earlier is None:
        return True
    comparison = compare(measured.observed, earlier)
    table.show_comparison(comparison, console)
    return not comparison.worse


async def measure(settings: Settings, request: Request) -> Report:
    """The retrieval part. Raises as `evaluate`."""
    asked, book = await _read(settings, request)
    with shown("Indexing") as indexing, shown("Asking") as asking:
        opened = open_library(settings, book, whole_pages=request.corpus is not None, progress=indexing)
        async with opened as library, _no_database() as db:
            measurement = Measurement(library, answering(settings, library.embedder, library.index, None, db))
            unreachable = await measurement.unreachable(asked.questions)
            observed = await measurement.run(asked.questions, asking)
    return Report(asked, library, observed, summarise(observed), unreachable)


async def _read(settings: Settings, request: Request) -> tuple[QuestionSet, Book]:
    asked = await asyncio.to_thread(read_questions, request.questions or SAMPLE_QUESTIONS, limit=request.limit)
    if request.corpus:
        book = await asyncio.to_thread(read_corpus, request.corpus)
    else:
        book = await read_docs(settings, request.docs or SAMPLE_BOOK)
    require_pages(asked.pages(), book)
    return asked, book


@asynccontextmanager
async def _no_database() -> AsyncGenerator[DBService]:
    db = open_db(_NO_DATABASE, threads=1)
    try:
        yield db
    finally:
        await db.close()
