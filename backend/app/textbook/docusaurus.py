"""A Docusaurus docs folder -> the chapters of a book in reading order.

Knows files, front matter, ids, slugs and routes as Docusaurus 3.10 builds them (defaults of the docs plugin: the
route base is /docs, the sidebar is generated from the folders). Must not know Markdown below the title or what
becomes of the chapters. Nothing outside the folder (for partials: outside the site) is ever read.

A chapter's content is the page's Markdown without front matter and BOM, with LF line ends, and with imported
`_partials` in the place of their component, because that is the page that readers see.
"""

import hashlib
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

from backend.app.errors import BookError
from backend.app.models.domain import Chapter, ChapterId
from backend.app.textbook.front_matter import flag_setting, number_setting, split_front_matter, text_setting
from backend.app.textbook.sidebar import Place, reading_order

_DATE_OR_VERSION = re.compile(r"(?:\d{2}|\d{4})[-_.]\d{2}(?:[-_.](?:\d{2}|\d{4}))?|\d+[-_.]\d+")
_NUMBER_PREFIX = re.compile(r"(\d+)\s*[-_.]+\s*([^-_.\s].*)", re.DOTALL)
_LEADING_IMPORTS = re.compile(r"(?:import\s(?:[^\n]|\n(?!\n))*\n{2,})+")
_ATX_TITLE = re.compile(r"#[ \t]+([^ \t\n][^\n]*)(?:\n|\Z)")
_SETEXT_TITLE = re.compile(r"([^\n]*)\n=+(?:\n|\Z)")
_PARTIAL_IMPORT = re.compile(r"^import\s+([A-Z]\w*)\s+from\s+['\"]([^'\"\n]+\.mdx?)['\"];?[ \t]*$\n?", re.MULTILINE)
_ROOT_PAGES = re.compile(r"(?:readme|changelog|contributing|license|code_of_conduct|security)\.mdx?", re.IGNORECASE)
_DEEPEST_PARTIAL = 8
_LARGEST_FILE = 20_000_000  # bytes; a page of a book has 10,000 to 200,000


@dataclass(frozen=True, slots=True)
class Book:
    """What `read_book` found. `chapters` in reading order; `warnings` and `skipped` are sentences for the owner."""

    chapters: tuple[Chapter, ...]
    warnings: tuple[str, ...]
    skipped: tuple[str, ...]
    root: Path


@dataclass(frozen=True, slots=True)
class Page:
    """One file with what Docusaurus derives from it. `source` is relative to the docs folder, with slashes."""

    source: str
    chapter_id: str
    permalink: str
    title: str
    draft: bool
    unlisted: bool
    sidebar_position: float | None
    sidebar_label: str
    content: str
    front_matter: str


def read_book(docs: Path, *, include_unlisted: bool = False, route_base: str = "/docs") -> Book:
    """The book in a docs folder, or in a site folder that has `docs` in it.

    Drafts are left out, unlisted pages too unless `include_unlisted`. `route_base` is baseUrl + routeBasePath.
    Raises BookError: no such folder, a file, no Markdown, bytes that are no text, two pages with one id.
    """
    root = _docs_folder(docs)
    reader = _Reader(root, route_base)
    if (root / "docs").is_dir():
        reader.warnings.append(
            f"Read {root} whole, with docs/ as a part of the book. To read that alone, give {root / 'docs'}"
        )
    pages = [reader.page(path) for path in reader.files()]
    if not pages:
        raise BookError(f"There is no Markdown (.md or .mdx) in {root}. Give the folder that holds the book's pages.")
    _refuse_duplicate_ids(pages)
    shown: list[Page] = []
    for page in pages:
        if page.draft or (page.unlisted and not include_unlisted):
            reader.skipped.append(f"{page.source}: {'draft' if page.draft else 'unlisted'}")
        else:
            shown.append(page)
    places = [Place(page.source, page.chapter_id, page.sidebar_position, page.sidebar_label) for page in shown]
    ordered, warnings = reading_order(root, places, strip_number_prefix)
    by_source = {page.source: page for page in shown}
    chapters = tuple(_chapter(by_source[source], module, n) for n, (source, module) in enumerate(ordered))
    return Book(chapters, (*reader.warnings, *warnings, *_same_routes(shown)), tuple(reader.skipped), root)


class Prefix(NamedTuple):
    """A name without its number prefix, and the number."""

    name: str
    number: int | None


def strip_number_prefix(name: str) -> Prefix:
    """`01-intro` -> intro, 1. Dates (2024-02-03-post) and versions (7.0-x) keep their numbers."""
    match = None if _DATE_OR_VERSION.match(name) else _NUMBER_PREFIX.fullmatch(name)
    return Prefix(match[2], int(match[1][:9])) if match else Prefix(name, None)


@dataclass(slots=True)
class _Reader:
    root: Path
    route_base: str
    warnings: list[str] = field(default_factory=list[str])
    skipped: list[str] = field(default_factory=list[str])

    def files(self) -> list[Path]:
        """The Markdown files that Docusaurus would build, sorted. Links to folders are not followed."""
        found: list[Path] = []
        for folder, names, files in os.walk(self.root, onerror=_refuse):
            here = Path(folder)
            kept = [name for name in names if not name.startswith("_") and name != "__tests__"]
            linked = [name for name in kept if (here / name).is_symlink()]
            self.skipped.extend(f"{self._relative(here / name)}: a link to a folder" for name in linked)
            names[:] = sorted(set(kept) - set(linked) - {"node_modules"})
            found.extend(here / name for name in files if _is_page(name) and self._is_inside(here / name))
        return sorted(found, key=lambda path: path.relative_to(self.root).as_posix())

    def page(self, path: Path) -> Page:
        """Read one file. Raises BookError when its bytes are no text."""
        source = self._relative(path)
        text = self._read(path)
        settings, body, problem = split_front_matter(text)
        if problem:
            self.warnings.append(f"{source}: {problem}")
        folder, stem = PurePosixPath(source).parent, PurePosixPath(source).stem
        numbered = flag_setting(settings, "parse_number_prefixes", default=True)
        prefix = strip_number_prefix(stem) if numbered else Prefix(stem, None)
        base_id = text_setting(settings, "id") or prefix.name
        directory = "/".join(strip_number_prefix(part).name if numbered else part for part in folder.parts)
        slug = _slug(text_setting(settings, "slug"), base_id, directory, PurePosixPath(source))
        position = number_setting(settings, "sidebar_position")
        title = text_setting(settings, "title") or content_title(body) or base_id
        return Page(
            source=source,
            chapter_id=f"{directory}/{base_id}" if directory else base_id,
            permalink=re.sub(r"/{2,}", "/", f"/{self.route_base}/{slug}"),
            title=title,
            draft=flag_setting(settings, "draft"),
            unlisted=flag_setting(settings, "unlisted"),
            sidebar_position=prefix.number if position is None else position,
            sidebar_label=text_setting(settings, "sidebar_label") or title,
            content=self._with_partials(body, path, (path.resolve(),)).strip() + "\n",
            front_matter=text.removesuffix(body),
        )

    def _read(self, path: Path) -> str:
        try:
            if path.stat().st_size > _LARGEST_FILE:
                raise BookError(f"{self._relative(path)} is larger than {_LARGEST_FILE // 1_000_000} MB: no page.")
            text = path.read_bytes().decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise BookError(
                f"{self._relative(path)} is not UTF-8 text (byte {error.start}). Save it as UTF-8."
            ) from error
        except OSError as error:
            raise BookError(f"{self._relative(path)} cannot be read: {error.strerror}.") from error
        if "\0" in text:
            raise BookError(f"{self._relative(path)} contains NUL bytes: it is not a text file.")
        return text.replace("\r\n", "\n").replace("\r", "\n")

    def _with_partials(self, body: str, path: Path, seen: tuple[Path, ...]) -> str:
        """The body with `<Part />` replaced by the partial it was imported from, its own partials too."""
        for name, target in _PARTIAL_IMPORT.findall(body):
            usage = re.compile(rf"^[ \t]*<{name}(?:\s[^<>]*)?(?:/>|>\s*</{name}>)[ \t]*$", re.MULTILINE)
            if not usage.search(body):
                continue
            partial = self._partial(target, path)
            if partial is None or partial in seen or len(seen) > _DEEPEST_PARTIAL:
                self.warnings.append(f"{self._relative(path)}: the imported page {target} cannot be put in")
                continue
            text = self._with_partials(split_front_matter(self._read(partial))[1], partial, (*seen, partial)).strip()
            body = usage.sub(lambda _, text=text: f"\n{text}\n", body)
            body = re.sub(
                rf"^import\s+{name}\s+from\s+['\"]{re.escape(target)}['\"];?[ \t]*$\n?", "", body, flags=re.M
            )
        return body

    def _partial(self, target: str, importer: Path) -> Path | None:
        """The file of an import when it exists inside the site; `@site/` is the folder above the docs."""
        site = self.root.resolve().parent
        base = site / target.removeprefix("@site/") if target.startswith("@site/") else importer.parent / target
        try:
            resolved = base.resolve()
        except (OSError, RuntimeError):
            return None
        return resolved if resolved.is_file() and resolved.is_relative_to(site) else None

    def _is_inside(self, path: Path) -> bool:
        try:
            inside = path.resolve().is_relative_to(self.root.resolve()) and path.is_file()
        except (OSError, RuntimeError):  # a loop of links
            inside = False
        if not inside:
            self.skipped.append(f"{self._relative(path)}: a link that leads out of the folder or nowhere")
        return inside

    def _relative(self, path: Path) -> str:
        return path.relative_to(self.root).as_posix() if path.is_relative_to(self.root) else path.name


def content_title(body: str) -> str:
    """The h1 that opens the body (after imports), as Docusaurus takes it for a title; "" when there is none."""
    text = body.strip()
    imports = _LEADING_IMPORTS.match(text)
    text = text[imports.end() :].strip() if imports else text
    if match := _ATX_TITLE.match(text):
        title = re.sub(r"\s*(?:\{#*[\w-]+\}|#+)$", "", match[1].strip())
    elif match := _SETEXT_TITLE.match(text):
        title = re.sub(r"\s*=+$", "", match[1].strip())
    else:
        return ""
    return re.sub(r"`([^`]*)`", r"\1", title).strip()


def _slug(slug: str, base_id: str, directory: str, source: PurePosixPath) -> str:
    if slug.startswith("/"):
        return slug
    index_names = ("index", "readme", source.parent.name.lower())
    if not slug and source.stem.lower() in index_names:
        return f"/{directory}/"
    parts: list[str] = directory.split("/") if directory else []
    relative = (slug or base_id).split("/")
    for part in relative:
        if part == "..":
            parts = parts[:-1]
        elif part not in ("", "."):
            parts.append(part)
    return "/" + "/".join(parts) + ("/" if relative[-1] in ("", ".", "..") else "")


def _docs_folder(path: Path) -> Path:
    if not path.exists():
        raise BookError(f"There is no folder {path}.")
    if not path.is_dir():
        raise BookError(f"{path} is a file. Give the folder that holds the book's pages.")
    docs = path / "docs"
    if not docs.is_dir():
        return path
    is_site = any(path.glob("docusaurus.config.*")) or (path / "package.json").exists()
    own_pages = [file.name for file in path.iterdir() if _is_page(file.name) and not _ROOT_PAGES.fullmatch(file.name)]
    return docs if is_site or not own_pages else path


def _is_page(name: str) -> bool:
    return name.endswith((".md", ".mdx")) and not name.startswith("_")


def _refuse(error: OSError) -> None:
    raise BookError(f"The folder {error.filename} cannot be read: {error.strerror}.") from error


def _refuse_duplicate_ids(pages: Iterable[Page]) -> None:
    first: dict[str, str] = {}
    for page in pages:
        if page.draft:
            continue
        other = first.setdefault(page.chapter_id, page.source)
        if other != page.source:
            raise BookError(f"{other} and {page.source} have the same id '{page.chapter_id}'. Give one an `id`.")


def _same_routes(pages: Iterable[Page]) -> list[str]:
    first: dict[str, str] = {}
    return [
        f"{first[page.permalink]} and {page.source} have the same address {page.permalink}"
        for page in pages
        if first.setdefault(page.permalink, page.source) != page.source
    ]


def _chapter(page: Page, module: str, position: int) -> Chapter:
    parts: tuple[Any, ...] = (page.content, page.title, page.permalink, module, position)
    digest = hashlib.sha256("\0".join(map(str, parts)).encode("utf-8", "surrogatepass")).hexdigest()
    return Chapter(
        chapter_id=ChapterId(page.chapter_id),
        title=page.title,
        url=page.permalink,
        module=module,
        position=position,
        content=page.content,
        content_hash=digest,
        source_path=page.source,
        front_matter=page.front_matter,
    )
