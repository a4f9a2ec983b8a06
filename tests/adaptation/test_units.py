"""A number keeps its unit, its per cent sign and the order of its range."""

import pytest

from backend.app.adaptation.units import unit_problems


@pytest.mark.parametrize(
    ("source", "reply"),
    [
        ("It takes 100 ms.", "اس میں 100 s لگتے ہیں۔"),
        ("It is 2 km long, 3 m wide.", "یہ 2 m لمبا اور 3 m چوڑا ہے۔"),
        ("At 20°C.", "20°F پر۔"),
        ("A foot of 1 kg, a step of 1 ms.", "1 GB کا پاؤں، 1 ms کا قدم۔"),
        ("About 1.3 % of them.", "ان میں سے تقریباً 1.3 حصے۔"),
        ("A density of 998 kg/m³.", "998 kg/m² کثافت۔"),
        ("In the range 10-20.", "20-10 کے درمیان۔"),
    ],
)
def test_another_unit_is_found(source: str, reply: str) -> None:
    assert list(unit_problems(source, reply))


@pytest.mark.parametrize(
    ("source", "reply"),
    [
        ("It takes 100 ms.", "اس میں 100 ms لگتے ہیں۔"),
        ("It takes 100 ms.", "اس میں 100 ملی سیکنڈ لگتے ہیں۔"),
        ("It takes 100ms and 3 s.", "اس میں 100 ms اور 3 s لگتے ہیں۔"),
        ("It sends 0.36 MB/s.", "یہ 0.36 MB فی سیکنڈ بھیجتا ہے۔"),
        ("A wire of 5 μm.", "5 µm کی تار۔"),
        ("About 1.3 % of them.", "ان میں سے تقریباً 1.3 فیصد۔"),
        ("About 50% of them.", "ان میں سے تقریباً ٪۵۰۔"),
        ("About 50% of them.", "El 50 por ciento."),
        ("3 nodes and 3 s.", "3 nodes اور 3 s۔"),
        ("In the range 10–20.", "10-20 کے درمیان۔"),
        ("A machine with 4 A and two B.", "4 A والی مشین۔"),
    ],
)
def test_a_unit_may_become_a_word(source: str, reply: str) -> None:
    assert list(unit_problems(source, reply)) == []
