"""Where translated pages lie, what is read of them, and that nothing is written elsewhere."""

from pathlib import Path

import pytest

from backend.app.errors import CorrectionError
from backend.app.textbook.site_files import (
    PageFile,
    find_pages,
    find_translations,
    read_page,
    translated_docs,
    write_page,
)


@pytest.fixture
def site(tmp_path: Path) -> Path:
    docs = translated_docs(tmp_path / "site" / "i18n", "ur")
    write_page(docs, "intro.md", "سلام\n")
    write_page(docs, "01-first/02-second.mdx", "دوسرا\n")
    (docs / "_part.md").write_text("not a page")
    return tmp_path / "site"


def test_the_pages_are_found_from_any_folder_of_the_layout(site: Path) -> None:
    docs = translated_docs(site / "i18n", "ur")
    found = [PageFile(docs / path, path) for path in ("01-first/02-second.mdx", "intro.md")]
    for given in (site, site / "i18n", site / "i18n" / "ur", docs):
        assert find_translations(given, "ur") == found
    assert find_translations(docs / "01-first", "ur") == found[:1]
    assert find_translations(docs / "intro.md", "ur") == found[1:]


@pytest.mark.parametrize("below", ["", "i18n", "i18n/ur", "i18n/ur/docusaurus-plugin-content-docs/current/intro.md"])
def test_pages_of_another_language_are_refused_by_its_name(site: Path, below: str) -> None:
    with pytest.raises(CorrectionError, match="--language ur"):
        find_translations(site / below, "fr")


def test_a_folder_without_pages_is_told(tmp_path: Path) -> None:
    with pytest.raises(CorrectionError, match="i18n/ur/docusaurus-plugin-content-docs/current"):
        find_translations(tmp_path, "ur")
    with pytest.raises(CorrectionError, match="no page"):
        find_pages(tmp_path)
    with pytest.raises(CorrectionError, match="There is no"):
        find_pages(tmp_path / "nothing")


def test_links_are_told_and_not_followed(site: Path, tmp_path: Path) -> None:
    docs = translated_docs(site / "i18n", "ur")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "a.md").write_text("a")
    (docs / "linked").symlink_to(tmp_path / "elsewhere")
    (docs / "page.md").symlink_to(tmp_path / "elsewhere" / "a.md")
    found = find_translations(site, "ur")
    assert {file.source_path for file in found} == {"01-first/02-second.mdx", "intro.md", "linked", "page.md"}
    for file in found[2:]:
        with pytest.raises(CorrectionError, match="a link"):
            read_page(file.path)


@pytest.mark.parametrize("path", ["../outside.md", "a/../../outside.md", "/outside.md"])
def test_nothing_is_written_outside_of_the_folder(tmp_path: Path, path: str) -> None:
    root = tmp_path / "root"
    root.mkdir()
    with pytest.raises(CorrectionError, match="outside"):
        write_page(root, path, "x")
    (root / "linked").symlink_to(tmp_path)
    with pytest.raises(CorrectionError, match="outside"):
        write_page(root, "linked/outside.md", "x")
    assert not (tmp_path / "outside.md").exists()


def test_a_page_is_written_whole_over_another_one_and_leaves_no_rest(tmp_path: Path) -> None:
    write_page(tmp_path, "a/b.md", "first\n")
    write_page(tmp_path, "a/b.md", "دوسرا\n")
    assert (tmp_path / "a" / "b.md").read_bytes() == "دوسرا\n".encode()
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["b.md"]
    (tmp_path / "file").write_text("x")
    with pytest.raises(CorrectionError, match="cannot be written"):
        write_page(tmp_path, "file/b.md", "x")


def test_a_page_is_read_as_text_with_line_feeds(tmp_path: Path) -> None:
    path = tmp_path / "a.md"
    path.write_bytes(b"\xef\xbb\xbfone\r\ntwo\rthree\n")
    assert read_page(path) == "one\ntwo\nthree\n"
