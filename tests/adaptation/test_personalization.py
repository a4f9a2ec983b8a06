"""What is accepted of a text for a level: the same chapter, more fit for its readers, and nothing made up."""

from collections import Counter
from itertools import product
from pathlib import Path

import pytest

from backend.app.adaptation import fidelity
from backend.app.adaptation.glossary import Glossary
from backend.app.adaptation.personalization import PersonalizationTask, PersonalizedChapter
from backend.app.adaptation.readability import measure
from backend.app.adaptation.references import invented_references
from backend.app.adaptation.requests import section_key
from backend.app.models.adaptation import Change, Piece
from backend.app.models.domain import Hardware, Level
from backend.app.textbook.docusaurus import read_book
from backend.app.textbook.masking import MARK, MaskedText, mask, unmask
from backend.app.textbook.sectioning import split_chapter
from tests.fakes import adapters

SAMPLE_BOOK = Path(__file__).parents[2] / "backend/app/sample_book/docs"
MODEL = "claude-haiku-5-5"
GLOSSARY = Glossary({"latency": "تاخیر", "joint": "جوڑ", "sensor": "سینسر", "topic": "موضوع"})
LEVELS: tuple[Level, ...] = ("beginner", "intermediate", "advanced")
OCCASIONS = 8  # of each bad adapter, spread over the book and the levels

TEXT = """## Joint encoders {#encoders}

An **encoder** is a sensor that measures the rotation angle of a shaft, and it divides one turn into 16,384 steps of
equal size, see [kinematics](./kinematics.md). The position of the joint looks precise, but velocity is another
matter, because it is computed as the difference of two readings.

- **Absolute.** It knows its angle as soon as it is switched on, whatever happened before in `boot()`.
- **Incremental.** It counts steps from an unknown start, so that the joint has to be moved to a reference position.

Filtering makes the estimate smoother and adds a latency of 20 ms, which a balance controller notices immediately when
the robot walks quickly over uneven ground and has to correct its posture several times.
"""
PIECE = Piece(TEXT, ("Sensors", "Joint encoders"))
MASKED = mask(TEXT)
GOOD = """## Joint encoders ⟦H1⟧

An **encoder** is a sensor. It measures how far a shaft has turned. One turn has 16,384 steps, all of the same size.
See [kinematics](⟦L2⟧).

> **Definition:** A shaft is a round bar that turns.

The position of the joint looks right. But velocity is another matter. It is the difference of two readings.

- **Absolute.** It knows its angle as soon as it is switched on. What happened before in ⟦C3⟧ does not matter.
- **Incremental.** It counts steps from an unknown start. So the joint first has to be moved to a reference position.

> **Example:** Think of a lift that was cut off for 3 days. It has to find the ground floor again.

Filtering makes the estimate smooth. But it adds a latency of 20 ms. A balance controller notices this at once when
the robot walks fast over uneven ground. It has to correct the posture of the robot several times.
"""
TIP = "> **Tip:** Check first which kind of encoder your motor has."


def task(level: Level = "beginner", hardware: Hardware = "none") -> PersonalizationTask:
    return PersonalizationTask(level, hardware, GLOSSARY)


def problems(reply: str, level: Level = "beginner") -> list[str]:
    return task(level).problems(PIECE, MASKED, reply)


def test_a_good_text_for_beginners_is_accepted() -> None:
    assert [mask.mark for mask in MASKED.masks] == ["⟦H1⟧", "⟦L2⟧", "⟦C3⟧"]
    assert problems(GOOD) == []


def test_the_source_with_something_added_is_a_text_for_the_other_levels() -> None:
    assert problems(f"{MASKED.text}\n{TIP}\n", "intermediate") == []
    shorter = MASKED.text.replace("see [kin", "[kin").replace(", whatever happened before in", ", also after")
    assert problems(f"{shorter}\n> **Trade-off:** Smooth estimates cost latency.\n", "advanced") == []


@pytest.mark.parametrize(
    ("said", "instead", "told"),
    [
        ("**encoder**", "**sensor disk**", 'The bold words "encoder"'),
        ("**encoder**", "encoder", "bold words"),
        ("a latency of", "a delay of", 'The term "latency"'),
        ("16,384", "16,385", "The number 16384 is missing"),
        ("20 ms", "some ms", "The number 20 is missing"),
        ("of two readings", "of three readings", 'The number "two"'),
        ("## Joint encoders", "## Encoders of joints", "heading"),
        ("## Joint encoders", "### Joint encoders", "heading"),
        ("[kinematics](⟦L2⟧)", "kinematics", "⟦L2⟧ is missing"),
        ("in ⟦C3⟧ does", "in ⟦C3⟧ or ⟦C3⟧ does", "⟦C3⟧ is there 2 times"),
        ("in ⟦C3⟧ does not matter.", "does not matter.", "⟦C3⟧ is missing"),
        ("- **Absolute.** It", "**Absolute.** It", "Where the piece has"),
        ("> **Definition:** A shaft", "> A shaft", "quotes without the label"),
        ("> **Definition:**", "> **Tip:**", "label of another level"),
        ("It measures how", "Karlsson et al. say that it measures how", "'Karlsson et al'"),
        ("all of the same size.", "all of the same size (Karlsson, 2021).", "'(Karlsson, 2021)'"),
        ("all of the same size.", "all of the same size, see doi:10.1109/5.771073.", "771073"),
        ("all of the same size.", "all of the same size, as an arXiv paper says.", "'arXiv'"),
        ("all of the same size.", "all of the same size, see https://example.org/x.", "example.org"),
        ("all of the same size.", "all of the same size <br/>.", "outside of the marks"),
        ("But velocity is another", "For beginners, velocity is another", "speaks of the task"),
        ("So the joint first has to be moved to a reference position.", "So the", "breaks off"),
    ],
)
def test_what_is_spoiled_is_named(said: str, instead: str, told: str) -> None:
    found = problems(GOOD.replace(said, instead, 1))
    assert any(told in problem for problem in found), found


def test_a_paragraph_that_is_left_out_is_named_by_its_beginning() -> None:
    without = (
        GOOD[: GOOD.index("Filtering makes")] + "The latency is 20 ms. The robot feels this in its joint at once.\n"
    )
    assert any("What the piece says in 'Filtering makes" in problem for problem in problems(without))


def test_a_paragraph_that_the_piece_does_not_account_for_is_named() -> None:
    new = "Warehouses buy cheap wheeled machines because tall shelves and heavy pallets leave no choice at all."
    told = problems(f"{GOOD}\n{new}\n")
    assert any("The piece does not say 'Warehouses" in problem for problem in told)


@pytest.mark.parametrize(
    ("words", "reference"),
    [
        ("as Smith (2019) has shown", "Smith (2019)"),
        ("as Smith and Lee, 2019, say", "Smith and Lee, 2019"),
        ("see [12] on this", "[12]"),
        ("according to Karlsson", "Karlsson"),
        ("in a study by Karlsson", "Karlsson"),
        ("in a paper titled so", "paper titled"),
        ("with ISBN numbers", "ISBN"),
        ("in the Journal of Things", "Journal of"),
        ("shown at ICRA", "ICRA"),
    ],
)
def test_a_reference_that_the_piece_does_not_have_is_invented(words: str, reference: str) -> None:
    assert invented_references(TEXT, GOOD.replace("that turns", f"that turns, {words}")) == [reference]
    assert invented_references(f"{TEXT} {words}", f"{GOOD} {words}") == []


def test_prose_that_is_as_hard_as_its_source_is_told_both_grades() -> None:
    grade = measure(MASKED.text).grade
    assert measure(GOOD).grade < grade - 3
    (told,) = problems(f"{MASKED.text}\n> **Example:** A lift stops at a floor. It must find it. {'It can. ' * 12}\n")
    assert f"the rewritten prose has grade {grade:.1f}, the source {grade:.1f}" in told


def test_added_blocks_do_not_make_an_easy_text_hard() -> None:
    hard = (
        "Notwithstanding terminological heterogeneity, rotational instrumentation necessitates interdisciplinary"
        " familiarity with electromechanical constructions, computational methodologies and the organizational"
        " particularities of heterogeneous infrastructural environments, notwithstanding considerable terminological"
        " heterogeneity, and interdisciplinary familiarity with organizational particularities."
    )
    (told,) = problems(GOOD.replace("A shaft is a round bar that turns.", hard))
    assert "the text with its added blocks has grade" in told


def test_numbers_may_be_made_up_in_examples_and_nowhere_else() -> None:
    (problem,) = problems(GOOD.replace("**Example:** Think", "**Definition:** Think"))
    assert "The number 3 below 'Definition'" in problem
    assert problems(GOOD.replace("**Definition:** A shaft", "**Definition:** With 16,384 steps, a shaft")) == []
    assert any(
        "The number 30 " in told for told in problems(f"{MASKED.text}\n{TIP[:-1]} in 30 ms.\n", "intermediate")
    )


def test_advanced_text_is_at_most_a_fifth_longer() -> None:
    longer = "> **Technique:** " + "Filters of higher order smooth more and delay less. " * 4
    told = problems(f"{MASKED.text}\n{longer}\n", "advanced")
    assert any("at most" in problem and "allowed" in problem for problem in told)
    assert not any(
        "allowed" in problem
        for problem in problems(f"{MASKED.text}\n{longer.replace('Technique', 'Tip')}\n", "intermediate")
    )


def test_a_text_that_is_only_the_source_is_not_adapted() -> None:
    for level in LEVELS:
        assert any("without any change" in problem for problem in problems(MASKED.text, level))
    assert any("Nothing was added" in problem for problem in problems(MASKED.text, "intermediate"))


def test_a_small_piece_may_stay_as_it_is() -> None:
    text = "## Summary\n\nEncoders measure angles.\n"
    for level in LEVELS:
        assert task(level).problems(Piece(text, ("Sensors",)), mask(text), text) == []


def test_level_and_hardware_are_part_of_the_request_and_of_its_key() -> None:
    owned: tuple[Hardware, ...] = ("none", "gpu", "jetson", "robotics")
    requests = {
        (level, hardware): task(level, hardware).request(MODEL, PIECE, MASKED)
        for level, hardware in product(LEVELS, owned)
    }
    assert len({section_key(request) for request in requests.values()}) == 12
    assert len({str(request["system"]) for request in requests.values()}) == 1
    said = str(requests["advanced", "jetson"]["messages"])
    assert "<level>advanced</level>" in said
    assert "<hardware>jetson</hardware>" in said
    assert all(term in said[: said.index("<piece>")] for term in ("joint", "sensor", "latency"))


def test_headings_titles_and_tables_are_not_asked_for() -> None:
    assert task().adapts(PIECE, MASKED)
    table = "## Units\n\n| Unit | What it measures |\n|---|---|\n| N | force of one newton |\n"
    assert not task().adapts(Piece(table, ("Sensors",)), mask(table))
    assert not task().adapts(Piece("# Sensors\n", ("Sensors",), "title"), mask("# Sensors\n"))


def test_nothing_that_a_page_would_run_comes_with_an_added_block() -> None:
    text = TEXT.replace("from an unknown start", "from an <b>unknown</b> start")
    marked = mask(text)
    reply = GOOD.replace("an unknown start", "an ⟦T4⟧unknown⟦Y5⟧ start")
    assert task().problems(Piece(text, PIECE.heading_path), marked, reply) == []
    (told,) = task().problems(Piece(text, PIECE.heading_path), marked, reply.replace("round bar", "<b>round</b> bar"))
    assert "outside of the marks" in told


def test_changes_name_section_kind_and_first_sentence() -> None:
    finisher = task().finisher("Sensors")
    adapted = unmask(GOOD, MASKED)
    assert finisher.add(PIECE, adapted) == adapted
    assert finisher.add(Piece("# Sensors\n", ("Sensors",), "title"), "# Sensors\n") == ""
    assert finisher.title == "Sensors"
    assert list(finisher.changes) == [
        Change("Joint encoders", "definition", "A shaft is a round bar that turns."),
        Change("Joint encoders", "example", "Think of a lift that was cut off for 3 days."),
    ]


Pieces = list[tuple[Piece, MaskedText]]


@pytest.fixture(scope="module")
def pieces() -> Pieces:
    """Of the sample book, titles too."""
    chapters = read_book(SAMPLE_BOOK).chapters
    cut = [piece for chapter in chapters for piece in split_chapter(chapter.content, chapter.title)]
    return [(piece, masked) for piece in cut if (masked := mask(piece.text)).words]


@pytest.mark.parametrize("level", LEVELS)
def test_every_piece_of_the_sample_book_is_accepted_from_a_good_adapter(pieces: Pieces, level: Level) -> None:
    chosen = task(level)
    added = Counter[str]()
    for piece, masked in pieces:
        reply = adapters.good(chosen.request(MODEL, piece, masked))
        assert chosen.problems(piece, masked, reply) == [], (piece.heading_path, reply)
        finisher = chosen.finisher("Title")
        finisher.add(piece, unmask(reply, masked))
        added.update(change.kind for change in finisher.changes)
        if level == "advanced":
            assert len(MARK.sub("", reply).split()) <= 1.25 * len(MARK.sub("", masked.text).split())
    assert sum(added.values()) >= len(pieces) / 2


@pytest.mark.parametrize("name", [name for name in adapters.HOSTILE if name not in ("cut", "refused")])
def test_no_bad_adapter_gets_a_piece_of_the_sample_book_accepted(pieces: Pieces, name: str) -> None:
    spoiled = 0
    for number, (piece, masked) in enumerate(pieces):
        for level in (LEVELS[number % 3],) if name not in adapters.FOR_BEGINNERS else ("beginner",):
            chosen = task(level)
            request = chosen.request(MODEL, piece, masked)
            reply = adapters.HOSTILE[name](request)
            assert isinstance(reply, str)
            if reply != adapters.good(request) and spoiled < OCCASIONS:
                spoiled += 1
                assert chosen.problems(piece, masked, reply) != [], (level, piece.heading_path, reply)
    assert spoiled >= 2


@pytest.mark.parametrize("name", ["cut", "refused"])
def test_a_reply_that_the_api_calls_incomplete_is_known_by_its_stop_reason(pieces: Pieces, name: str) -> None:
    assert adapters.HOSTILE[name](task().request(MODEL, *pieces[1]))[1] != "end_turn"


ITEMS = (
    "- Tighten the screws of the gripper before each shift.\n"
    "- Never charge a battery that is swollen or warm.\n"
    "- Write the temperature into the logbook every evening."
)


def fidelity_problems(source: str, core: str) -> list[str]:
    return fidelity.problems(source, core, GLOSSARY)


def test_items_may_be_reworded_but_not_change_places() -> None:
    first, second, third = ITEMS.split("\n")
    reworded = ITEMS.replace("Tighten", "Fasten").replace("Never charge", "Do not load").replace("Write", "Note down")
    assert fidelity_problems(ITEMS, reworded) == []
    assert fidelity_problems(ITEMS, "\n".join((second, first, third)))


def test_a_warning_stays_a_warning_in_whatever_words() -> None:
    assert fidelity_problems(ITEMS, ITEMS.replace("Never charge", "Avoid charging")) == []
    assert fidelity_problems(ITEMS, ITEMS.replace("Never charge", "Charge"))


def test_a_quote_in_the_middle_of_a_long_paragraph_stands_between_empty_lines() -> None:
    finisher = PersonalizedChapter("T")
    pieces = [Piece("One two.", ("T",)), Piece(" Three four.", ("T",)), Piece(" Five.\n", ("T",))]
    added = ["One two.\n\n> **Tip:** a.", " Three four.", " > **Tip:** b.\n\nFive.\n"]
    whole = "".join(finisher.add(piece, text) for piece, text in zip(pieces, added, strict=True))
    assert whole == "One two.\n\n> **Tip:** a.\n\n Three four.\n\n> **Tip:** b.\n\nFive.\n"
