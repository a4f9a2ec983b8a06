"""What would be scrambled between words from right to left is isolated, and nothing else is touched."""

import pytest

from backend.app.adaptation.bidi import LRI, PDI, isolate
from backend.app.textbook.masking import mask, unmask


def shown(text: str) -> str:
    return isolate(text).replace(LRI, "<").replace(PDI, ">")


@pytest.mark.parametrize(
    ("text", "expected"),
    {
        "inline code": ("کوڈ ⟦C1⟧ ہے", "کوڈ <⟦C1⟧> ہے"),
        "a formula and its unit": ("قدر ⟦F1⟧ m ہے", "قدر <⟦F1⟧ m> ہے"),
        "a sign": ("درجہ -5 ہے", "درجہ <-5> ہے"),
        "a unit": ("رفتار 9.81 m/s² ہے", "رفتار <9.81 m/s²> ہے"),
        "a range": ("شرح 10-20 Hz ہے", "شرح <10-20 Hz> ہے"),
        "a percentage": ("حصہ 50% ہے", "حصہ <50%> ہے"),
        "letters and numbers": ("یہ ROS 2 ہے", "یہ <ROS 2> ہے"),
        "signs at an end": ("زبان C++ اور C# ہے", "زبان <C++> اور <C#> ہے"),
        "a number that ends with a sign, and its unit": ("شرح 1000+ Hz ہے", "شرح <1000+ Hz> ہے"),
        "calls": ("یہ get_it().now() اور run() ہے", "یہ <get_it().now()> اور <run()> ہے"),
        "money": ("قیمت ⟦X1⟧10K-⟦X2⟧500K+ ہے", "قیمت <⟦X1⟧10K-⟦X2⟧500K+> ہے"),
        "in bold": ("یہ **5 m** ہے", "یہ **<5 m>** ہے"),
        "in a cell": ("| شرح | 10-20 Hz |", "| شرح | <10-20 Hz> |"),
        "behind list markers": ("1. قدر -5\n- قدر -6", "1. قدر <-5>\n- قدر <-6>"),
    }.values(),
)
def test_isolates_what_would_be_scrambled(text: str, expected: str) -> None:
    assert shown(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "یہ robot ہے",
        "یہ neural network ہے",
        "یہ client/server ہے",
        "سال 2024 میں 16,384 اور 0.5",
        "[متن](⟦L1⟧)",
        "⟦L1⟧ اور ⟦I2⟧ اور ⟦E3⟧",
        "## عنوان ⟦H1⟧",
        "1. قدم\n2. قدم",
        "|---|:--:|",
        "⟦A1⟧عنوان⟦X2⟧",
        f"پہلے سے {LRI}-5{PDI}",
    ],
)
def test_leaves_everything_else_as_it_is(text: str) -> None:
    assert isolate(text) == text


@pytest.mark.parametrize(
    "page",
    [
        "قیمت ($10K-$500K+ فی robot) اور $5 اور $x$ ہے۔",
        "`x` اور [ROS 2](./a.md#b) اور ![5 m](./a.png) اور https://example.org/a-5 ہے۔",
        ":::tip[ROS 2 کے 5 m]\nمتن\n:::",
        '### قدم 5 m {#step-5}\n\n<Tabs>\n<TabItem value="a 5">\n\n- 5 m\n\n</TabItem>\n</Tabs>\n',
        "\\*5 m\\* اور &lt;5 اور a\\_5 ہے",
    ],
)
def test_no_isolate_changes_what_is_program(page: str) -> None:
    before = mask(page)
    after = mask(unmask(isolate(before.text), before))
    assert [each.source for each in after.masks] == [each.source for each in before.masks]
