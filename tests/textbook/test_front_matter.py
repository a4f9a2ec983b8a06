"""Another title in a page's front matter, and nothing else changed."""

import pytest

from backend.app.textbook.front_matter import split_front_matter, with_title

TITLE = 'عنوان: "نیا"'
QUOTED = '"عنوان: \\"نیا\\""'


@pytest.mark.parametrize(
    ("block", "expected"),
    [
        ("---\ntitle: Old # mine\nslug: /x\n---\n", f"---\ntitle: {QUOTED} # mine\nslug: /x\n---\n"),
        ("---\nid: 012\ntitle: 'Old: one'\ndraft: no\n---\n", f"---\nid: 012\ntitle: {QUOTED}\ndraft: no\n---\n"),
        ("---\ntitle: >\n  Old\n  one\nid: a\n---\n", f"---\ntitle: {QUOTED}\nid: a\n---\n"),
        (
            "---\ntags: [title]\nmore:\n  title: x\n---\n",
            f"---\ntitle: {QUOTED}\ntags: [title]\nmore:\n  title: x\n---\n",
        ),
        ("", f"---\ntitle: {QUOTED}\n---\n\n"),
        ("---\n---\n", f"---\ntitle: {QUOTED}\n---\n"),
    ],
)
def test_the_title_is_another_one_and_all_else_is_as_written(block: str, expected: str) -> None:
    assert with_title(block, TITLE, add=True) == expected
    assert split_front_matter(expected)[0]["title"] == TITLE


@pytest.mark.parametrize("block", ["", "---\nslug: /x\n---\n", "---\na: b: c\n---\n", "---\n- a\n---\n"])
def test_a_page_that_needs_no_title_gets_none_and_a_broken_block_stays(block: str) -> None:
    assert with_title(block, TITLE, add=False) == block
    if "b: c" in block or "- a" in block:
        assert with_title(block, TITLE, add=True) == block
