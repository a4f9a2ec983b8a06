"""`python -m backend ingest`: reads a docs folder, indexes it, and tells an owner what happened.

Knows what a terminal shows. What is written when, and what may be interrupted, is `textbook.ingest`'s matter.
"""

import asyncio
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

import typer

from backend.app.lifespan import SAMPLE_BOOK, ensure_schema, open_services
from backend.app.services.embedding_service import open_embedder
from backend.app.textbook.calibration import FEWEST_OWN, Calibration
from backend.app.textbook.docusaurus import Book, read_book
from backend.app.textbook.ingest import IngestReport, Progress, ingest, rehearse
from backend.app.utils.config import Settings


async def rehearse_book(settings: Settings, path: Path, *, include_unlisted: bool) -> None:
    """Read and cut the book and say what would be indexed; opens no store. Raises BookError."""
    book = await _read(settings, path, include_unlisted=include_unlisted)
    embedder = await asyncio.to_thread(open_embedder, settings)
    try:
        report = await asyncio.to_thread(rehearse, book, embedder)
    finally:
        embedder.close()
    typer.echo(summary(book, report, embedder.max_tokens))


async def index_book(settings: Settings, path: Path, *, replace: bool, include_unlisted: bool) -> None:
    """Raises BookError for a book that cannot be used, ConfigurationError for a database without its schema."""
    book = await _read(settings, path, include_unlisted=include_unlisted)
    sample = await asyncio.to_thread(read_book, SAMPLE_BOOK)
    async with open_services(settings) as services:
        await ensure_schema(services)
        with _progress() as progress:
            report = await ingest(
                book,
                services.embedder,
                services.index,
                services.db,
                replace=replace,
                sample_chapters=[chapter.chapter_id for chapter in sample.chapters],
                progress=progress,
            )
        limit = services.embedder.max_tokens
    typer.echo(summary(book, report, limit))


async def _read(settings: Settings, path: Path, *, include_unlisted: bool) -> Book:
    return await asyncio.to_thread(
        read_book, path, include_unlisted=include_unlisted, route_base=settings.route_base_path
    )


@contextmanager
def _progress() -> Generator[Progress]:
    """A bar on a terminal, a line for each tenth elsewhere."""
    if not sys.stdout.isatty():
        yield _tenths()
        return
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    columns = (TextColumn("Embedding"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Bar(*columns, transient=True) as bar:
        task = bar.add_task("Embedding", total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def _tenths() -> Progress:
    told = 0

    def progress(done: int, total: int) -> None:
        nonlocal told
        if done * 10 // total > told:
            told = done * 10 // total
            typer.echo(f"embedded {done} of {total} passages")

    return progress


def summary(book: Book, report: IngestReport, limit: int) -> str:
    """Counts, warnings and the self-test, as the last thing an owner reads."""
    lines = [f"{book.root}: {len(book.chapters)} chapters, {report.chunks} passages"]
    if report.chapters:
        lines.append(f"  chapters   {_changes(report)}")
        speed = f" ({report.chunks_per_second:.0f} a second)" if report.embedded else ""
        lines.append(
            f"  passages   {report.embedded} embedded, {report.reused} reused, in {report.seconds:.1f} s{speed}"
        )
    else:
        lines.append("  dry run    nothing was written")
    lines.append(f"  words      {report.words_kept:.1%} of the book's words are in a passage")
    lines.append(f"  longest    {report.longest_chunk} of at most {limit} word pieces")
    if report.gate:
        lines += _gate(report.gate)
    lines += _section("Left out", report.skipped) + _section("Warnings", report.warnings)
    if report.asked_back:
        lines.append("Asked back:")
    for asked in report.asked_back:
        verdict = "found" if asked.right else f"not first (wanted {asked.expected})"
        lines.append(f"  - {asked.question}\n    {asked.found}   {verdict}")
    return "\n".join(lines)


def _gate(gate: Calibration) -> list[str]:
    if not gate.is_measured:
        return [f"  gate       {gate.threshold:.2f}, the usual one: too few questions could be asked of this book"]
    measured = f"{gate.threshold:.2f}: refuses {gate.off_topic_refused:.0%} of {gate.off_topic} questions off topic"
    if gate.own < FEWEST_OWN:
        return [f"  gate       {measured}; the book has too few sentences to be asked for them"]
    return [
        f"  gate       {measured}, {gate.own_refused:.0%} of {gate.own} sentences of the book with half their words"
    ]


def _changes(report: IngestReport) -> str:
    changes = report.chapters
    assert changes
    return (
        f"{changes.added} added, {changes.changed} changed, {changes.removed} removed, {changes.unchanged} unchanged"
    )


def _section(title: str, sentences: tuple[str, ...]) -> list[str]:
    return [f"{title} ({len(sentences)}):", *(f"  - {text}" for text in sentences)] if sentences else []
