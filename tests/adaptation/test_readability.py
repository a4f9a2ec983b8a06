"""The grade is the published formula over the prose alone; a beginner's text has to be below its source's."""

import pytest

from backend.app.adaptation.readability import EASY, FEWEST_WORDS, count_syllables, measure, not_easier

SYLLABLES = """
    a 1 the 1 force 1 forces 2 moves 1 moved 1 table 2 tables 2 rules 1 wanted 2 robot 2 sensor 2 measurement 3
    movement 2 safely 2 element 3 torque 1 velocity 4 acceleration 5 position 3 variable 4 previous 3 initial 3
    radio 3 video 3 people 2 geometry 4 actual 3 language 2 quality 3 being 2 playing 2 layer 2 beyond 2
    continuous 4 science 2 gradient 3 friend 1 efficient 3 quiet 2 variety 4 reaction 3 theory 3 mechanism 4
    dynamic 3 controller 3 frequency 3 simulation 4 node 1 message 2 messages 3 communication 5 balance 2 humanoid
    3 intelligence 4 energy 3 searches 3 computer 3 equation 3 matrix 2 noise 1 orientation 5 you 1 year 1 little
    2 stopped 1 changes 2 sometimes 2 something 2 because 2 area 3 idea 3 created 3 through 1 useful 2 special 2
    machine 2 experience 4 environment 4 different 3 power 2 robot's 2
"""
HARD = (
    "Proprioceptive measurement instrumentation characterises the configuration of the mechanical structure, whereas"
    " exteroceptive instrumentation characterises environmental conditions surrounding the mechanical structure, and"
    " consequently the estimation of equilibrium depends predominantly upon the former category. Instrumentation of"
    " the latter category necessitates considerably more sophisticated computational interpretation procedures."
)
EASY_TEXT = "A robot has two groups of sensors. One group looks at the body. One group looks at the world. " * 4


def test_syllables_are_counted_as_a_dictionary_does_but_for_one_word_in_twenty() -> None:
    words = SYLLABLES.split()
    known = {word: int(number) for word, number in zip(words[::2], words[1::2], strict=True)}
    wrong = [word for word, number in known.items() if count_syllables(word) != number]
    assert len(wrong) <= len(known) / 20, wrong


def test_the_grade_is_the_formula_of_1975() -> None:
    # 6 words, 1 sentence, 6 syllables: 0.39 * 6 + 11.8 * 1 - 15.59
    assert measure("The cat sat on the mat.").grade == pytest.approx(-1.45)
    # 11 words, 2 sentences, 20 syllables
    text = "The robot moves its arm. A sensor measures the position continuously."
    assert sum(map(count_syllables, text.replace(".", "").split())) == 20
    assert measure(text).grade == pytest.approx(0.39 * 11 / 2 + 11.8 * 20 / 11 - 15.59)


def test_only_prose_is_measured() -> None:
    prose = "The robot moves its arm. The arm is long."
    page = f"""## Incomprehensible terminological considerations

{prose}

⟦K1⟧

| Manipulation | Categorisation |
|---|---|
| Proprioception | Exteroception |

⟦A2⟧Electromechanical considerations⟦X3⟧
⟦Z4⟧
"""
    assert measure(page) == measure(prose)


def test_marks_bold_and_list_markers_do_not_count_and_items_are_sentences() -> None:
    marked = "- The **robot** moves ⟦C1⟧ its arm.\n- The [arm](⟦L2⟧) is long.\n"
    assert measure(marked) == measure("The robot moves its arm.\n\nThe arm is long.")


def test_a_text_without_words_has_no_grade() -> None:
    assert measure("⟦K1⟧\n\n42\n").words == 0
    assert not_easier("⟦K1⟧\n", {"it": "⟦K1⟧\n"}) == []


def test_a_text_as_hard_as_its_source_is_told_both_grades() -> None:
    grade = measure(HARD).grade
    (told,) = not_easier(HARD, {"the rewritten prose": HARD, "the whole text": EASY_TEXT})
    assert "shorter sentences" in told
    assert f"the rewritten prose has grade {grade:.1f}" in told
    assert f"the source {grade:.1f}" in told


def test_an_easier_text_is_accepted() -> None:
    assert measure(HARD).words >= FEWEST_WORDS
    assert not_easier(HARD, {"it": EASY_TEXT}) == []


def test_an_easy_source_may_stay_as_it_is_but_not_become_hard() -> None:
    assert measure(EASY_TEXT).grade < EASY
    assert not_easier(EASY_TEXT, {"it": EASY_TEXT}) == []
    assert not_easier(EASY_TEXT, {"it": HARD}) != []


def test_a_source_of_few_sentences_may_stay_as_it_is_but_not_become_harder() -> None:
    topics = "- Proprioceptive instrumentation\n- Exteroceptive instrumentation\n" * 15 + "\nRead this."
    assert measure(topics).words < FEWEST_WORDS
    assert not_easier(topics, {"it": topics}) == []
    assert not_easier("Read this.", {"it": HARD}) != []
