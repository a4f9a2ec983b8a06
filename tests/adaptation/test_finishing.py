"""Pieces become a chapter: glosses at first use, the same in every chapter, isolates, and the title."""

import pytest

from backend.app.adaptation.bidi import LRI, PDI
from backend.app.adaptation.finishing import TranslationFinisher
from backend.app.adaptation.glossary import Glossary, load_glossary
from backend.app.adaptation.languages import LANGUAGES
from backend.app.adaptation.translation import TranslationTask
from backend.app.models.adaptation import Piece, TargetLanguage

GLOSSARY = Glossary({"robot": "خودکار مشین", "inertial measurement unit": "جمودی پیمائش", "IMU": "جمودی پیمائش"})


def finisher(language: TargetLanguage = "ur") -> TranslationFinisher:
    return TranslationFinisher("Title", LANGUAGES[language], GLOSSARY)


def finished(text: str, source: str = "") -> str:
    return finisher().add(Piece(source, ("Title",)), text)


@pytest.mark.parametrize(
    ("text", "expected"),
    {
        "at first use": ("ہر robot اور robot۔", "ہر robot (خودکار مشین) اور robot۔"),
        "a plural": ("سب robots یہاں۔", "سب robots (خودکار مشین) یہاں۔"),
        "behind emphasis": ("یہ **robot** ہے۔", "یہ **robot** (خودکار مشین) ہے۔"),
        "not between emphasis": ("یہ **robot ہے** نا۔", "یہ **robot (خودکار مشین) ہے** نا۔"),
        "before other emphasis": ("یہ robot *ہے*۔", "یہ robot (خودکار مشین) *ہے*۔"),
        "behind an abbreviation": (
            "یہ **inertial measurement unit (IMU)** ہے، IMU۔",
            "یہ **inertial measurement unit (IMU)** (جمودی پیمائش) ہے، IMU۔",
        ),
        "one gloss for a term and its abbreviation": (
            "یہ IMU اور inertial measurement unit ہے۔",
            "یہ IMU (جمودی پیمائش) اور inertial measurement unit ہے۔",
        ),
        "not in headings": ("## ہر robot\n\nہر robot ہے۔", "## ہر robot\n\nہر robot (خودکار مشین) ہے۔"),
        "not in setext headings": ("ہر robot\n---\n\nہر robot", "ہر robot\n---\n\nہر robot (خودکار مشین)"),
        "not in links": ("[ہر robot](./a.md) اور robot", "[ہر robot](./a.md) اور robot (خودکار مشین)"),
        "not in the titles of admonitions": (
            ":::tip[ہر robot]\nہر robot\n:::",
            ":::tip[ہر robot]\nہر robot (خودکار مشین)\n:::",
        ),
        "not in code": ("یہ `robot` ہے۔", f"یہ {LRI}`robot`{PDI} ہے۔"),
        "behind a phrase, which it does not part": (
            "یہ robot control system ہے، اور robot-based test۔",
            "یہ robot control system (robot: خودکار مشین) ہے، اور robot-based test۔",
        ),
        "behind a phrase of two terms": (
            "یہ robot IMU (test) ہے۔",
            "یہ robot IMU (robot: خودکار مشین؛ IMU: جمودی پیمائش) (test) ہے۔",
        ),
        "behind a phrase that ends with the term": ("یہ test robot ہے۔", "یہ test robot (خودکار مشین) ہے۔"),
        "behind a phrase in bold": ("یہ **robot test** ہے۔", "یہ **robot test** (robot: خودکار مشین) ہے۔"),
        "before the brackets of a phrase": (
            "یہ robot module (اختیاری) ہے۔",
            "یہ robot module (robot: خودکار مشین) (اختیاری) ہے۔",
        ),
        "in a list": ("- یہ robot\n- وہ robot", "- یہ robot (خودکار مشین)\n- وہ robot"),
        "in a table": ("| الف |\n|---|\n| robot |", "| الف |\n|---|\n| robot (خودکار مشین) |"),
    }.values(),
)
def test_glosses_stand_at_first_use(text: str, expected: str) -> None:
    assert finished(text) == expected


def test_a_gloss_of_the_models_own_is_replaced_and_later_left_out() -> None:
    text = "یہ robot (مشینی آدمی) ہے۔ وہ robot (مشینی آدمی) تھا۔"
    assert finished(text, "A robot is. That robot was.") == "یہ robot (خودکار مشین) ہے۔ وہ robot تھا۔"


def test_brackets_of_the_source_stay() -> None:
    text = "یہ robot (ایک مشین) ہے۔"
    assert finished(text, "A robot (a machine) is.") == "یہ robot (خودکار مشین) (ایک مشین) ہے۔"


def test_first_use_is_that_of_the_chapter_not_of_the_piece() -> None:
    chapter = finisher()
    piece = Piece("", ("Title",))
    assert chapter.add(piece, "یہ robot۔") == "یہ robot (خودکار مشین)۔"
    assert chapter.add(piece, "یہ robot۔") == "یہ robot۔"
    assert finisher().add(piece, "وہ robot۔") == "وہ robot (خودکار مشین)۔"


def test_what_people_wrote_gets_isolates_and_no_gloss_and_its_uses_count() -> None:
    chapter = finisher()
    piece = Piece("", ("Title",))
    assert chapter.keep(piece, "یہ robot -5 ہے۔") == f"یہ robot {LRI}-5{PDI} ہے۔"
    assert chapter.add(piece, "یہ robot اور IMU۔") == "یہ robot اور IMU (جمودی پیمائش)۔"


def test_isolates_are_for_scripts_from_right_to_left() -> None:
    piece = Piece("", ("Title",))
    assert finisher("ar").add(piece, "عند -5 °C") == f"عند {LRI}-5 °C{PDI}"
    assert finisher("hi").add(piece, "यह -5 °C") == "यह -5 °C"


def test_the_title_is_the_translated_one() -> None:
    chapter = finisher()
    assert chapter.title == "Title"
    assert chapter.add(Piece("# Title\n", ("Title",), "title"), "# عنوان\n") == ""
    assert chapter.add(Piece("", ("Title",)), "# دوسرا\n") == "# دوسرا\n"
    assert chapter.title == "عنوان"


def test_the_title_may_be_the_first_heading() -> None:
    chapter = finisher()
    chapter.add(Piece("", ("Title",)), "import X from './x';\n\n# عنوان `x` {#a}\n\nمتن")
    chapter.add(Piece("", ("Title",)), "# بعد میں\n")
    assert chapter.title == "عنوان x"


def test_the_same_term_has_the_same_gloss_in_two_chapters() -> None:
    task = TranslationTask("ur", load_glossary("ur"))
    chapters = ["ہر sensor اور lidar", "یہ **LiDAR** ہے، وہ sensors ہیں"]
    said = [task.finisher("T").add(Piece("", ("T",)), text) for text in chapters]
    for term in ("sensor", "lidar"):
        assert all(f"({task.glossary.glosses[term]})" in text for text in said)
