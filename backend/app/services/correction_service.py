"""Pages that people translated or corrected -> sections that win over the model's.

Knows what belongs to a page: which chapter, which sections say something else than what is served, what of them is
wrong. A page is taken whole or not at all. Never asks a model.
"""

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from backend.app.adaptation.corrections import check_section, source_hash, without_isolates
from backend.app.adaptation.page_cutting import NotTheChapter, Section, cut_page
from backend.app.errors import CorrectionError
from backend.app.models.adaptation import AdaptedChapter, Correction, Corrections, Order, Piece, Target, Translate
from backend.app.models.domain import Chapter, ChapterId, ChapterSummary
from backend.app.services.adaptation_service import AdaptationService
from backend.app.services.adaptation_tasks import AdaptationTasks
from backend.app.services.chapter_service import nearest_ids
from backend.app.services.db_service import DBService
from backend.app.services.translation_export import all_chapters, whole_chapter
from backend.app.textbook.front_matter import split_front_matter, text_setting
from backend.app.textbook.masking import mask
from backend.app.textbook.sectioning import split_chapter
from backend.app.textbook.site_files import PageFile, read_page

_HEADING_ID = re.compile(r"\s*(?:\{.*\}|<!--.*-->)\s*$")


@dataclass(frozen=True, slots=True)
class CheckedPage:
    """A page that can be taken. `changed` of its corrections were not there before; `is_source`: it is the book's
    own page, which nobody translated."""

    source_path: str
    chapter: Chapter
    corrections: Corrections
    changed: int
    is_source: bool = False


@dataclass(frozen=True, slots=True)
class _Page:
    """A file's text, and the line on which its body begins."""

    file: PageFile
    title: str
    body: str
    first_line: int

    def at(self, line: int) -> str:
        return f"{self.file.path}:{self.first_line + line - 1}"


class CorrectionService:
    """One per process."""

    def __init__(self, db: DBService, tasks: AdaptationTasks, adaptations: AdaptationService) -> None:
        self._db = db
        self._tasks = tasks
        self._adaptations = adaptations

    async def check(self, file: PageFile, targets: Sequence[Target]) -> CheckedPage:
        """What taking the page for these targets (of one kind) would store. Raises CorrectionError, one line for each
        thing that is wrong with it."""
        page = _read(file)
        chapter = await self._chapter_of(file)
        target = targets[0]
        content = self._tasks.task(target).prepare(chapter.content)
        if page.body.strip() in (content.strip(), chapter.content.strip()):
            return CheckedPage(file.source_path, chapter, Corrections(), 0, is_source=True)
        pieces = split_chapter(content, chapter.title)
        sections = _sections(page, chapter, pieces, target)
        texts = _checked(page, sections, target)
        served = await self._served(chapter, pieces, targets)
        before = {
            one.source_hash: one for one in (await self._db.find_corrections(chapter.chapter_id, target)).sections
        }
        kept = [
            Correction(source_hash(section.piece), text, _heading(section))
            for section, text in zip(sections, texts, strict=True)
            if mask(section.piece.text).words
            and (source_hash(section.piece) in before or text.strip() != served.get(source_hash(section.piece)))
        ]
        unique = _without_doubles(page, kept)
        changed = sum(before.get(one.source_hash) != one for one in unique)
        return CheckedPage(file.source_path, chapter, Corrections(unique, _version(unique)), changed)

    async def take(self, checked: CheckedPage, targets: Sequence[Target]) -> AdaptedChapter | None:
        """Keep the page's corrections, instead of those of before. -> the chapter as the first target is served now;
        None when a model has to write some of it. The others are put together when they are asked for."""
        variants = [target.variant for target in targets]
        chapter = checked.chapter
        await self._db.replace_corrections(chapter.chapter_id, targets[0].kind, variants, checked.corrections)
        return await whole_chapter(self._adaptations, Order(targets[0], chapter))

    async def _chapter_of(self, file: PageFile) -> Chapter:
        chapters = await all_chapters(self._db)
        for chapter in chapters:
            if chapter.source_path == file.source_path:
                return chapter
        if not chapters:
            raise CorrectionError("No book has been ingested yet. Run first: python -m backend ingest PATH")
        raise CorrectionError(f"{file.path}: the book has no page {file.source_path}.{_nearest(file, chapters)}")

    async def _served(
        self, chapter: Chapter, pieces: Sequence[Piece], targets: Sequence[Target]
    ) -> Mapping[str, str]:
        """What readers get for each piece today; nothing for several targets, which have several texts."""
        adapted = await whole_chapter(self._adaptations, Order(targets[0], chapter)) if len(targets) == 1 else None
        if adapted is None:
            return {}
        try:
            sections = _cut(pieces, adapted.title, without_isolates(adapted.content), targets[0])
        except NotTheChapter:
            return {}
        return {source_hash(section.piece): check_section(section, targets[0])[0].strip() for section in sections}


def _read(file: PageFile) -> _Page:
    text = read_page(file.path)
    settings, body, problem = split_front_matter(text)
    if problem:
        raise CorrectionError(f"{file.path}:1: {problem}")
    above = text.removesuffix(body) + body[: len(body) - len(body.lstrip())]
    return _Page(file, text_setting(settings, "title"), without_isolates(body.strip()) + "\n", above.count("\n") + 1)


def _sections(page: _Page, chapter: Chapter, pieces: Sequence[Piece], target: Target) -> list[Section]:
    """The page's text for each piece of the chapter, its title among them."""
    title = page.title or (chapter.title if not isinstance(target, Translate) else "")
    if not title and pieces[0].role == "title":
        raise CorrectionError(f"{page.file.path}:1: the front matter has no title.")
    try:
        return _cut(pieces, title, page.body, target)
    except NotTheChapter as different:
        raise CorrectionError(f"{page.at(different.line)}: {different.problem}") from different


def _cut(pieces: Sequence[Piece], title: str, body: str, target: Target) -> list[Section]:
    titles = [Section(piece, f"# {title}\n", 1) for piece in pieces if piece.role == "title"]
    return titles + cut_page([piece for piece in pieces if piece.role == "body"], body, target)


def _checked(page: _Page, sections: Sequence[Section], target: Target) -> list[str]:
    """The sections as they are kept."""
    texts: list[str] = []
    problems: list[str] = []
    for section in sections:
        text, wrong = check_section(section, target)
        texts.append(text)
        problems += [f"{page.at(section.line)}: below “{_heading(section)}”: {problem}" for problem in wrong]
    if problems:
        raise CorrectionError("\n".join(problems))
    return texts


def _without_doubles(page: _Page, corrections: Sequence[Correction]) -> tuple[Correction, ...]:
    """Sections with the same source have the same text wherever they stand."""
    first: dict[str, Correction] = {}
    for one in corrections:
        other = first.setdefault(one.source_hash, one)
        if other.text != one.text:
            raise CorrectionError(
                f"{page.file.path}: the sections below “{other.heading}” and “{one.heading}” are the same in the "
                "book and differ here. Make them the same."
            )
    return tuple(first.values())


def _heading(section: Section) -> str:
    """Of the page, where people look for it."""
    opening = section.text.lstrip().partition("\n")[0]
    return _HEADING_ID.sub("", opening.lstrip("# ")) if opening.startswith("#") else section.piece.heading_path[-1]


def _version(corrections: Sequence[Correction]) -> str:
    if not corrections:
        return ""
    said = json.dumps([[one.source_hash, one.text] for one in corrections])
    return hashlib.sha256(said.encode()).hexdigest()[:16]


def _nearest(file: PageFile, chapters: Sequence[Chapter]) -> str:
    paths = {chapter.chapter_id: chapter.source_path for chapter in chapters}
    summaries = [
        ChapterSummary(chapter.chapter_id, chapter.title, chapter.url, chapter.module, chapter.position)
        for chapter in chapters
    ]
    near: list[ChapterId] = nearest_ids(file.source_path, summaries)
    return f" Did you mean {' or '.join(paths[one] for one in near)}?" if near else ""
