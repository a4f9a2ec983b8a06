"""What an Urdu or Roman Urdu question is searched with in an English book."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backend.app.language import FUNCTION_WORDS, Vocabulary, detect, english_forms, load_vocabulary, vocabulary_of
from backend.app.language.translation import MOST_WORDS

BOOK = (
    3
    * """
    A robot carries sensors. A sensor measures the world; the camera and the lidar are sensors of the robot. Each node
    publishes a topic, and a service answers a request. The network and the software run the model. Domain
    randomization trains a policy in simulation: the learning rate, the reward and the gradient. A PID controller
    follows the trajectory; RRT* and A* plan a path. Inverse kinematics (IK) finds the joint angles. ROS 2 is the
    framework. The battery stores energy, the wheel turns with speed and torque. Photosynthesis happens in the cell:
    the protein and the membrane. The difference between walking and running is the balance. The market and the budget
    of an industry. Safety first. """
)


@pytest.fixture(scope="module")
def vocabulary() -> Vocabulary:
    return load_vocabulary(vocabulary_of([BOOK]))


def gloss(question: str, vocabulary: Vocabulary) -> set[str]:
    return set(" ".join(english_forms(question, vocabulary)).split())


@pytest.mark.parametrize(
    ("urdu", "english"),
    [
        ("روبوٹ", "robot"),
        ("روبوٹوں", "robot"),
        ("سینسر", "sensor"),
        ("سینسرز", "sensors"),
        ("ٹاپک", "topic"),
        ("ماڈل", "model"),
        ("ڈومین", "domain"),
        ("رینڈمائزیشن", "randomization"),
        ("سمولیشن", "simulation"),
        ("سیمولیشن", "simulation"),
        ("ٹریجیکٹری", "trajectory"),
        ("کنٹرولر", "controller"),
        ("کائنیمیٹکس", "kinematics"),
        ("گریڈینٹ", "gradient"),
        ("ریوارڈ", "reward"),
        ("لرننگ", "learning"),
        ("نیٹ ورک", "network"),
        ("سافٹ ویئر", "software"),
        ("سافٹویئر", "software"),
        ("فریم ورک", "framework"),
        ("میمبرین", "membrane"),
        ("فوٹوسنتھیسز", "photosynthesis"),
        ("انڈسٹری", "industry"),
        ("سروس", "service"),
    ],
)
def test_loan_words_are_found_in_the_book_by_their_sound(urdu: str, english: str, vocabulary: Vocabulary):
    assert english in gloss(f"{urdu} کیا ہے؟", vocabulary)


@pytest.mark.parametrize(
    ("roman", "english"),
    [("sensar", "sensor"), ("robat", "robot"), ("simulashun", "simulation"), ("kinematiks", "kinematics")],
)
def test_loan_words_are_found_however_they_are_spelled_in_latin_letters(
    roman: str, english: str, vocabulary: Vocabulary
):
    assert english_forms(f"{roman} kya hai", vocabulary) == (english,)


def test_native_words_are_never_taken_for_english_ones(vocabulary: Vocabulary):
    native = "کتاب وقت خوبصورت بھائی قانون حکومت ضرورت غلطی گھوڑا خواب مٹھائی بزرگوں شرمندہ خوابیدہ دلفریب"
    assert {word: heard for word in native.split() if (heard := vocabulary.sounding_like(word))} == {}


@pytest.mark.parametrize(
    ("question", "words"),
    [
        ("توازن اور رفتار میں کیا فرق ہے؟", {"balance", "speed", "difference"}),
        ("raftaar aur tawazun me kya farq he", {"balance", "speed", "difference"}),
        ("روبوٹ چلنا کیسے سیکھتے ہیں؟", {"robot", "walk", "learn"}),
        ("robot chalna kese seekhta hai", {"robot", "walk", "learn"}),
        ("رکاوٹوں سے بچنے کے طریقے", {"obstacle", "avoid", "methods"}),
        ("chlta kse he", {"walk"}),
        ("mtlb smjhna", {"meaning", "understand"}),
        ("خلیے کی جھلی", {"cells", "membrane"}),
        ("industry ki tareekh", {"industry", "history"}),
    ],
)
def test_everyday_words_are_glossed_in_every_form(question: str, words: set[str], vocabulary: Vocabulary):
    assert words <= gloss(question, vocabulary)


def test_of_several_meanings_those_count_that_the_book_has(vocabulary: Vocabulary):
    other = load_vocabulary(vocabulary_of(["The velocity of the wind."]))
    assert english_forms("رفتار", vocabulary) == ("speed",)
    assert english_forms("رفتار", other) == ("velocity",)


def test_what_only_builds_the_sentence_is_dropped(vocabulary: Vocabulary):
    assert english_forms("ROS 2 node kya hota hai aur ye kaise kaam karta hai?", vocabulary) == ("ros 2 node work",)
    assert english_forms("یہ کیا ہے اور کیوں ہوتا ہے؟", vocabulary) == ()


@pytest.mark.parametrize(
    ("question", "form"),
    [
        ("پی آئی ڈی کنٹرولر کیا ہے؟", "pid controller"),
        ("آر او ایس 2", "ros 2"),
        ("آئی کے کیا ہے", "ik"),
        ("اے آئی کے فائدے", "ai advantage"),
        ("RRT* اور A* میں فرق", "rrt* a* difference"),
    ],
)
def test_abbreviations_are_read_letter_by_letter_or_kept(question: str, form: str, vocabulary: Vocabulary):
    assert english_forms(question, vocabulary)[0].startswith(form)


def test_an_urdu_book_is_searched_with_the_urdu_words():
    urdu = load_vocabulary(vocabulary_of(["روبوٹ ایک مشین ہے جو خود کام کرتی ہے۔ اس میں سینسر (sensor) ہوتے ہیں۔"]))
    assert urdu.is_urdu
    assert english_forms("سینسر کیا ہے؟", urdu) == ()


def test_a_vocabulary_survives_its_way_through_json():
    stored = json.loads(json.dumps(vocabulary_of([BOOK])))
    assert english_forms("روبوٹ", load_vocabulary(stored)) == ("robot",)


def test_nothing_is_known_without_a_book():
    assert english_forms("robot kya hai", load_vocabulary({})) == ("robot",)
    assert english_forms("روبوٹ کیا ہے؟", load_vocabulary({})) == ()


def test_function_words_are_known_in_both_scripts():
    assert {"kya", "hai", "kaise", "کیا", "ہے", "کیسے"} <= FUNCTION_WORDS


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=2_000))
def test_no_text_crashes_or_grows(vocabulary: Vocabulary, text: str):
    detect(text)
    for form in english_forms(text, vocabulary):
        assert 0 < len(form.split()) <= 4 * MOST_WORDS


@settings(max_examples=100, deadline=None)
@given(st.text(alphabet="ابپتٹثجچحخدڈرڑزژسشصضطظعغفقکگلمنںوہھیےئءآaeiou کیا ‌", max_size=2_000))
def test_no_urdu_text_crashes_or_grows(vocabulary: Vocabulary, text: str):
    assert detect(text) in ("en", "ur", "ur-Latn", "other")
    assert len(" ".join(english_forms(text, vocabulary)).split()) <= 4 * MOST_WORDS
