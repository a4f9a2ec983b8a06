"""In which language a question is asked."""

import pytest

from backend.app.language import detect


@pytest.mark.parametrize(
    "question",
    [
        "What is a node?",
        "How is torque used to move me from A to B?",
        "is it par for the course to use a hum filter",
        "What does main do in the launch file, and on which door is the sensor?",
        "Ki and Kd gains",
        "Kp Ki Kd",
        "What did Muhammad Ali Jinnah say to the assembly?",
        "Why did Abdus Salam and Muhammad Iqbal write to her?",
        "Tell me in short: is he right to say so, or not?",
        "IK",
        "compare RRT* to A*",
        "ho ho ho",
        "Do KIA cars use lidar?",
        "pick and place at the same time",
        "Hum of the motor",
        "to be or not to be",
        "gear ratio",
        "Bare metal servers, please",
        "How thin is a mat?",
        "",
        "???",
        "42",
    ],
)
def test_english_is_never_taken_for_roman_urdu(question: str):
    assert detect(question) == "en"


@pytest.mark.parametrize(
    "question",
    [
        "ROS 2 node kya hota hai",
        "PID controller ko tune kaise karein",
        "sensor fusion kyun zaroori he",
        "sensor fusion q zruri hy",
        "IK kia hy",
        "IK kya hai",
        "robot kese chalta hai",
        "mujhe lidar ke bare mein batao",
        "simulation aur asli dunya me kia farq he?",
        "gripper cheez ko kaisay pakarta hay",
        "deep learning ki tareef karo",
        "is chapter ka khulasa do",
        "kya robot insan ki jagah le sakte hain",
        "URDF file mn joint kese likhte hn",
        "battery kitni der chalti hai aur ye kyun garam hoti hai",
        "krna kya hota hai is me",
        "Kinematics samjhao",
        "photosynthesis ka amal bayan karen",
        "chlta kse he",
        "adaalat insaaf kese krti hai",
    ],
)
def test_roman_urdu_is_known_by_its_grammar_however_it_is_spelled(question: str):
    assert detect(question) == "ur-Latn"


@pytest.mark.parametrize(
    "question",
    [
        "روبوٹ کیا ہے؟",
        "ROS 2 node کیا ہے",
        "سینسر فیوژن",
        "کتاب",
        "PID کنٹرولر کو tune کیسے کریں؟",
        "inverse kinematics سمجھائیں",
    ],
)
def test_urdu_is_known_by_its_script_also_among_english_words(question: str):
    assert detect(question) == "ur"


@pytest.mark.parametrize(
    "question",
    [
        "ما هو الروبوت؟",
        "كيف يعمل المستشعر",
        "ربات چیست",
        "रोबोट क्या है",
        "机器人是什么",
        "Что такое робот?",
        "Was ist ein Roboter und wie lernt er?",
    ],
)
def test_other_languages_are_neither(question: str):
    assert detect(question) == "other"


def test_an_english_question_about_an_urdu_word_is_english():
    assert detect("What does the word روبوٹ mean in this book?") == "en"
