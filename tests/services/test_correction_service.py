"""Pages that leave, are corrected by people and come back: what is served, what is kept, and what is refused."""

import re
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from backend.app.adaptation.corrections import as_reply, without_isolates
from backend.app.adaptation.page_cutting import cut_page
from backend.app.errors import CorrectionError
from backend.app.lifespan import SAMPLE_BOOK
from backend.app.models.adaptation import AdaptedChapter, Order, Personalize, Target, Translate
from backend.app.models.domain import Chapter, ChapterId
from backend.app.services.adaptation_plan import plan_chapter
from backend.app.services.adaptation_tasks import AdaptationTasks
from backend.app.services.correction_service import CheckedPage, CorrectionService
from backend.app.services.translation_export import ExportedPage, TranslationExport
from backend.app.textbook.docusaurus import read_book
from backend.app.textbook.front_matter import split_front_matter
from backend.app.textbook.masking import mask
from backend.app.textbook.sectioning import split_chapter
from backend.app.textbook.site_files import PageFile
from backend.app.utils.config import Settings
from tests.fakes import translators
from tests.fixtures.adaptation import URDU, OpenPipeline, Pipeline, long_chapter

pytestmark = pytest.mark.anyio
BEGINNERS = [Personalize("beginner", hardware) for hardware in ("none", "gpu", "jetson", "robotics")]
SHIPPED_URDU = SAMPLE_BOOK.parent / "i18n" / "ur" / "docusaurus-plugin-content-docs" / "current" / "intro.md"
SHIPPED_BEGINNER = SAMPLE_BOOK.parent / "levels" / "beginner" / "intro.md"
WALKING = replace(long_chapter(), source_path="walking.md", front_matter="---\nsidebar_position: 3\n---\n")
INTRO = ChapterId("intro")


@dataclass
class Desk:
    """Where an owner exports and imports; `folder` holds the pages."""

    pipeline: Pipeline
    export: TranslationExport
    corrections: CorrectionService
    folder: Path

    async def page(self, chapter_id: str = WALKING.chapter_id) -> ExportedPage:
        pages = {page.chapter_id: page for page in await self.export.pages("ur")}
        return pages[ChapterId(chapter_id)]

    def file(self, text: str | bytes, source_path: str = WALKING.source_path) -> PageFile:
        path = self.folder / "pages" / source_path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return PageFile(path, source_path)

    async def take(self, file: PageFile, targets: list[Target] | None = None) -> CheckedPage:
        wanted = targets or [URDU]
        checked = await self.corrections.check(file, wanted)
        await self.corrections.take(checked, wanted)
        return checked

    async def served(self, chapter_id: str = WALKING.chapter_id, target: Target = URDU) -> AdaptedChapter | None:
        return await self.pipeline.service.find_cached(target, ChapterId(chapter_id))

    async def in_the_book(self, *chapters: Chapter) -> None:
        await self.pipeline.db.replace_chapters(chapters)


def desk_of(pipeline: Pipeline, folder: Path) -> Desk:
    tasks = AdaptationTasks(Settings())
    export = TranslationExport(pipeline.db, tasks, pipeline.service)
    return Desk(pipeline, export, CorrectionService(pipeline.db, tasks, pipeline.service), folder)


@pytest.fixture
def desk(pipeline: Pipeline, tmp_path: Path) -> Desk:
    """With a model that translates well."""
    pipeline.claude.adapts(translators.good)
    return desk_of(pipeline, tmp_path)


@pytest.fixture
async def desk_without_key(open_pipeline: OpenPipeline, tmp_path: Path) -> Desk:
    """With the sample book and no model."""
    desk = desk_of(open_pipeline(has_key=False), tmp_path)
    await desk.in_the_book(*read_book(SAMPLE_BOOK).chapters)
    return desk


async def translated(desk: Desk, chapter: Chapter = WALKING) -> ExportedPage:
    """The chapter as the model translated it, exported."""
    await desk.in_the_book(chapter)
    await desk.pipeline.adapt(chapter)
    return await desk.page(chapter.chapter_id)


async def test_a_corrected_sentence_is_served_and_the_rest_stays_the_models(desk: Desk) -> None:
    page = await translated(desk)
    calls = desk.pipeline.calls
    sentence = _prose(page.text, 3)
    checked = await desk.take(desk.file(page.text.replace(sentence, f"{sentence} استاد کا جملہ۔")))
    assert (len(checked.corrections.sections), checked.changed) == (1, 1)
    served = await desk.served()
    assert served
    assert "استاد کا جملہ۔" in served.content
    assert served.cached
    assert served.content.replace(" استاد کا جملہ۔", "") == page.text.partition("---\n\n")[2]
    assert desk.pipeline.calls == calls
    assert (await desk.pipeline.adapt(WALKING)).content == served.content
    assert (await desk.page()).text == page.text.replace(sentence, f"{sentence} استاد کا جملہ۔")


async def test_importing_what_was_exported_changes_nothing_and_twice_is_once(desk: Desk) -> None:
    page = await translated(desk)
    assert (await desk.take(desk.file(page.text))).corrections.sections == ()
    assert (await desk.page()).text == page.text
    edited = page.text.replace(_prose(page.text, 0), "درست کیا ہوا جملہ ہے یہ اب۔")
    first = await desk.take(desk.file(edited))
    again = await desk.take(desk.file(edited))
    assert again.corrections == first.corrections
    assert (first.changed, again.changed) == (1, 0)
    assert (await desk.page()).text == edited


async def test_an_edited_section_needs_a_new_correction_and_the_others_keep_theirs(desk: Desk) -> None:
    page = await translated(desk)
    calls = desk.pipeline.calls
    first, last = _prose(page.text, 0), _prose(page.text, -1)
    edited = page.text.replace(first, "پہلا درست جملہ یہاں ہے۔").replace(last, "آخری درست جملہ یہاں ہے۔")
    assert (await desk.take(desk.file(edited))).changed == 2
    new = replace(
        WALKING, content=WALKING.content.replace("momentum third", "momentum and mass", 1), content_hash="new"
    )
    await desk.in_the_book(new)
    assert await desk.served() is None
    assert [one.chapter_id for one in await desk.export.stale("ur")] == [new.chapter_id]
    served = await desk.pipeline.adapt(new)
    assert "پہلا درست جملہ یہاں ہے۔" in served.content
    assert "آخری درست جملہ یہاں ہے۔" not in served.content
    assert desk.pipeline.calls == calls + 1


async def test_a_row_made_before_an_import_is_never_served_after_it(desk: Desk) -> None:
    """As when another process was generating meanwhile."""
    page = await translated(desk)
    old = await desk.served()
    assert old
    await desk.take(desk.file(page.text.replace(_prose(page.text, 0), "درست کیا ہوا جملہ ہے یہ اب۔")))
    tasks = AdaptationTasks(Settings())
    plan = plan_chapter(Order(URDU, WALKING), tasks.task(URDU), tasks.model(URDU))
    await desk.pipeline.db.save_translation(WALKING.chapter_id, Translate("ur"), plan.recipe, old, 0)
    assert await desk.served() is None
    assert "درست کیا ہوا جملہ ہے یہ اب۔" in (await desk.pipeline.adapt(WALKING)).content


async def test_a_page_that_people_wrote_is_served_without_a_key_and_without_a_quota(desk_without_key: Desk) -> None:
    desk = desk_without_key
    shipped = SHIPPED_URDU.read_text(encoding="utf-8")
    checked = await desk.take(desk.file(shipped, "intro.md"))
    assert checked.changed == len(checked.corrections.sections) > 5
    served = await desk.served("intro")
    assert served
    assert (served.title, served.cached) == ("Physical AI کیا ہے", True)
    assert shipped.endswith(served.content)
    assert (await desk.page("intro")).text == shipped
    assert desk.pipeline.calls == 0
    assert desk.pipeline.readers.admitted == []


async def test_who_translates_the_books_own_file_need_not_write_the_ids_of_headings(desk_without_key: Desk) -> None:
    shipped = SHIPPED_URDU.read_text(encoding="utf-8")
    without_ids = re.sub(r" \{#.*\}$", "", shipped, flags=re.MULTILINE)
    assert without_ids != shipped
    await desk_without_key.take(desk_without_key.file(without_ids, "intro.md"))
    assert (await desk_without_key.page("intro")).text == shipped


async def test_a_page_for_a_level_is_served_to_readers_of_any_hardware(desk_without_key: Desk) -> None:
    desk = desk_without_key
    shipped = SHIPPED_BEGINNER.read_text(encoding="utf-8")
    targets: list[Target] = [*BEGINNERS]
    await desk.take(desk.file(shipped, "intro.md"), targets)
    (chapter,) = await desk.pipeline.db.find_chapters([INTRO])
    for target in targets:
        made = await desk.pipeline.service.generate(Order(target, chapter), None)
        assert shipped.endswith(made.content)
        assert made.cached
        assert {change.kind for change in made.changes} == {"definition", "example", "step by step"}
        assert made.coverage
        assert made.coverage > 0.9


async def test_the_books_own_page_is_left_out(desk_without_key: Desk) -> None:
    page = await desk_without_key.page("foundations/sensors")
    assert not page.is_translated
    assert (
        await desk_without_key.corrections.check(desk_without_key.file(page.text, page.source_path), [URDU])
    ).is_source


async def test_windows_line_ends_and_a_byte_order_mark_are_no_difference(desk_without_key: Desk) -> None:
    desk = desk_without_key
    shipped = SHIPPED_URDU.read_text(encoding="utf-8")
    plain = await desk.corrections.check(desk.file(shipped, "intro.md"), [URDU])
    windows = desk.file(b"\xef\xbb\xbf" + shipped.replace("\n", "\r\n").encode(), "intro.md")
    assert await desk.corrections.check(windows, [URDU]) == plain


HOSTILE = {
    "a fence is not closed": (
        "\n```\n\n## Embodiment",
        "\n\n## Embodiment",
        "the code that begins here is not closed",
    ),
    "code was changed": ("speed * latency + speed**2", "speed * latency - speed**2", "the code"),
    "code is gone": ("```mermaid", "```", "the code"),
    "a formula was changed": ("$v = 1.2$", "$v = 1.3$", "the formula “$v = 1.3$” is not in the source"),
    "a link was changed": ("(./01-foundations/01-sensors.md)", "(https://example.org)", "the link"),
    "a heading's id was changed": ("{#why-humanoid}", "{#why}", "the heading's id"),
    "a heading was added": (
        "خطرے کا پیمانہ",
        "## نیا عنوان\n\nخطرے کا پیمانہ",
        "a heading of level 2 (“## نیا عنوان”)",
    ),
    "a paragraph was left out": ("یہ کتاب ایسی مشینوں", "", "where the source has"),
    "a list item is gone": ("- **توانائی محدود ہے۔**", "**توانائی محدود ہے۔**", "4 list items"),
    "a table row is gone": ("| قد | 1.5 سے 1.8 m |\n", "", "table"),
    "an expression was put in": ("خطرے کا پیمانہ", "{process.env} خطرے کا پیمانہ", "the tag or expression"),
    "a tag was put in": ("خطرے کا پیمانہ", "<script>alert(1)</script> خطرے کا پیمانہ", "the tag or expression"),
    "an import was put in": ("خطرے کا پیمانہ", "import x from 'y'\n\nخطرے کا پیمانہ", "an import"),
    "the title is gone": ('title: "Physical AI کیا ہے"\n', "", "the front matter has no title"),
    "the front matter is broken": ('title: "Physical', 'title: "Physical" "', "front matter is not valid YAML"),
}


@pytest.mark.parametrize("name", HOSTILE)
async def test_a_page_that_differs_from_its_chapter_is_refused_whole(desk_without_key: Desk, name: str) -> None:
    old, new, said = HOSTILE[name]
    shipped = SHIPPED_URDU.read_text(encoding="utf-8").replace("\u2066", "").replace("\u2069", "")
    if name == "a paragraph was left out":
        paragraph = next(part for part in shipped.split("\n\n") if part.startswith(old))
        old = f"{paragraph}\n\n"
    assert shipped.count(old) == 1
    file = desk_without_key.file(shipped.replace(old, new), "intro.md")
    with pytest.raises(CorrectionError) as refused:
        await desk_without_key.corrections.check(file, [URDU])
    assert all(line.startswith(f"{file.path}:") for line in refused.value.detail.splitlines())
    assert said in refused.value.detail
    assert desk_without_key.pipeline.rows("corrections") == 0


async def test_a_refusal_names_the_line(desk_without_key: Desk) -> None:
    lines = SHIPPED_URDU.read_text(encoding="utf-8").splitlines(keepends=True)
    number = next(n for n, line in enumerate(lines, start=1) if "{#embodiment}" in line)
    lines.insert(number - 1, "#### کچھ اور\n\n")
    file = desk_without_key.file("".join(lines), "intro.md")
    with pytest.raises(CorrectionError, match=rf"intro\.md:{number}: a heading of level 4"):
        await desk_without_key.corrections.check(file, [URDU])


@pytest.mark.parametrize(
    ("content", "said"),
    [(b"\xff\xfe\x00", "not UTF-8"), (b"a\0b", "NUL"), (b"", "the front matter has no title")],
)
async def test_what_is_no_text_is_refused(desk_without_key: Desk, content: bytes, said: str) -> None:
    with pytest.raises(CorrectionError, match=said):
        await desk_without_key.corrections.check(desk_without_key.file(content, "intro.md"), [URDU])


async def test_an_english_page_is_no_translation(desk_without_key: Desk) -> None:
    page = await desk_without_key.page("intro")
    text = page.text.replace("A chess program", "A program for chess")
    with pytest.raises(CorrectionError, match="it is not Urdu: 0%"):
        await desk_without_key.corrections.check(desk_without_key.file(text, "intro.md"), [URDU])


async def test_a_page_that_the_book_does_not_have_is_told_with_the_nearest(desk_without_key: Desk) -> None:
    file = desk_without_key.file(SHIPPED_URDU.read_text(encoding="utf-8"), "01-foundations/01-sensor.md")
    with pytest.raises(CorrectionError, match=r"Did you mean 01-foundations/01-sensors\.md"):
        await desk_without_key.corrections.check(file, [URDU])


async def test_a_link_to_a_page_is_not_followed(desk_without_key: Desk, tmp_path: Path) -> None:
    link = tmp_path / "intro.md"
    link.symlink_to(SHIPPED_URDU)
    with pytest.raises(CorrectionError, match="a link"):
        await desk_without_key.corrections.check(PageFile(link, "intro.md"), [URDU])


async def test_the_shipped_pages_pass_the_checks_that_the_models_text_has_to_pass() -> None:
    """People may do otherwise; what we ship does not."""
    tasks = AdaptationTasks(Settings())
    intro = next(chapter for chapter in read_book(SAMPLE_BOOK).chapters if chapter.chapter_id == "intro")
    targets: dict[Path, Target] = {SHIPPED_URDU: URDU, SHIPPED_BEGINNER: BEGINNERS[0]}
    for path, target in targets.items():
        task = tasks.task(target)
        body = split_front_matter(path.read_text(encoding="utf-8"))[1].strip() + "\n"
        pieces = [p for p in split_chapter(task.prepare(intro.content), intro.title) if p.role == "body"]
        for section in cut_page(pieces, without_isolates(body), target):
            masked = mask(section.piece.text)
            reply, unknown = as_reply(masked, section.text)
            assert task.problems(section.piece, masked, reply) + unknown == []


def _prose(page: str, number: int) -> str:
    """A paragraph of the page: nothing but words."""
    return [part for part in page.split("\n\n") if part[:1].isalpha() and len(part) > 100][number]
