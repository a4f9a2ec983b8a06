"""Where the line lies between evidence and none."""

import re
from dataclasses import replace
from statistics import NormalDist

import pytest

from backend.app.language import detect
from backend.app.textbook.calibration import (
    FEWEST_OFF_TOPIC,
    HIGHEST,
    LOWEST,
    USUAL,
    Calibration,
    calibrate,
    off_topic_questions,
    own_questions,
    read_calibration,
)
from tests.fakes.book import chunk

STRANGERS = [NormalDist(0.15, 0.05).inv_cdf((i + 0.5) / 250) for i in range(250)]
OWN = [NormalDist(0.5, 0.08).inv_cdf((i + 0.5) / 200) for i in range(200)]


def test_the_line_refuses_strangers_and_lets_the_book_s_own_sentences_pass() -> None:
    line = calibrate(STRANGERS, OWN)
    assert line.threshold == pytest.approx(0.15 + 1.8 * 0.05, abs=0.01)
    assert (line.off_topic, line.own) == (250, 200)
    assert line.off_topic_refused >= 0.95
    assert line.own_refused <= 0.01
    assert line.is_measured


@pytest.mark.parametrize("answered", [25, 60, 90])
def test_a_book_about_some_of_the_strangers_moves_the_line_little(answered: int) -> None:
    """A cookbook answers the questions about cooking; a law school's book those about law, money and politics."""
    cookbook = [*STRANGERS[::-1][answered:], *OWN[:answered]]
    assert calibrate(cookbook, OWN).threshold == pytest.approx(calibrate(STRANGERS, OWN).threshold, abs=0.06)


def test_the_book_s_own_sentences_bound_the_line() -> None:
    faint = [score - 0.15 for score in OWN]
    line = calibrate(STRANGERS, faint)
    assert line.threshold < calibrate(STRANGERS, OWN).threshold
    assert line.own_refused <= 0.035


def test_few_sentences_say_nothing_and_few_strangers_leave_the_usual_line() -> None:
    assert calibrate(STRANGERS, [0.1] * 24).threshold == calibrate(STRANGERS, []).threshold
    unmeasured = calibrate(STRANGERS[: FEWEST_OFF_TOPIC - 1], OWN)
    assert unmeasured.threshold == USUAL
    assert not unmeasured.is_measured
    assert calibrate([], []).threshold == USUAL


def test_no_book_draws_the_line_where_it_decides_nothing() -> None:
    assert calibrate([0.0] * 250, OWN).threshold == LOWEST
    assert calibrate([0.8] * 250, [0.9] * 200).threshold == HIGHEST


def test_what_is_stored_is_read_back() -> None:
    line = calibrate(STRANGERS, OWN)
    assert read_calibration(line.as_json()) == line
    assert read_calibration({}) == Calibration()


def test_the_stored_questions_are_many_and_short_and_of_all_languages() -> None:
    questions = off_topic_questions()
    assert len(questions) >= 200
    assert len(set(questions)) == len(questions)
    assert max(map(len, questions)) < 100
    assert all(question.strip() == question and not re.search(r"[|\[\]]", question) for question in questions)
    assert {detect(question) for question in questions} >= {"en", "ur", "ur-Latn"}


def test_sentences_lose_every_other_word_and_code_and_headings_are_left_out() -> None:
    text = (
        "# A heading that has more than six words in it.\n\nA subscriber receives the messages that publishers send "
        "on a shared topic.\n\n```python\nnode = create_node('one two three four five six seven eight.')\n```\n"
    )
    (question,) = own_questions([chunk(text, 0)])
    assert question == "subscriber messages send topic."
    assert own_questions([chunk("Too short a sentence.", 0), chunk("no sentence at all " * 5, 1)]) == []


def test_the_sentences_are_spread_over_the_book() -> None:
    words = "alpha beta gamma delta epsilon zeta eta theta iota kappa"
    book = [replace(chunk(f"Passage{i} {words} number{i}.", i), content_hash=str(i)) for i in range(1000)]
    asked = own_questions(book)
    assert len(asked) == 300
    numbers = sorted(int(found[0]) for question in asked if (found := re.findall(r"\d+", question)))
    assert numbers[0] < 20
    assert numbers[-1] > 980
