"""What is left out is found by counting, and joined sentences are not."""

from backend.app.adaptation.checks import Pair
from backend.app.adaptation.omissions import omissions

SOURCE = (
    "The arm stops when it meets a wall. A heavy arm moves slowly. It needs more force than a light one. "
    "The motor becomes warm after some time. A fan cools it."
)
WHOLE = (
    "بازو دیوار سے ٹکرا کر رک جاتا ہے۔ بھاری بازو آہستہ چلتا ہے۔ اسے ہلکے بازو سے زیادہ قوت چاہیے۔ "
    "موٹر کچھ دیر بعد گرم ہو جاتی ہے۔ پنکھا اسے ٹھنڈا کرتا ہے۔"
)


def found(source: str, reply: str, name: str = "paragraph") -> list[str]:
    return list(omissions([Pair(source, reply, name)]))


def test_a_whole_paragraph_is_accepted_also_in_fewer_sentences() -> None:
    assert found(SOURCE, WHOLE) == []
    assert found(SOURCE, WHOLE.replace("۔ ", "، اور ")) == []


def test_half_of_the_sentences_are_missed() -> None:
    assert found(SOURCE, "۔ ".join(WHOLE.split("۔ ")[:2]) + "۔")


def test_an_ellipsis_is_no_end() -> None:
    assert found(SOURCE, WHOLE[:-20] + "…")
    assert found(SOURCE + "..", WHOLE + "..") == []


def test_a_cell_of_a_dash_has_lost_its_words() -> None:
    assert found("Steel", "—", "td")
    assert found("—", "—", "td") == []
    assert found("Steel", "⟦C1⟧", "td")


def test_two_paragraphs_with_the_words_of_one_are_found() -> None:
    assert list(omissions([Pair(SOURCE, WHOLE, "paragraph"), Pair("Something else is here.", WHOLE, "paragraph")]))
    assert list(omissions([Pair(SOURCE, WHOLE, "paragraph"), Pair(SOURCE, WHOLE, "paragraph")])) == []
