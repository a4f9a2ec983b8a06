import pytest

from backend.app.textbook.analyzer import sparse_document, sparse_query, terms


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("joint_states", "JointState"),
        ("sim-to-real", "Sim to real"),
        ("ROS2", "ROS 2"),
        ("rclpy.init()", "rclpy init"),
        ("geometry_msgs/Twist", "Twist"),
        ("std::vector", "vector"),
        ("HTTPServer", "http server"),
        ("running nodes", "a node runs"),
        ("the robot's arm", "robot arms"),
        ("robot’s", "robot"),
        ("C++", "c++ code"),
        ("A* search", "what is a*"),
        ("RRT*", "rrt"),
        ("**RRT** and _PRM_", "RRT PRM"),
        ("naïve Gödel", "naive godel"),
        ("M(q)", "M q"),
        ("ﬁlter", "filter"),
    ],
)
def test_two_ways_of_writing_share_their_terms(one: str, other: str) -> None:
    shorter, longer = sorted((set(terms(one)), set(terms(other))), key=len)
    assert shorter
    assert shorter <= longer


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("كتاب", "کتاب"),  # Arabic and Urdu kaf
        ("عربي", "عربی"),
        ("مُحَمَّد", "محمد"),
        ("روبوٹـــ", "روبوٹ"),
    ],
)
def test_urdu_and_arabic_spellings_of_a_word_are_one_term(one: str, other: str) -> None:
    assert terms(one) == terms(other)
    assert len(terms(one)) == 1


def test_an_identifier_counts_whole_and_in_parts() -> None:
    assert terms("rclpy.init") == ["rclpi", "init", "rclpyinit"]
    assert terms("joint_states") == ["joint", "state", "jointstate"]


def test_words_of_grammar_are_no_terms() -> None:
    assert terms("What is the and of it? Please explain!") == []


def test_code_and_math_that_differ_have_different_terms() -> None:
    assert terms("C") != terms("C++") != terms("C#")
    assert terms("PID") != terms("PI")


@pytest.mark.parametrize("text", ["", " ", "???", "\x00", "\u202e", "....", "_" * 99, "🤖", "-" * 10_000])
def test_text_without_a_word_has_no_terms(text: str) -> None:
    assert terms(text) == []
    assert sparse_document(text) == sparse_query(text) == ([], [])


def test_hostile_text_is_cut_in_linear_time() -> None:
    for text in ("a." * 200_000, "a" * 400_000, "\ud800" * 1000 + " robot", "A*" * 100_000, "aB" * 200_000):
        ids, weights = sparse_document(text)
        assert len(ids) == len(weights)


def test_ids_are_ascending_unique_and_32_bit() -> None:
    ids, weights = sparse_document("node topic node service ROS2 روبوٹ")
    assert ids == sorted(set(ids))
    assert 0 <= min(ids) <= max(ids) < 2**32
    assert len(ids) == len(weights)


def test_ids_are_the_same_in_every_process() -> None:
    assert sparse_query("robot") == ([3626729188], [1.0])


def test_a_repeated_term_weighs_more_but_less_each_time() -> None:
    def weight(times: int) -> float:
        ids, weights = sparse_document("node " * times + "filler " * (50 - times))
        return dict(zip(ids, weights, strict=True))[sparse_query("node")[0][0]]

    assert weight(1) < weight(2) < weight(4) < 2.2
    assert weight(2) - weight(1) > weight(3) - weight(2)


def test_a_term_weighs_more_in_a_short_passage() -> None:
    short, long = (dict(zip(*sparse_document("node" + " filler" * n), strict=True)) for n in (5, 200))
    node = sparse_query("node")[0][0]
    assert short[node] > long[node]


def test_a_word_repeated_in_a_question_counts_once() -> None:
    assert sparse_query("node node nodes") == sparse_query("node")
