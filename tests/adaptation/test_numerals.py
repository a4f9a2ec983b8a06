"""The numbers of a text are found again however its language writes them, and no other ones are."""

import pytest

from backend.app.adaptation.numerals import number_problems


@pytest.mark.parametrize(
    ("source", "reply"),
    [
        ("It has 16,384 steps of 0.022 degrees.", "اس کے 16,384 قدم 0.022 درجے کے ہیں۔"),
        ("It has 16,384 steps of 0.022 degrees.", "اس کے ۱۶٬۳۸۴ قدم ۰٫۰۲۲ درجے کے ہیں۔"),
        ("It has 16,384 steps.", "इसमें १६३८४ कदम हैं।"),
        ("At -5 V and −3 V, minus 2 in all.", "منفی 5 وولٹ، -3 وولٹ، کل −2۔"),
        ("From 10-20 Hz.", "10–20 Hz سے۔"),
        ("Version 2.4.1 of (0,1) and 1,2,3.", "(0,1) اور 1, 2, 3 کا نسخہ 2.4.1۔"),
        ("The 1st and the 22nd time.", "پہلی اور بائیسویں بار۔"),
        ("The 1st time.", "1 بار۔"),
        ("Two arms, twenty-five joints, three hundred parts.", "2 بازو، 25 جوڑ، 300 پرزے۔"),
        ("1. First 7\n2. Second 8", "1. پہلا 7\n1. دوسرا 8"),
        ("A factor of .5 at 5 100 Hz nodes.", "0.5 کا جزو، 5 عدد 100 Hz پر۔"),
        ("See ⟦C12⟧ and ⟦F3⟧.", "⟦F3⟧ اور ⟦C12⟧ دیکھیں۔"),
        (
            "Part II of the twentieth century, tenfold, in the nineties.",
            "20ویں صدی کا حصہ 2، 10 گنا، 90 کی دہائی میں۔",
        ),
        ("ROS 2 on H264.", "H264 پر ROS 2۔"),
        ("A book-5 and ⟦C1⟧-6 and (-7).", "किताबें-5 और ⟦C1⟧-6 और (-7)।"),
    ],
)
def test_the_same_numbers_are_no_problem(source: str, reply: str) -> None:
    assert number_problems(source, reply) == []


@pytest.mark.parametrize(
    ("source", "reply"),
    [
        ("It has 16,384 steps of 0.5.", "16.384 pasos de 0,5"),
        ("It has 16,384.", "16\u202f384"),
        ("1.5 of 2", "1.5 de 2"),
    ],
)
def test_spanish_and_french_may_write_a_decimal_comma(source: str, reply: str) -> None:
    assert number_problems(source, reply, comma_is_decimal=True) == []


@pytest.mark.parametrize(
    ("source", "reply", "told"),
    [
        ("Wait 10 s.", "20 سیکنڈ رکیں۔", {"10", "20"}),
        ("Wait 1.5 s.", "15 سیکنڈ رکیں۔", {"1.5", "15"}),
        ("Wait 1.5 s.", "1,5 سیکنڈ رکیں۔", {"1.5", "1,5"}),
        ("At -5 V.", "5 وولٹ پر۔", {"-5", "5"}),
        ("From 5 and 5.", "5 سے۔", {"5"}),
        ("From 5.", "5 اور 5 سے۔", {"5"}),
        ("Wait.", "97 بار رکیں۔", {"97"}),
        ("It has 2 arms.", "اس کے دو بازو ہیں۔", {"2"}),
        ("A robot has a mass.", "1 روبوٹ", {"1"}),
        ("It has 16,384 steps.", "16,385 قدم", {"16384", "16,385"}),
        ("Step 3 of 4.", "4 میں سے 2", {"3", "2"}),
    ],
)
def test_a_lost_or_changed_or_invented_number_is_named(source: str, reply: str, told: set[str]) -> None:
    problems = number_problems(source, reply)
    assert {word for word in " ".join(problems).replace(": ", " ").split() if word[-1].isdigit()} == told
