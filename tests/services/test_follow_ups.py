"""Which utterances need the thread and which ask for a language, in English, Urdu and Roman Urdu."""

import pytest

from backend.app.services.follow_ups import (
    is_without_language,
    leans_on_thread,
    split_language_request,
    telling_words,
)

LEANING = """
and why is it slower?
why?
why not?
give an example
Give me another example please
yes
ok, continue
tell me more
explain more
Explain that again in simpler words
second one?
the second one
What about the gripper?
how about outdoors?
how does it compare to the other?
which one is faster?
Which is better?
and the disadvantages?
What are its limitations?
Are they safe?
what happens at the third step?
how long does such a test take?
So what should I choose?
But is that accurate?
What is the formula?
for beginners?
without the encoder?
Is this always true?
Can you summarize this?
What did you mean by that?
Who invented it?
What if the battery is empty?
how do I install it?
can I use both?
and on Windows?
shorter please
iski misaal do
uski misaal do
aur ye kyun zaroori hai?
ye kaise kaam karta hai?
mazeed batao
aur detail mein samjhao
iska faida kya hai?
doosra wala?
kyun?
haan
is ka nuqsan kya hai
un mein farq kya hai?
agar sensor kharab ho to?
phir kya hota hai?
اس کی مثال دیں
یہ کیوں ضروری ہے؟
مزید بتائیں
اور اس کے نقصانات؟
کیوں؟
وہ کیسے کام کرتا ہے؟
ان میں کیا فرق ہے؟
ایک مثال دیں
دوسرا والا؟
جی ہاں
آسان الفاظ میں سمجھائیں
xacro?
which port?
the last one
aur?
agar parallel chalana ho to?
mujhe samajh nahi aayi
samajh nahi aa rahi
مجھے سمجھ نہیں آئی
سمجھ نہیں آ رہا
keep going
"""
STANDING = """
What is a ROS 2 node?
IK
What is IK?
Explain inverse kinematics.
How does a lidar measure distance?
What is the zero moment point?
When should I use a service instead of a topic?
What is the difference between forward and inverse kinematics?
Which sensors measure joint angles?
Is it possible to run Gazebo without a GPU?
How long does it take to train a walking policy?
What is this book about?
Give an example of a quaternion.
List the steps of sim-to-real transfer.
M(q)
rclpy.init
Compare URDF and SDF.
What are the advantages of hydraulic actuators?
How do PID controllers work?
Who won the football world cup in 1998?
ROS 2 node kya hota hai?
PID controller kaise tune karte hain?
Lidar aur camera mein kya farq hai?
Inverse kinematics ki misaal do
روبوٹ کا توازن کیسے برقرار رہتا ہے؟
سینسر فیوژن کیا ہوتی ہے؟
ROS 2 node کیا ہے؟
لیڈار اور کیمرے میں کیا فرق ہے؟
انورس کائنیمیٹکس کی مثال دیں
How does a lidar measure distance, and what limits its range?
Why do cheap stereo cameras fail outdoors, and what do people use instead of them?
rclpy.spin_once
RRT* and A* in comparison
What does it mean to calibrate a camera?
Is the book suitable for beginners?
"""


@pytest.mark.parametrize("utterance", LEANING.strip().splitlines())
def test_these_need_the_turns_before(utterance: str) -> None:
    assert leans_on_thread(utterance)


@pytest.mark.parametrize("utterance", STANDING.strip().splitlines())
def test_these_stand_by_themselves(utterance: str) -> None:
    assert not leans_on_thread(utterance)


@pytest.mark.parametrize(
    ("utterance", "question", "language"),
    [
        ("in Urdu please", "", "ur"),
        ("In urdu", "", "ur"),
        ("Urdu?", "", "ur"),
        ("Roman Urdu mein", "", "ur-Latn"),
        ("roman urdu mein batao", "", "ur-Latn"),
        ("urdu mein samjhao", "", "ur"),
        ("in English", "", "en"),
        ("English please", "", "en"),
        ("اردو میں بتائیں", "", "ur"),
        ("رومن اردو میں لکھیں", "", "ur-Latn"),
        ("انگریزی میں جواب دیں", "", "en"),
        ("can you explain this in Urdu?", "", "ur"),
        ("translate it into urdu", "", "ur"),
        ("angrezi mein likho", "", "en"),
        ("isko urdu mein samjhao", "", "ur"),
        ("now answer in roman urdu", "", "ur-Latn"),
        ("Explain SLAM in Urdu", "Explain SLAM", "ur"),
        ("what is odometry? answer in roman urdu", "what is odometry? answer", "ur-Latn"),
        ("urdu mein batao ke SLAM kya hai", "batao ke SLAM kya hai", "ur"),
        ("What is inverse kinematics in Urdu?", "What is inverse kinematics ?", "ur"),
        ("What are PID controllers in roman urdu", "What are PID controllers", "ur-Latn"),
        ("What is the word for robot in Urdu?", "What is the word for robot in Urdu?", None),
        ("What is lidar called in Urdu?", "What is lidar called in Urdu?", None),
        ("What is Whisper's accuracy in Urdu?", "What is Whisper's accuracy in Urdu?", None),
        ("Does Whisper transcribe calls in Urdu?", "Does Whisper transcribe calls in Urdu?", None),
        ("What is a node?", "What is a node?", None),
        (
            "How many English words does the speech model know?",
            "How many English words does the speech model know?",
            None,
        ),
        ("yes", "yes", None),
    ],
)
def test_a_wish_for_a_language_is_told_from_the_question(utterance: str, question: str, language: str | None) -> None:
    assert split_language_request(utterance) == (question, language)


@pytest.mark.parametrize("utterance", ["ok", "yes", "IK?", "example", "PID tuning", "haan"])
def test_a_word_or_two_have_no_language(utterance: str) -> None:
    assert is_without_language(utterance)


@pytest.mark.parametrize("utterance", ["جی ہاں", "What is IK?", "مثال", ""])
def test_more_words_or_another_script_have_one(utterance: str) -> None:
    assert is_without_language(utterance) == (not utterance)


@pytest.mark.parametrize(
    ("question", "words"),
    [
        ("ROS 2 node کیا ہے؟", ["ros", "2", "node"]),
        ("IMU kya hota hai?", ["imu"]),
        ("What are the advantages of rclpy.init?", ["rclpy.init"]),
        ("give an example", []),
        ("سینسر کیا ہے؟", ["سینسر"]),
    ],
)
def test_the_words_that_tell_the_subject(question: str, words: list[str]) -> None:
    assert telling_words(question) == words


@pytest.mark.parametrize("text", ["", " ", "?", "؟؟", "\u200f", "😀", "\n\n", "-" * 2_000, "it " * 600, "(" * 2_000])
def test_what_has_no_words_needs_the_thread_and_takes_no_time(text: str) -> None:
    assert leans_on_thread(text) == (not text.startswith("it ") or True)
    assert split_language_request(text) == (text, None)
