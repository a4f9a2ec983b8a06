"""`python -m backend translations export | import`: adapted chapters leave as pages and come back corrected.

Knows what a terminal shows and what happens to files; what a page has to be like is `correction_service`'s business.
Runs beside a server: the search is not opened, and no model is asked.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar, get_args

import typer

from backend.app.adaptation.languages import LANGUAGES
from backend.app.errors import CorrectionError
from backend.app.lifespan import ensure_tables, open_pages
from backend.app.models.adaptation import Personalize, Target, TargetLanguage, Translate
from backend.app.models.domain import Hardware, Level
from backend.app.services.correction_service import CheckedPage
from backend.app.services.translation_export import ExportedPage
from backend.app.textbook.site_files import (
    PageFile,
    find_pages,
    find_translations,
    read_page,
    translated_docs,
    write_page,
)
from backend.app.utils.config import Settings

Name = TypeVar("Name", bound=str)


@dataclass(frozen=True, slots=True)
class ExportWishes:
    """`fill`: write untranslated pages too, as Docusaurus needs them where pages link to files; `force`: over files
    that differ; `list_missing`: name what is missing."""

    fill: bool
    force: bool
    list_missing: bool


async def export_translations(settings: Settings, language: TargetLanguage, out: Path, wishes: ExportWishes) -> bool:
    """Whether everything that is there could be written."""
    async with open_pages(settings) as opened:
        await ensure_tables(settings, opened.db)
        pages = await opened.export.pages(language)
        stale = await opened.export.stale(language)
    root = translated_docs(out, language)
    wanted = [page for page in pages if page.is_translated or wishes.fill]
    kept = [page for page in wanted if not _write(root, page, wishes.force)]
    missing = [page for page in pages if not page.is_translated]
    typer.echo(f"{root}: {len(wanted) - len(kept)} of {len(pages)} pages; {len(pages) - len(missing)} are translated")
    if wishes.list_missing:
        _list("Not translated", (f"{page.chapter_id}  {page.source_path}" for page in missing))
    _list("Left as they are, because they were edited (--force overwrites them)", (page.source_path for page in kept))
    _list("Need a new correction, their section was edited", (f"{one.chapter_id}: {one.heading}" for one in stale))
    _list(
        "Copy these files from docs to the same place here",
        (f"{page.source_path}: {path}" for page in wanted for path in page.beside),
    )
    if missing and not wishes.fill:
        typer.echo("Docusaurus needs every page that another one links to: --fill writes the others untranslated.")
    return not kept


@dataclass(frozen=True, slots=True)
class Wanted:
    """Pages to take, and for whom: targets of one kind."""

    files: Sequence[PageFile]
    targets: Sequence[Target]


def known_language(code: str) -> TargetLanguage:
    """Raises typer.BadParameter."""
    return _one_of(tuple(LANGUAGES), code, "--language")


def wanted_pages(path: Path, language: str, level: str | None, hardware: str | None) -> Wanted:
    """What to import from a path. Raises typer.BadParameter for unknown names, CorrectionError for a wrong path."""
    if level is None and hardware:
        raise typer.BadParameter("--hardware belongs to --level")
    if level is None:
        code = known_language(language)
        return Wanted(find_translations(path, code), [Translate(code)])
    levels: tuple[Level, ...] = get_args(Level)
    whose: tuple[Hardware, ...] = get_args(Hardware)
    if hardware:
        whose = (_one_of(whose, hardware, "--hardware"),)
    known = _one_of(levels, level, "--level")
    return Wanted(find_pages(path), [Personalize(known, each) for each in whose])


async def import_pages(settings: Settings, wanted: Wanted, *, dry: bool) -> bool:
    """Whether every page could be taken. Those that could are taken even when others could not."""
    files, targets = wanted.files, wanted.targets
    refused: list[str] = []
    async with open_pages(settings) as opened:
        await ensure_tables(settings, opened.db)
        for file in files:
            try:
                checked = await opened.corrections.check(file, targets)
                is_whole = bool(not dry and not checked.is_source and await opened.corrections.take(checked, targets))
            except CorrectionError as error:
                refused.append(error.detail)
            else:
                typer.echo(_taken(checked, is_whole, dry))
    for problem in refused:
        typer.echo(problem, err=True)
    if refused:
        typer.echo(f"{len(refused)} of {len(files)} pages were not taken; nothing of them was stored.", err=True)
    return not refused


def _one_of(known: Sequence[Name], given: str, option: str) -> Name:
    found = next((name for name in known if name == given), None)
    if found is None:
        raise typer.BadParameter(f"{option} is one of {', '.join(known)}")
    return found


def _taken(checked: CheckedPage, is_whole: bool, dry: bool) -> str:
    if checked.is_source:
        return f"{checked.source_path}: not translated, left out"
    count = len(checked.corrections.sections)
    said = f"{checked.source_path}: {count} sections as people wrote them, {checked.changed} of them new or changed"
    if dry:
        return f"{said}; nothing was stored"
    return (
        f"{said}; {'served from now on' if is_whole else 'the other sections still have to be written by the model'}"
    )


def _write(root: Path, page: ExportedPage, force: bool) -> bool:
    """Whether the file is there as it should be; one that somebody edited is left alone unless `force`."""
    path = root / page.source_path
    if path.exists() and not force:
        there = read_page(path)
        if there not in (page.text, page.untranslated):
            return False
    write_page(root, page.source_path, page.text)
    return True


def _list(title: str, lines: Iterable[str]) -> None:
    found = list(lines)
    if found:
        typer.echo("\n".join([f"{title} ({len(found)}):", *(f"  - {line}" for line in found)]))
