"""What a good model wraps around its text is taken away, and nothing else is."""

import pytest

from backend.app.adaptation.replies import text_of

TEXT = "# ذہن\n\nیہ ⟦C1⟧ ہے۔\n"


@pytest.mark.parametrize(
    "reply",
    [
        TEXT,
        f"```markdown\n{TEXT}```",
        f"\n```\n{TEXT}```\n",
        f"<piece>\n{TEXT}</piece>",
        f"```md\n<piece>\n{TEXT}</piece>\n```\n",
        f"\ufeff{TEXT}".replace("⟦C1⟧", "\u2066⟦C1⟧\u2069\u200f"),
    ],
)
def test_the_text_is_found(reply: str) -> None:
    assert text_of(reply, "# Mind\n\nThis is ⟦C1⟧.\n").strip() == TEXT.strip()


@pytest.mark.parametrize(
    "reply",
    [
        f"Here it is:\n```\n{TEXT}```",
        f"```\n{TEXT}",
        f"```\n{TEXT}```\n{TEXT}```\n{TEXT}```",
        f"<piece>{TEXT}</piece>{TEXT}</piece>",
        TEXT.replace("ہے", "\u202eہے"),
        TEXT.replace("ہے", "ہ\u200bے"),
    ],
)
def test_all_else_is_left_to_the_checks(reply: str) -> None:
    assert text_of(reply, "") == reply


def test_digits_become_those_of_the_source() -> None:
    assert text_of("۱٬۶٣٫५ x²", "") == "1٬63٫5 x²"


def test_what_the_source_has_itself_stays() -> None:
    assert text_of("a\u200eb\u00ad", "a\u200e") == "a\u200eb"
