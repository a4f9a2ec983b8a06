"""What the text engine gives back is MDX to the real compiler, whenever the page that it came from is."""

import pytest

from backend.app.lifespan import SAMPLE_BOOK
from backend.app.textbook.docusaurus import read_book
from backend.app.textbook.masking import mask, unmask
from backend.app.textbook.pinning import name_definitions, pin_headings
from backend.app.textbook.sectioning import split_chapter
from backend.app.textbook.structure import differences
from tests.fixtures.mdx import MdxCompiler, pseudo_translated

pytestmark = pytest.mark.e2e


def adapted(content: str, title: str) -> str:
    """A chapter through the whole engine, with other words."""
    parts: list[str] = []
    for piece in split_chapter(content, title):
        masked = mask(piece.text)
        reply = pseudo_translated(masked.text)
        assert differences(masked.text, reply) == []
        parts += [unmask(reply, masked)] if piece.role == "body" else []
    return "".join(parts)


def test_the_sample_book_compiles_with_other_words(mdx: MdxCompiler) -> None:
    chapters = {chapter.source_path: chapter for chapter in read_book(SAMPLE_BOOK).chapters}
    pinned = {name: name_definitions(pin_headings(chapter.content)) for name, chapter in chapters.items()}
    assert mdx.broken({name: (chapter.content, chapter.content) for name, chapter in chapters.items()}) == {}
    assert all(page.error is None for page in mdx.compile(pinned, with_math=pinned).values())
    made = {name: (text, adapted(text, chapters[name].title)) for name, text in pinned.items()}
    assert mdx.broken(made) == {}
    assert all(source != other for source, other in made.values())


def test_the_compiler_sees_what_is_broken(mdx: MdxCompiler) -> None:
    page = "# A\n\n<details>\n\nText with `code`.\n\n</details>\n"
    found = mdx.broken(
        {
            "open": (page, page.replace("</details>", "")),
            "changed": (page, page.replace("`code`", "code")),
            "same": (page, page.replace("Text", "متن")),
            "no page": ("<a", "<b"),
        }
    )
    assert set(found) == {"open", "changed"}
