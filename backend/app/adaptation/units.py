"""What belongs to a number: its unit, its per cent sign, the order of a range.

A unit may become a word of the language; it may not become another unit. Works on one masked block. Pure.
"""

import re
from collections.abc import Iterator

from backend.app.adaptation.numerals import western
from backend.app.textbook.masking import MARK

_WITH_PREFIX = "m g s Hz W V A J N B b bit Pa eV Wh Ω F H T K mol L l bar cal bps Bps Wb C"
_PREFIXES = ("", *"fpnµμumkKMGT")
_OTHERS = """
    cm dm cm² m² km² mm² m³ cm³ mm³ °C °F ° rpm fps dB dBm min h d t in ft lb oz mph km/h m/s m/s² rad/s deg/s rad deg
    KiB MiB GiB TiB g/cm³ kg/m³ N·m Nm kcal hp ppm px s/m bit/s kbit/s Mbit/s Gbit/s kB/s MB/s GB/s"""
_UNITS = frozenset([*(prefix + unit for unit in _WITH_PREFIX.split() for prefix in _PREFIXES), *_OTHERS.split()])
_SAME = str.maketrans({"μ": "µ", "u": "µ", "K": "k"})
_QUANTITY = re.compile(r"(?<![\w.,⟧])(\d+(?:[.,]\d+)*)[ \u00a0\u202f-]?([A-Za-zµμΩ°][A-Za-zµμΩ°·/²³]{0,7})(?![\w⟦])")
_PER_CENT = re.compile(
    r"\d[ \u00a0\u202f\u2069]*[%‰]|[%‰] ?\d|فیصد|فی صد|بالمئة|بالمائة|في المئة|في المائة|प्रतिशत|फ़?ीसदी|फीसदी"
    r"|\bpor ?ciento\b|\bpour ?cent(?:age)?s?\b|\bper ?cent(?:age)?s?\b|\bporcentaje",
    re.IGNORECASE,
)
_POWER = re.compile("[⁰¹²³⁴-⁹]")
_RANGE = re.compile(r"(?<![\d.,-])(\d+(?:\.\d+)?) ?- ?(\d+(?:\.\d+)?)(?![\d-])")


def unit_problems(source: str, reply: str) -> Iterator[str]:
    """What became of the units of a block's numbers."""
    ours, theirs = (western(MARK.sub("⟧", text)) for text in (source, reply))
    wanted, found = _quantities(ours), _quantities(theirs)
    for number, unit in sorted(found - wanted):
        others = [known for amount, known in wanted if amount == number]
        lost = [known for known in others if (number, known) not in found]
        if lost and not any(_begins(known, unit) for known in others):
            yield f"{number} {lost[0]} became {number} {unit}: units stay as they are."
            return
    if re.search(r"\d ?%", ours) and not _PER_CENT.search(theirs):
        yield "A number has lost its per cent sign."
    if powers := set(_POWER.findall(theirs)) - set(_POWER.findall(ours)):
        yield f"The raised {', '.join(sorted(powers))} is not in the piece."
    ranges = set(_RANGE.findall(ours))
    for low, high in _RANGE.findall(theirs):
        if (high, low) in ranges and (low, high) not in ranges:
            yield f"The range {low}-{high} is turned round: write {high}-{low}."


def _begins(unit: str, part: str) -> bool:
    """MB/s may be said as MB in each second."""
    return unit.startswith((f"{part}/", f"{part}·"))


def _quantities(text: str) -> set[tuple[str, str]]:
    return {
        (number.replace(",", ""), unit.translate(_SAME)) for number, unit in _QUANTITY.findall(text) if unit in _UNITS
    }
