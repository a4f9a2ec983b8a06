"""Scores and words of the hits -> how much they speak for the book."""

import pytest

from backend.app.textbook.evidence import asked_terms, evidence
from tests.fakes.book import NODE, TOPIC, hit

IK = "Inverse kinematics (IK) computes joint angles."


def test_it_is_half_the_hit_half_its_neighbourhood_and_a_tenth_for_the_words() -> None:
    hits = [hit(IK, 0, dense=0.4), hit(NODE, 1, dense=0.2)]
    assert evidence(hits, "angles of the zebra") == pytest.approx([0.2 + 0.15 + 0.05, 0.1 + 0.15])
    assert evidence([], "IK") == []


def test_a_lone_similar_passage_is_worth_less_than_a_similar_neighbourhood() -> None:
    alone = evidence([hit(NODE, 0, dense=0.4), hit(TOPIC, 1, dense=0.0)], "zebra")
    among = evidence([hit(NODE, 0, dense=0.4), hit(TOPIC, 1, dense=0.4)], "zebra")
    assert alone[0] < among[0] == pytest.approx(0.4)


@pytest.mark.parametrize(
    "said",
    [
        "hi",
        "Hello!",
        "thanks",
        "Thank you so much, that was great",
        "ok",
        "salam, kya haal hai",
        "السلام علیکم، کیا حال ہے؟",
        "hello kaise ho",
    ],
)
def test_small_talk_asks_for_nothing(said: str) -> None:
    assert asked_terms(said) is None
    assert evidence([hit("Hello! Thanks and good morning.", dense=0.9)], said) == [0.0]


@pytest.mark.parametrize(
    ("question", "asked"),
    [
        ("Hi! What is IK?", {"ik"}),
        ("thanks, and the joint angles?", {"joint", "angl"}),
        ("IK kya hai aur kaise kaam karta hai", {"ik", "kaam"}),
        ("IK کیا ہے؟", {"ik"}),
        ("روبوٹ", {"روبوٹ"}),
        ("How does it work?", {"work"}),
        ("what is this?", set[str]()),
    ],
)
def test_only_what_says_something_is_asked_for(question: str, asked: set[str]) -> None:
    assert asked_terms(question) == asked


@pytest.mark.parametrize(
    "question", ["IK", "what is A*?", "IK kya hai?", "IK کیا ہے؟", "rclpy.init()", "C++", "tf2?"]
)
def test_a_name_that_a_passage_has_is_strong_evidence_whatever_its_cosine(question: str) -> None:
    held = hit("IK, A* and tf2 in C++: call `rclpy.init()` first.", 0, dense=0.15)
    assert evidence([held], question)[0] == pytest.approx(0.45)
    assert evidence([hit(NODE, 0, dense=0.15)], question)[0] < 0.3


@pytest.mark.parametrize(
    "question", ["joint", "THE JOINT ANGLES", "Why does IK need the joint angles of a robot arm?"]
)
def test_other_words_and_long_questions_are_no_look_up(question: str) -> None:
    assert evidence([hit(IK, 0, dense=0.15)], question)[0] <= 0.25


def test_the_cosine_between_two_scripts_is_noise() -> None:
    assert evidence([hit(IK, dense=0.4)], "زیبرا کہاں رہتا ہے") == [0.0]
    assert evidence([hit("روبوٹ ایک مشین ہے", dense=0.4)], "robot")[0] == 0.0
    assert evidence([hit("روبوٹ ایک مشین ہے", dense=0.4)], "روبوٹ")[0] == pytest.approx(0.5)
    assert evidence([hit("روبوٹ ایک مشین ہے", dense=0.4)], "آلات")[0] == pytest.approx(0.4)


def test_urdu_grammar_in_a_glossary_of_an_english_book_is_no_evidence() -> None:
    glossary = hit(
        "| robot | روبوٹ | a machine that senses and acts, as in this sentence: گھر میں روبوٹ ہے |", dense=0.2
    )
    assert evidence([glossary], "کراچی میں موسم کیسا ہے؟") == [0.0]
    assert evidence([glossary], "روبوٹ گھر میں ہے")[0] > 0
    assert evidence([hit("یہ ایک روبوٹ ہے جو گھر میں ہے", dense=0.2)], "کراچی میں موسم کیسا ہے؟")[0] > 0
