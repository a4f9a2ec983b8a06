"""The pages that the sample book ships are MDX to the real compiler."""

import pytest

from backend.app.lifespan import SAMPLE_BOOK
from backend.app.textbook.docusaurus import read_book
from backend.app.textbook.front_matter import split_front_matter
from backend.app.textbook.pinning import name_definitions, pin_headings
from backend.app.textbook.site_files import find_pages, find_translations, read_page
from tests.fixtures.mdx import MdxCompiler

pytestmark = pytest.mark.e2e


def test_they_compile_and_the_translation_is_built_as_its_source(mdx: MdxCompiler) -> None:
    sources = {
        chapter.source_path: name_definitions(pin_headings(chapter.content))
        for chapter in read_book(SAMPLE_BOOK).chapters
    }
    translated = {
        file.source_path: split_front_matter(read_page(file.path))[1]
        for file in find_translations(SAMPLE_BOOK.parent / "i18n", "ur")
    }
    assert mdx.broken({path: (sources[path], text) for path, text in translated.items()}) == {}
    levels = {
        file.source_path: split_front_matter(read_page(file.path))[1]
        for file in find_pages(SAMPLE_BOOK.parent / "levels" / "beginner")
    }
    pages = {**{f"ur/{path}": text for path, text in translated.items()}, **levels}
    assert len(pages) >= 2
    assert [name for name, page in mdx.compile(pages, with_math=pages).items() if page.error] == []
