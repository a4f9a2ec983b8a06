"""The command line: `python -m backend serve | ingest | ask | prewarm | evaluate | usage | migrate | doctor | ...`.

Knows arguments, exit codes and what a terminal shows; the work is done by the services. A failure of ours is one
line on stderr and an exit code (78 configuration, 2 usage, 1 everything else), never a traceback. Only light
modules are imported here: a bad configuration is told before anything heavy loads.
"""

import asyncio
import gc
import json
import signal
import sys
from contextlib import suppress
from dataclasses import asdict
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import structlog
import typer

from backend.app.errors import AppError, ConfigurationError, EvaluationError, Unavailable
from backend.app.utils.config import Settings, load_settings, settings_table, settings_warnings
from backend.app.utils.logs import configure_logs

if TYPE_CHECKING:
    from backend.app.doctor import Check

app = typer.Typer(
    name="python -m backend",
    help="Answers questions about a textbook with quotes from it, over HTTP.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

translations = typer.Typer(no_args_is_help=True, help="Translated chapters as pages of a Docusaurus site, and back.")
app.add_typer(translations, name="translations")


def main() -> None:
    """Run the command in sys.argv and exit."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # an exception closes what a command has started
    try:
        app()
    except ConfigurationError as error:
        typer.echo(configuration_message(error.problems), err=True)
        sys.exit(error.exit_code)
    except EvaluationError as error:
        typer.echo(error.detail, err=True)
        sys.exit(error.exit_code)
    except AppError as error:
        hint = " What to fix: python -m backend doctor" if isinstance(error, Unavailable) else ""
        typer.echo(error.detail + hint, err=True)
        sys.exit(1)


def configuration_message(problems: tuple[str, ...]) -> str:
    """Every problem with its fix, under one heading."""
    heading = "The configuration has a problem:" if len(problems) == 1 else f"{len(problems)} problems to fix:"
    return "\n".join([heading, *(f"  - {problem}" for problem in problems)])


@app.command()
def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(min=0, max=65535, help="Port to listen on; 0 chooses one.")] = None,
) -> None:
    """Start the HTTP service."""
    gc.disable()  # loading modules makes no garbage, and looking for it takes a tenth of the start; see warm_up
    settings = _start(serving=True)
    from backend.app import serving

    everywhere = "" if settings.environment == "production" else "127.0.0.1"
    serving.serve(
        settings,
        host=host or settings.host or everywhere,
        port=settings.port if port is None else port,
    )


@app.command()
def ingest(
    path: Annotated[Path, typer.Argument(help="A Docusaurus docs folder, or the project that has one.")],
    replace: Annotated[bool, typer.Option("--replace", help="Replace a different book that is indexed.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only read and count; store nothing.")] = False,
    include_unlisted: Annotated[bool, typer.Option("--include-unlisted", help="Index unlisted pages too.")] = False,
) -> None:
    """Read a book and index it; an unchanged book costs nothing."""
    settings = _start()
    from backend.app import ingest_command

    if dry_run:
        work = ingest_command.rehearse_book(settings, path, include_unlisted=include_unlisted)
    else:
        work = ingest_command.index_book(settings, path, replace=replace, include_unlisted=include_unlisted)
    asyncio.run(work)


@app.command()
def ask(question: Annotated[str, typer.Argument(help="The question, in quotes.")]) -> None:
    """Ask the indexed book one question."""
    if not question.strip():
        raise typer.BadParameter("the question is empty")
    settings = _start()
    from backend.app.lifespan import ensure_schema, open_services
    from backend.app.services.answer_service import Asked

    async def answer() -> None:
        async with open_services(settings) as services:
            if services.claude:  # the ledger's tables
                with suppress(Unavailable):
                    await ensure_schema(services)
            found = await services.answers.ask(Asked(question))
        typer.echo(found.text)
        for number, source in enumerate(found.sources, start=1):
            typer.echo(f"\n[{number}] {source.title} > {source.section}\n    {source.url}")

    asyncio.run(answer())


@app.command()
def evaluate(
    docs: Annotated[Path | None, typer.Option(help="The docs folder to ask about; default: the sample book.")] = None,
    corpus: Annotated[Path | None, typer.Option(help="Instead of a book: passages, one JSON object a line.")] = None,
    questions: Annotated[
        list[Path] | None, typer.Option(help="Questions and where their answers stand, one JSON object a line.")
    ] = None,
    json_file: Annotated[Path | None, typer.Option("--json", help="Write all that was measured, and a plot.")] = None,
    baseline: Annotated[Path | None, typer.Option(help="An earlier --json file: exit 1 when a figure fell.")] = None,
    limit: Annotated[int | None, typer.Option(min=1, help="Ask only so many, always the same ones.")] = None,
    rewrite: Annotated[bool, typer.Option("--rewrite", help="Let Claude rewrite questions as for readers.")] = False,
    answers: Annotated[bool, typer.Option("--answers", help="Let Claude answer them too. Costs money.")] = False,
    max_usd: Annotated[float, typer.Option(min=0, help="Stop before Claude costs more.")] = 1.0,
) -> None:
    """Measure how well questions are found in a book; the site's own index and database are not touched."""
    if docs and corpus:
        raise typer.BadParameter("give a book (--docs) or a corpus (--corpus), not both")
    if bool(docs or corpus) != bool(questions):
        raise typer.BadParameter("--questions belong to a book: give --docs or --corpus and --questions, or neither")
    settings = _start()
    from backend.app.evaluation import command

    request = command.Request(
        questions=tuple(questions or ()),
        docs=docs,
        corpus=corpus,
        json_file=json_file,
        baseline=baseline,
        limit=limit,
        model="answers" if answers else "rewrite" if rewrite else "none",
        max_usd=Decimal(str(max_usd)),
    )
    if not asyncio.run(command.evaluate(settings, request)):
        raise typer.Exit(1)


@app.command()
def usage(
    days: Annotated[int, typer.Option(min=1, max=400, help="Of so many days, UTC, today included.")] = 30,
    as_json: Annotated[bool, typer.Option("--json", help="Print all of it as JSON.")] = False,
    csv_file: Annotated[Path | None, typer.Option("--csv", help="Write what was spent, for a spreadsheet.")] = None,
    png_file: Annotated[Path | None, typer.Option("--png", help="Write a picture; needs matplotlib.")] = None,
) -> None:
    """Tell what the site cost, how fast it was, what it refused, and what readers asked that the book lacks."""
    settings = _start()
    from backend.app.usage import command

    request = command.Request(days, as_json=as_json, csv_file=csv_file, png_file=png_file)
    asyncio.run(command.tell_usage(settings, request))


@translations.command("export")
def export_translations(
    language: Annotated[str, typer.Option(help="Which translation: ur, hi, ar, es or fr.")] = "ur",
    out: Annotated[Path, typer.Option(help="The site's i18n folder.")] = Path("i18n"),
    fill: Annotated[bool, typer.Option("--fill", help="Write untranslated pages too, as they are.")] = False,
    missing: Annotated[bool, typer.Option("--missing", help="Name the chapters that are not translated.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Overwrite files that were edited.")] = False,
) -> None:
    """Write the translated chapters as pages of a Docusaurus site; asks no model."""
    settings = _start()
    from backend.app import translations_command as command

    wishes = command.ExportWishes(fill=fill, force=force, list_missing=missing)
    if not asyncio.run(command.export_translations(settings, command.known_language(language), out, wishes)):
        raise typer.Exit(1)


@translations.command("import")
def import_translations(
    path: Annotated[Path, typer.Argument(help="The site, its i18n folder, or one page in it.")],
    language: Annotated[str, typer.Option(help="Of the pages: ur, hi, ar, es or fr.")] = "ur",
    level: Annotated[str | None, typer.Option(help="Instead of translations: pages written for this level.")] = None,
    hardware: Annotated[str | None, typer.Option(help="With --level: only for readers who have this.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only check the pages; store nothing.")] = False,
) -> None:
    """Take pages that people translated or corrected; each section wins over the model's until its source changes."""
    settings = _start()
    from backend.app import translations_command as command

    wanted = command.wanted_pages(path, language, level, hardware)
    if not asyncio.run(command.import_pages(settings, wanted, dry=dry_run)):
        raise typer.Exit(1)


@app.command()
def prewarm(
    language: Annotated[str, typer.Option(help="Languages to translate into, separated by commas: ur.")] = "",
    levels: Annotated[str, typer.Option(help="Levels to adapt to: beginner,intermediate,advanced.")] = "",
    hardware: Annotated[str, typer.Option(help="For readers with this hardware: none,gpu,jetson,robotics.")] = "none",
    chapters: Annotated[str, typer.Option(help="Only these chapters, separated by commas; default: all.")] = "",
    batch: Annotated[bool, typer.Option("--batch", help="Half price, and up to a day.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what is missing and what it costs.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    retry_failed: Annotated[
        bool, typer.Option("--retry-failed", help="Try what a batch failed at once more, at full price.")
    ] = False,
    poll: Annotated[float, typer.Option(min=0.1, help="Seconds between two looks at a batch.")] = 30.0,
) -> None:
    """Make chapters in other languages and at readers' levels before anybody asks for them."""
    settings = _start()
    from backend.app.prewarm import command

    request = command.Request(
        targets=command.read_targets(language, levels, hardware),
        chapters=tuple(command.split(chapters)),
        in_batch=batch,
        dry_run=dry_run,
        is_agreed=yes,
        retry_failed=retry_failed,
        poll_s=poll,
    )
    if not asyncio.run(command.prewarm(settings, request)):
        raise typer.Exit(1)


@app.command()
def migrate() -> None:
    """Bring the database's schema up to date; safe to run from several processes at once."""
    settings = _start()
    from backend.app.lifespan import open_database

    async def apply() -> list[str]:
        async with open_database(settings) as db:
            return await db.migrate()

    applied = asyncio.run(apply())
    typer.echo("\n".join(f"applied {name}" for name in applied) or "The database is up to date.")


@app.command()
def doctor(
    as_json: Annotated[bool, typer.Option("--json", help="Print the checks as JSON.")] = False,
) -> None:
    """Check every setting and dependency, and say how to fix what is wrong."""
    settings = _start(warn=False)
    from backend.app.doctor import examine

    checks = asyncio.run(examine(settings))
    listed = json.dumps([asdict(check) for check in checks], indent=2)
    typer.echo(listed if as_json else "\n".join(map(_line, checks)))
    if any(check.state == "failed" for check in checks):
        raise typer.Exit(1)


@app.command("settings")
def show_settings() -> None:
    """Print every setting with its default and meaning, as Markdown."""
    typer.echo(settings_table())


def _line(check: "Check") -> str:
    colour = {"ok": typer.colors.GREEN, "warning": typer.colors.YELLOW, "failed": typer.colors.RED}[check.state]
    line = f"{typer.style(f'{check.state:<8}', fg=colour)} {check.name:<12} {check.detail}"
    return f"{line}\n{'':<22}-> {check.fix}" if check.fix else line


def _start(*, serving: bool = False, warn: bool = True) -> Settings:
    """Settings and logs. A server logs JSON unless it writes to a terminal; other commands only tell warnings."""
    settings = load_settings()
    if serving:
        configure_logs(as_json=not sys.stdout.isatty(), level=settings.log_level)
    else:
        configure_logs(as_json=False, level="WARNING")
    for warning in settings_warnings(settings) if warn else ():
        structlog.get_logger(__name__).warning("odd_setting", hint=warning)
    return settings
