"""`translations export` and `import` as an owner uses them."""

import re
from pathlib import Path

import pytest

from backend.app.lifespan import SAMPLE_BOOK
from backend.app.textbook.site_files import translated_docs
from tests.fixtures.processes import OwnSettings, as_environment, run

SHIPPED = translated_docs(SAMPLE_BOOK.parent / "i18n", "ur") / "intro.md"
SENTENCE = "خطرے کا پیمانہ توانائی ہے۔"


def files_below(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_teacher_corrects_a_sentence(own_settings: OwnSettings, tmp_path: Path) -> None:
    """On the book of a first start, which has one chapter in Urdu; without a key."""
    settings = as_environment(own_settings())
    site = tmp_path / "i18n"
    export = ("translations", "export", "--language", "ur", "--out", str(site))
    code, out, _ = run(*export, "--missing", **settings)
    assert code == 0
    assert "1 of 6 pages; 1 are translated" in out
    assert "foundations/sensors" in out
    page = translated_docs(site, "ur") / "intro.md"
    assert page.read_bytes() == SHIPPED.read_bytes()

    assert run(*export, "--fill", **settings)[0] == 0
    written = files_below(site)
    assert len(written) == 6
    assert run(*export, "--fill", **settings)[0] == 0
    assert files_below(site) == written

    corrected = page.read_text(encoding="utf-8").replace(SENTENCE, "خطرہ توانائی سے ناپا جاتا ہے۔")
    page.write_text(corrected, encoding="utf-8")
    code, out, err = run("translations", "import", str(site), **settings)
    assert (code, err) == (0, "")
    assert re.search(r"intro\.md: \d+ sections as people wrote them, 1 of them new or changed; served", out)
    assert out.count("not translated, left out") == 5
    assert run(*export, "--fill", **settings)[0] == 0
    assert page.read_text(encoding="utf-8") == corrected

    broken = corrected.replace("$P$", "$Q$")
    page.write_text(broken, encoding="utf-8")
    code, out, err = run("translations", "import", str(page), **settings)
    assert code == 1
    assert "“$Q$” is not in the source" in err
    assert "nothing of them was stored" in err
    code, out, _ = run(*export, **settings)
    assert code == 1
    assert "were edited" in out
    assert page.read_text(encoding="utf-8") == broken
    assert run(*export, "--force", **settings)[0] == 0
    assert page.read_text(encoding="utf-8") == corrected


@pytest.mark.parametrize(
    "arguments",
    [
        ("export", "--language", "xx"),
        ("import", "x", "--language", "xx"),
        ("import", "x", "--level", "expert"),
        ("import", "x", "--level", "beginner", "--hardware", "toaster"),
        ("import", "x", "--hardware", "gpu"),
    ],
)
def test_unknown_names_are_wrong_usage(arguments: tuple[str, ...]) -> None:
    code, _, err = run("translations", *arguments)
    assert code == 2
    assert "Traceback" not in err


def test_a_path_without_pages_is_one_line(tmp_path: Path) -> None:
    code, out, err = run("translations", "import", str(tmp_path))
    assert (code, out) == (1, "")
    assert len(err.splitlines()) == 1
    assert "i18n/ur/docusaurus-plugin-content-docs/current" in err
