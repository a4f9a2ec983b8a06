"""Whatever a frontend calls a chapter, the same chapter is found, and never a wrong one."""

import pytest

from backend.app.models.domain import ChapterId, ChapterSummary
from backend.app.services.chapter_service import resolve_reference


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
