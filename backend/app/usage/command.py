"""Makes the report and shows it in the form that the owner asked for.

Opens the database only, so it works beside a running server; the embedding model is loaded when there are questions
to compare.
"""

import asyncio
import json
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

import typer
from pydantic import TypeAdapter

from backend.app.drawing import INSTALL, find_figures
from backend.app.errors import AppError
from backend.app.lifespan import ensure_tables, open_database
from backend.app.models.usage import UsageReport
from backend.app.services.embedding_service import EmbeddingService, open_embedder
from backend.app.services.question_groups import Vectors
from backend.app.services.usage_report import UsageService
from backend.app.terminal import open_console
from backend.app.usage import csv_file, plot, table
from backend.app.utils.config import Settings


@dataclass(frozen=True, slots=True)
class Request:
    """`as_json`: print the report as JSON instead of tables. The files are written beside."""

    days: int
    as_json: bool = False
    csv_file: Path | None = None
    png_file: Path | None = None


async def tell_usage(settings: Settings, request: Request) -> None:
    """Prints the report and writes the files. Raises AppError for a file that cannot be written."""
    figures = find_figures() if request.png_file else None
    if request.png_file and figures is None:
        raise AppError(f"--png needs matplotlib, which is not installed: {INSTALL}")
    report = await make_report(settings, request.days)
    if request.as_json:
        typer.echo(as_json(report))
    else:
        table.show(report, open_console(table.WIDTH))
    if request.csv_file:
        _write(request.csv_file, csv_file.spending_csv(report).encode())
    if request.png_file:
        _write(request.png_file, plot.draw(report, figures))


async def make_report(settings: Settings, days: int) -> UsageReport:
    """Raises DatabaseUnavailable, and ConfigurationError in production for a database without tables."""
    async with AsyncExitStack() as stack:
        db = await stack.enter_async_context(open_database(settings))
        await ensure_tables(settings, db)
        opened: list[EmbeddingService] = []

        async def embed(texts: Sequence[str]) -> Vectors:
            if not opened:
                opened.append(await asyncio.to_thread(open_embedder, settings))
                stack.callback(opened[0].close)
            return await opened[0].embed(texts)

        return await UsageService(settings, db, embed).report(days)


def as_json(report: UsageReport) -> str:
    """What GET /api/admin/usage answers, in ASCII: no question that a reader asked can move the cursor."""
    return json.dumps(TypeAdapter(UsageReport).dump_python(report, mode="json"), indent=2)


def _write(path: Path, content: bytes) -> None:
    try:
        path.write_bytes(content)
    except OSError as error:
        raise AppError(f"{path} cannot be written: {error.strerror}.") from None
    typer.echo(f"Written: {path}", err=True)
