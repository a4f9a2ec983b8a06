"""Adapted chapters as files: where Docusaurus looks for a translated page, and how pages are read and written there.

Knows folders and bytes. Must not know what stands in a page. Links are never followed and nothing is written outside
of the folder that was given.
"""

import os
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from backend.app.errors import CorrectionError

_PLUGIN = "docusaurus-plugin-content-docs"
_VERSION = "current"
_LARGEST_FILE = 20_000_000  # bytes; as for the pages of the book


@dataclass(frozen=True, slots=True)
class PageFile:
    """A file and its place in the docs folder, with slashes, as `Chapter.source_path`."""

    path: Path
    source_path: str


def translated_docs(i18n: Path, locale: str) -> Path:
    """Where Docusaurus looks for the pages of a language."""
    return i18n / locale / _PLUGIN / _VERSION


def find_translations(given: Path, locale: str) -> list[PageFile]:
    """The pages below a site, its i18n folder or any folder of that layout, or one page in it, sorted.
    Raises CorrectionError: nothing there, or another language's."""
    _refuse_missing(given)
    for base in (given, *given.absolute().parents):
        if base.name == _VERSION and base.parent.name == _PLUGIN:
            _refuse_other_language(base.parent.parent.name, locale, given)
            return _pages(given, base)
    if given.is_file():
        return [PageFile(given, given.name)]
    for base in (translated_docs(given / "i18n", locale), translated_docs(given, locale), given / _PLUGIN / _VERSION):
        if base.is_dir():
            _refuse_other_language(base.parent.parent.absolute().name, locale, given)
            return _pages(base, base)
    others = sorted({found.parent.parent.name for found in given.glob(f"**/{_PLUGIN}/{_VERSION}")})
    if others:
        _refuse_other_language(" and ".join(others), locale, given)
    raise CorrectionError(f"There is no {translated_docs(Path('i18n'), locale).as_posix()} in {given}.")


def find_pages(given: Path) -> list[PageFile]:
    """The pages below a folder that is laid out like the docs folder, or one page."""
    _refuse_missing(given)
    return [PageFile(given, given.name)] if given.is_file() else _pages(given, given)


def read_page(path: Path) -> str:
    """The text with LF line ends and without BOM. Raises CorrectionError for what is no text file."""
    try:
        if path.is_symlink():
            raise CorrectionError(f"{path}: a link; only the file itself is read.")
        if path.stat().st_size > _LARGEST_FILE:
            raise CorrectionError(f"{path}: larger than {_LARGEST_FILE // 1_000_000} MB: no page.")
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise CorrectionError(f"{path}: not UTF-8 text (byte {error.start}). Save it as UTF-8.") from error
    except OSError as error:
        raise CorrectionError(f"{path}: cannot be read: {error.strerror}.") from error
    if "\0" in text:
        raise CorrectionError(f"{path}: contains NUL bytes: it is not a text file.")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def write_page(root: Path, source_path: str, text: str) -> Path:
    """Whole or not at all. Raises CorrectionError when the place lies outside of `root`, by its name or by a link."""
    path = root / source_path
    try:
        if not path.resolve().is_relative_to(root.resolve()):
            raise CorrectionError(f"{path}: lies outside of {root}; nothing was written there.")
        path.parent.mkdir(parents=True, exist_ok=True)
        descriptor, name = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)
        try:
            with os.fdopen(descriptor, "w", encoding="utf-8", newline="\n") as file:
                file.write(text)
            Path(name).chmod(0o644)
            Path(name).replace(path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise CorrectionError(f"{path}: cannot be written: {error.strerror}.") from error
    return path


def _refuse_missing(given: Path) -> None:
    if given.is_symlink():
        raise CorrectionError(f"{given}: a link; give the folder or the file itself.")
    if not given.exists():
        raise CorrectionError(f"There is no {given}.")


def _refuse_other_language(found: str, locale: str, given: Path) -> None:
    if found != locale:
        raise CorrectionError(f"{given} holds pages in {found}, not in {locale}. Give --language {found.split()[0]}.")


def _pages(given: Path, base: Path) -> list[PageFile]:
    found = [given] if given.is_file() else sorted(_walk(given))
    if not found:
        raise CorrectionError(f"There is no page (.md or .mdx) in {given}.")
    inside = base.absolute()
    return [PageFile(path, path.absolute().relative_to(inside).as_posix()) for path in found]


def _walk(folder: Path) -> Iterator[Path]:
    """Links to pages are found too, so that they are refused by name rather than left out in silence."""
    for here, folders, files in os.walk(folder):
        folders.sort()
        yield from (Path(here) / name for name in folders if (Path(here) / name).is_symlink())
        yield from (Path(here) / name for name in files if name.endswith((".md", ".mdx")) and name[0] != "_")
