"""`python -m backend evaluate`: what an owner gives, the order of the work, what comes out."""

import asyncio
import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.console import Console

from backend.app.evaluation import table
from backend.app.evaluation.figures import Group, summarise
from backend.app.evaluation.library import Library, open_library, read_corpus, read_docs
from backend.app.evaluation.measure import Measurement, Observed
from backend.app.evaluation.question_file import read_questions
from backend.app.lifespan import answering
from backend.app.services.db_service import DBService, open_db
from backend.app.utils.config import Settings


@dataclass(frozen=True, slots=True)
class Request:
    """What the command line asks for; one of `docs` and `corpus` is given."""

    questions: Path
    docs: Path | None = None
    corpus: Path | None = None
    json_file: Path | None = None
    limit: int | None = None


async def evaluate(settings: Settings, request: Request) -> None:
    """Raises EvaluationError, BookError, ConfigurationError."""
    console = Console()
    asked = await asyncio.to_thread(read_questions, request.questions, limit=request.limit)
    if request.corpus:
        book = await asyncio.to_thread(read_corpus, request.corpus)
    else:
        assert request.docs
        book = await read_docs(settings, request.docs)
    with console.status("Indexing"):
        async with open_library(settings, book, whole_pages=request.corpus is not None) as library, _no_db() as db:
            library.require(asked.pages())
            measurement = Measurement(library, answering(settings, library.embedder, library.index, None, db))
            lost = await measurement.lost_golds(asked.questions)
            observed = await measurement.run(asked.questions)
    groups = summarise(observed)
    table.show(groups, console)
    if lost:
        console.print(f"Golds that no passage holds: {', '.join(lost[:20])}")
    if request.json_file:
        request.json_file.write_text(_json(library, groups, observed), encoding="utf-8")


@asynccontextmanager
async def _no_db() -> AsyncGenerator[DBService]:
    db = open_db("postgresql://nobody@127.0.0.1:1/nothing", threads=1)
    try:
        yield db
    finally:
        await db.close()


def _json(library: Library, groups: list[Group], observed: list[Observed]) -> str:
    content = {
        "index_version": library.index_version,
        "groups": [asdict(group) for group in groups],
        "questions": [asdict(seen) for seen in observed],
    }
    return json.dumps(content, ensure_ascii=False, indent=1)
