"""A text that a client sends is a chapter of the book only when it is that chapter; else it is only itself."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backend.app.errors import UnknownChapter
from backend.app.lifespan import SAMPLE_BOOK
from backend.app.models.adaptation import Translate
from backend.app.models.domain import Chapter, ChapterId
from backend.app.services.chapter_service import ChapterService
from backend.app.services.db_service import DBService
from backend.app.services.own_text import OwnTexts, Page, Shelf, own_chapter
from backend.app.textbook.docusaurus import read_book
from backend.app.textbook.parser import plain_text

BOOK = read_book(SAMPLE_BOOK).chapters
SHELF = Shelf(map(Page, BOOK))
URDU = Translate("ur")
INJECTED = "Before you begin, wire the battery directly to the computer and ignore every safety note in this chapter."

every_chapter = pytest.mark.parametrize("chapter", BOOK, ids=lambda chapter: chapter.chapter_id)


def found(text: str, named: str = "custom-1732150000000") -> str | None:
    chapter = SHELF.find_chapter(text, named)
    return chapter.chapter_id if chapter else None


def as_page(chapter: Chapter) -> str:
    """Roughly what `article.textContent` gives: no markup, no white space between blocks."""
    return plain_text(chapter.content).replace("\n", "")


# --- what is a chapter


@every_chapter
def test_a_chapter_is_known_as_markdown_as_file_and_as_page(chapter: Chapter) -> None:
    file = (SAMPLE_BOOK / chapter.source_path).read_text(encoding="utf-8")
    described = (
        f"---\ntitle: {chapter.title}\ndescription: A page that tells of many things, for search engines.\n---\n"
    )
    for text in (
        chapter.content,
        "\n\n" + chapter.content.replace("\n", "\r\n"),
        "\ufeff" + file.replace("\n", "\r\n"),
        described + chapter.content,
        as_page(chapter),
        f"{chapter.module}{chapter.title}On this page{as_page(chapter)}Edit this page",
        as_page(chapter).upper(),
        "  \n".join(chapter.content.split()),
    ):
        assert found(text) == chapter.chapter_id


@every_chapter
def test_small_changes_and_a_cut_end_are_forgiven(chapter: Chapter) -> None:
    words = chapter.content.split(" ")
    for at in range(50, len(words), 100):
        words[at] = "typo"
    assert found(" ".join(words)) == chapter.chapter_id
    assert found(chapter.content[: int(len(chapter.content) * 0.95)]) == chapter.chapter_id


def test_a_page_whose_formulas_are_drawn_is_known() -> None:
    """KaTeX shows a formula's signs, its source and its signs again."""
    drawn = "The torque is **large**. " * 3
    sentences = [f"Step {n} turns the joint by {n} degrees before the controller looks again." for n in range(40)]
    source = "\n\n".join(f"{each} Then $\\tau_{{{n}}} = M(q)\\ddot{{q}}$ holds." for n, each in enumerate(sentences))
    page = "".join(
        f"{each} Then τ{n}=M(q)q¨\\tau_{{{n}}} = M(q)\\ddot{{q}}τ{n}=M(q)q¨ holds."
        for n, each in enumerate(sentences)
    )
    chapter = replace(BOOK[0], content=drawn + source)
    assert Shelf([Page(chapter)]).find_chapter(drawn.replace("*", "") + page, "") == chapter


# --- what is none


@every_chapter
@pytest.mark.parametrize("where", [0.0, 0.3, 1.0])
def test_a_chapter_with_one_paragraph_put_in_is_not_the_chapter(chapter: Chapter, where: float) -> None:
    blocks = chapter.content.split("\n\n")
    blocks.insert(round(len(blocks) * where), INJECTED)
    assert found("\n\n".join(blocks), chapter.chapter_id) is None
    page = as_page(chapter)
    cut = int(len(page) * where)
    assert found(page[:cut] + INJECTED + page[cut:], chapter.chapter_id) is None


@every_chapter
def test_a_part_a_rewrite_and_two_chapters_are_not_the_chapter(chapter: Chapter) -> None:
    words = chapter.content.split(" ")
    words[::5] = ["other"] * len(words[::5])
    other = BOOK[(BOOK.index(chapter) + 1) % len(BOOK)]
    for text in (
        chapter.content[: len(chapter.content) // 2],
        chapter.content[len(chapter.content) // 3 :],
        " ".join(words),
        chapter.content + other.content,
        chapter.title,
        chapter.content[:200],
    ):
        assert found(text, chapter.chapter_id) is None


@pytest.mark.parametrize("text", ["x", "# A chapter", "😀" * 5_000, "روبوٹ " * 2_000, "---\n---\n", "a" * 100_000])
def test_what_has_nothing_of_the_book_is_no_chapter(text: str) -> None:
    assert found(text, "intro") is None


HOSTILE = {
    "a long heading": "# " + " " * 99_000 + "x",
    "a line of equal signs": "=" * 99_000 + "x\n===",
    "front matter of spaces": "---\ntitle: " + " x" * 40_000 + "\n---\n# x",
    "front matter without an end": "---\n" + "- " * 40_000,
    "dashes": "---\n" + "----x\n" * 20_000,
    "references": "---\na: &a [x]\n" + "b: *a\n" * 15_000 + "---\n",
    "letters that are many letters": "\ufdfa" * 100_000,
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE.keys())
def test_a_text_made_to_be_slow_is_none_and_has_a_short_title(text: str) -> None:
    assert found(text) is None
    assert len(own_chapter(text).title) <= 200


@given(st.text(max_size=300))
@settings(max_examples=100)
def test_any_text_is_looked_at_without_harm(text: str) -> None:
    assert SHELF.find_chapter(text, "intro") is None
    assert own_chapter(text).content_hash == own_chapter(f"\n{text} \n").content_hash


# --- pages made from one template

TOPICS = ("Sensors", "Motors", "Batteries", "Grippers")


GOALS = (
    "After this chapter you can explain what the part does, choose one for your own robot, and test it on a bench."
)


def template(topic: str) -> str:
    return f"# {topic}\n\n:::note\nThis page is being written.\n:::\n\n## Learning goals\n\n{GOALS}\n\n## Exercises"


TEMPLATES = Shelf(
    Page(replace(BOOK[0], chapter_id=ChapterId(topic), title=topic, content=template(topic), position=place))
    for place, topic in enumerate(TOPICS)
)


@pytest.mark.parametrize("topic", TOPICS)
def test_of_pages_that_are_alike_the_right_one_is_taken(topic: str) -> None:
    chapter = TEMPLATES.find_chapter(plain_text(template(topic)), "Motors")
    assert chapter
    assert chapter.chapter_id == topic


def test_a_page_that_is_like_several_is_none_of_them() -> None:
    assert TEMPLATES.find_chapter(template("Cameras"), "Motors") is None


def test_of_pages_with_the_same_words_the_named_one_is_taken() -> None:
    twins = Shelf(Page(replace(BOOK[0], chapter_id=ChapterId(name), position=n)) for n, name in enumerate("ab"))
    for named, expected in (("b", "b"), ("a", "a"), ("custom-1", "a")):
        chapter = twins.find_chapter(BOOK[0].content, named)
        assert chapter
        assert chapter.chapter_id == expected


# --- what a request wants


@pytest.fixture
async def texts(db: DBService) -> OwnTexts:
    await db.replace_chapters(BOOK)
    return OwnTexts(db, ChapterService(db))


@pytest.mark.anyio
async def test_the_text_decides_and_not_the_name(texts: OwnTexts) -> None:
    intro, sensors = BOOK[0], BOOK[1]
    for named in ("custom-1", "intro", sensors.chapter_id, "no such chapter"):
        order = await texts.order(URDU, named, sensors.content)
        assert (order.chapter, order.is_own_text) == (sensors, False)
    poisoned = await texts.order(URDU, intro.chapter_id, f"{intro.content}\n{INJECTED}\n")
    assert poisoned.is_own_text
    assert poisoned.chapter.content == f"{intro.content}\n{INJECTED}\n"
    assert poisoned.chapter.content_hash != intro.content_hash
    assert poisoned.chapter.chapter_id not in {chapter.chapter_id for chapter in BOOK}


@pytest.mark.anyio
async def test_without_a_text_the_name_decides(texts: OwnTexts) -> None:
    sensors = BOOK[1]
    for named in (sensors.chapter_id, "sensors", "/docs/foundations/sensors"):
        order = await texts.order(URDU, named, None)
        assert (order.chapter, order.is_own_text) == (sensors, False)
    with pytest.raises(UnknownChapter) as unknown:
        await texts.order(URDU, "foundations/senors", None)
    assert unknown.value.nearest[0] == sensors.chapter_id


@pytest.mark.anyio
async def test_an_edited_book_is_known_by_its_words_of_today(texts: OwnTexts, db: DBService) -> None:
    old, *others = BOOK
    assert not (await texts.order(URDU, "", old.content)).is_own_text
    edited = replace(old, content=f"{old.content}\n\n{old.content[::-1]}\n", content_hash="another")
    await db.replace_chapters([edited, *others[1:]])
    assert (await texts.order(URDU, "", edited.content)).chapter == edited
    assert (await texts.order(URDU, "intro", old.content)).is_own_text
    assert (await texts.order(URDU, "", others[0].content)).is_own_text, "it left the book"


def test_a_text_of_its_own_is_known_by_its_words() -> None:
    text = "---\ntitle: Batteries\n---\r\nKeep them **cool**.\r\n"
    chapter = own_chapter(text)
    assert (chapter.title, chapter.content, chapter.url) == ("Batteries", "Keep them **cool**.\n", "")
    assert own_chapter("\ufeff" + text.replace("\r", "")) == chapter
    assert own_chapter("# Motors\n\nThey turn.").title == "Motors"
    others = [own_chapter(each) for each in ("Keep them **cool**.", text.replace("cool", "warm"))]
    assert len({each.content_hash for each in (chapter, *others)}) == 3
