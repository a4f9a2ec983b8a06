"""Whatever a frontend calls a chapter, the same chapter is found, and never a wrong one."""

import pytest

from backend.app.errors import UnknownChapter
from backend.app.models.domain import Chapter, ChapterId, ChapterSummary
from backend.app.services.chapter_service import ChapterService, nearest_ids, resolve_reference
from backend.app.services.db_service import DBService


def _chapter(chapter_id: str, url: str) -> ChapterSummary:
    return ChapterSummary(ChapterId(chapter_id), chapter_id, url, "", 0)


BOOK = [
    _chapter("intro", "/docs/intro"),
    _chapter("module-1/overview", "/docs/module-1/overview"),
    _chapter("module-1/nodes", "/docs/module-1/ros2-nodes"),
    _chapter("module-2/overview", "/docs/module-2/overview"),
    _chapter("topic/اردو", "/docs/topic/اردو"),
    _chapter("Module Two/README", "/docs/Module Two/"),
]


@pytest.mark.parametrize(
    ("reference", "expected"),
    [
        ("module-1/nodes", "module-1/nodes"),
        ("/docs/module-1/ros2-nodes", "module-1/nodes"),
        ("docs/module-1/ros2-nodes/", "module-1/nodes"),
        ("/my-site/docs/module-1/ros2-nodes", "module-1/nodes"),
        ("/ur/my-site/docs/module-1/ros2-nodes", "module-1/nodes"),
        ("https://book.example/docs/module-1/ros2-nodes#what?x=1", "module-1/nodes"),
        ("module-1/ros2-nodes", "module-1/nodes"),
        ("module-1-nodes", "module-1/nodes"),
        ("01-module-1/02-nodes.mdx", "module-1/nodes"),
        ("nodes", "module-1/nodes"),
        ("Nodes", "module-1/nodes"),
        ("intro.md", "intro"),
        ("topic/%D8%A7%D8%B1%D8%AF%D9%88", "topic/اردو"),
        ("docs/Module%20Two", "Module Two/README"),
    ],
)
def test_a_chapter_is_found_by_every_name_that_frontends_use(reference: str, expected: str) -> None:
    assert resolve_reference(reference, BOOK) == expected


@pytest.mark.parametrize(
    "reference",
    ["overview", "", "/", "docs", "../intro", "module-3/nodes", "a/b/c/docs/intro", "custom-1732", "nodes'--", "%00"],
)
def test_a_name_that_fits_no_chapter_or_two_leads_to_none(reference: str) -> None:
    assert resolve_reference(reference, BOOK) is None


@pytest.mark.parametrize(
    ("reference", "expected"),
    [
        ("overview", ["module-1/overview", "module-2/overview"]),
        ("module-1/overveiw.md", ["module-1/overview", "module-2/overview"]),
        ("/docs/module-3/nodes", ["module-1/nodes"]),
        ("node", ["module-1/nodes"]),
        ("INTROO", ["intro"]),
        ("", []),
        ("custom-1732150000000", []),
        ("x" * 2_000, []),
        ("module-1/" * 200 + "nodes", []),
    ],
)
def test_the_nearest_chapters_are_told_the_likeliest_first(reference: str, expected: list[str]) -> None:
    assert nearest_ids(reference, BOOK)[: len(expected) or None] == expected


def test_no_more_than_three_chapters_are_named() -> None:
    book = [_chapter(f"part-{number}/overview", f"/docs/part-{number}/overview") for number in range(20)]
    assert nearest_ids("overview", book) == ["part-0/overview", "part-1/overview", "part-2/overview"]


@pytest.mark.anyio
async def test_in_a_body_an_exact_id_is_what_it_says_and_a_doubtful_name_is_refused(db: DBService) -> None:
    """Also where the pages of two chapters bear each other's ids."""
    await db.replace_chapters(
        [
            Chapter(ChapterId(each), each, f"/docs/{url}", "", 0, "", each, f"{each}.md")
            for each, url in (("a", "b"), ("b", "a"))
        ]
    )
    chapters = ChapterService(db)
    assert [(await chapters.choose_chapter(each)).chapter_id for each in ("a", "b")] == ["a", "b"]
    assert (await chapters.choose_chapter("docs/a")).chapter_id == "b"
    with pytest.raises(UnknownChapter) as refused:
        await chapters.choose_chapter("A")
    assert refused.value.nearest == ("a",)
