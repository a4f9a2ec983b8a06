"""Noise is told from the signs that languages are written with."""

import pytest

from backend.app.adaptation.garbling import garbled


@pytest.mark.parametrize(
    "reply",
    [
        "یہ اچھا ہے 🚀",
        "متن\ufe0f",
        "\u2800\u2800 متن",
        "ﺎﻣ متن",
        "The rоbot moves.",
        "می\u200c\u200cشود",
        "متن \u200c متن",
        "مـ\u0336\u0336\u0336\u0336\u0336تن",
        "اچھاااااااااااا",
        "بہت بہت بہت بہت بہت بہت بہت",
        "＜script＞",
        '"یہ اچھا ہے۔"',
        "“یہ اچھا ہے۔”",
    ],
)
def test_noise_is_found_unless_the_source_has_it(reply: str) -> None:
    assert list(garbled("It is good.", reply))
    assert list(garbled(reply, reply)) == []


@pytest.mark.parametrize(
    "reply",
    [
        "یہ می\u200cشود ہے، بہت بہت اچھا۔",
        "क्\u200dष और स्त्री, बहुत अच्छा है।",
        "عَرَبِيٌّ مُشَكَّلٌ",
        "ﷺ",
        "5 µm, Δx → ∞, 20 °C, ½, ₹ 5, © ™ №",
        "« C'est bon » et « ça aussi ».",
        '"Robot" یہاں ایک لفظ ہے۔',
    ],
)
def test_what_languages_need_is_no_noise(reply: str) -> None:
    assert list(garbled("It is good.", reply)) == []
