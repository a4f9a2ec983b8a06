"""What was added to a text is found by its labels, taken out without a trace, and held to its form."""

import pytest

from backend.app.adaptation.additions import LABELS, Parted, first_sentence, part, problems
from backend.app.models.domain import Level

SOURCE = """## Encoders

An encoder measures an angle.

- One counts steps.
- One knows the angle.

Both are common.
"""
EXAMPLE = "> **Example:** A volume knob has one. It counts clicks."


def below(first: str, block: str) -> str:
    """The source with a block below the line that ends with `first`."""
    head, tail = SOURCE.split(f"{first}\n", 1)
    return f"{head}{first}\n\n{block}\n{tail}" if tail.startswith("\n") else f"{head}{first}\n\n{block}\n\n{tail}"


def test_an_added_block_is_taken_out_without_a_trace() -> None:
    parted = part(SOURCE, below("an angle.", EXAMPLE))
    assert parted.core == SOURCE
    (addition,) = parted.additions
    assert (addition.label, addition.heading) == ("Example", "Encoders")
    assert addition.text == "A volume knob has one. It counts clicks."
    assert first_sentence(addition) == "A volume knob has one."
    assert problems(SOURCE, parted, "beginner") == []


def test_steps_are_a_list_inside_the_block() -> None:
    parted = part(SOURCE, below("are common.", "> **Step by step:**\n>\n> 1. Turn the shaft.\n> 2. Count the marks."))
    assert parted.core.strip() == SOURCE.strip()
    assert first_sentence(parted.additions[0]) == "Turn the shaft."
    assert problems(SOURCE, parted, "beginner") == []


def test_a_quote_of_the_source_stays_though_it_has_a_label() -> None:
    own = "> **Tip:** Mount the encoder on the motor's side."
    source = f"{SOURCE}\n{own}\n"
    adapted = (
        f"{SOURCE}\n> **Tip:** Check the cable first of all things.\n\n> **Tip:** Mount the encoder near the motor.\n"
    )
    parted = part(source, adapted)
    assert [addition.text for addition in parted.additions] == ["Check the cable first of all things."]
    assert "Mount the encoder near the motor." in parted.core
    assert part(source, source) == Parted(source, ())


@pytest.mark.parametrize(
    "quote", ["> Think of a cat.", "> **Note:** Think of a cat that jumps.", "> **Example** without a colon here."]
)
def test_a_quote_without_a_known_label_is_no_addition(quote: str) -> None:
    assert quote in part(SOURCE, below("an angle.", quote)).core


@pytest.mark.parametrize(
    "text", [f"A line.\n{EXAMPLE}\n", f"{EXAMPLE}\nA line that would be drawn into the quote.\n"]
)
def test_a_block_without_empty_lines_around_it_is_no_addition(text: str) -> None:
    assert part(SOURCE, text).additions == ()


@pytest.mark.parametrize(
    ("block", "words"),
    [
        ("> **Trade-off:** More speed costs accuracy here.", "label of another level"),
        ("> **Example:** Look at ⟦C1⟧ once more please.", "contains a mark"),
        ("> **Example:** Run `ros2 topic list` and look.", "contains code"),
        ("> **Example:** Look at this:\n>\n> ## A heading\n>\n> And more.", "a heading"),
        ("> **Example:** Look at this line here.\n> ===", "a heading"),
        ("> **Example:** Look at this quote:\n>\n> > A quote in it.", "another quote"),
        ("> **Example:** Yes.", "says nothing"),
        ("> **Example:** " + "word " * 130, "has 130 words"),
    ],
)
def test_a_block_of_the_wrong_form_is_named(block: str, words: str) -> None:
    (problem,) = problems(SOURCE, part(SOURCE, below("an angle.", block.rstrip())), "beginner")
    assert words in problem


def test_a_block_between_two_items_of_a_list_would_part_the_list() -> None:
    (problem,) = problems(SOURCE, part(SOURCE, below("counts steps.", EXAMPLE)), "beginner")
    assert "inside of a list" in problem
    assert problems(SOURCE, part(SOURCE, below("knows the angle.", EXAMPLE)), "beginner") == []


@pytest.mark.parametrize("text", ["**Example:** A volume knob has one.", f"{EXAMPLE}\nAnd a line below it."])
def test_a_labelled_text_that_is_no_quote_by_itself_is_told_how_to_stand(text: str) -> None:
    (problem,) = problems(SOURCE, part(SOURCE, below("an angle.", text)), "beginner")
    assert "quote of its own" in problem


def test_few_blocks_are_a_help_and_many_are_another_text() -> None:
    adapted = SOURCE + f"\n{EXAMPLE}\n" * 3
    (problem,) = problems(SOURCE, part(SOURCE, adapted), "beginner")
    assert "3 added blocks" in problem


def test_no_label_belongs_to_two_levels() -> None:
    levels: tuple[Level, ...] = ("beginner", "intermediate", "advanced")
    labels = [label for level in levels for label in LABELS[level]]
    assert len(labels) == len(set(labels))
