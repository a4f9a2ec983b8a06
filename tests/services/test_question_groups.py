"""Questions that mean the same are one line; questions that do not are not."""

import numpy as np
import pytest

from backend.app.models.domain import OpenQuestion, QuestionLanguage
from backend.app.services.embedding_service import EmbeddingService
from backend.app.services.question_groups import Vectors, group_alike

pytestmark = pytest.mark.anyio


async def grouped(embedder: EmbeddingService, *questions: tuple[str, int], language: QuestionLanguage = "en"):
    found = [OpenQuestion(text, language, asked, 0) for text, asked in questions]
    groups = group_alike(found, await embedder.embed([question.text for question in found]))
    return [[found[index].text for index in group] for group in groups]


async def test_wordings_of_one_question_are_one_group_and_the_largest_comes_first(embedder: EmbeddingService) -> None:
    assert await grouped(
        embedder,
        ("What is QoS?", 5),
        ("How much does a gyroscope cost?", 1),
        ("What does a gyroscope cost?", 4),
        ("what is the cost of a gyroscope", 2),
        ("Who makes gyroscopes?", 1),
    ) == [
        ["What does a gyroscope cost?", "what is the cost of a gyroscope", "How much does a gyroscope cost?"],
        ["What is QoS?"],
        ["Who makes gyroscopes?"],
    ]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("How do I install ROS 2 on Windows?", "How do I install ROS 2 on macOS?"),
        ("Does ROS 2 support Python 3.12?", "Does ROS 2 support Python 3.8?"),
        ("What is chapter 3 about?", "What is chapter 4 about?"),
        ("Which laptop should I buy?", "Which GPU should I buy?"),
    ],
)
async def test_near_is_not_the_same(embedder: EmbeddingService, first: str, second: str) -> None:
    assert len(await grouped(embedder, (first, 1), (second, 1))) == 2


async def test_in_urdu_more_is_asked_for(embedder: EmbeddingService) -> None:
    cost, sensor = "گائروسکوپ کی قیمت کیا ہے؟", "سینسر کی قیمت کیا ہے؟"
    assert len(await grouped(embedder, (cost, 1), (sensor, 1), language="ur")) == 2
    assert len(await grouped(embedder, (cost, 1), (cost.rstrip("؟"), 1), language="ur")) == 1


def test_no_question_is_lost_whatever_the_vectors() -> None:
    generator = np.random.default_rng(3)
    vectors: Vectors = generator.normal(size=(40, 3)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    questions = [OpenQuestion(f"question {'x' * number}", "en", number % 5 + 1, 0) for number in range(40)]
    groups = [[questions[index] for index in group] for group in group_alike(questions, vectors)]
    assert sorted(question.text for group in groups for question in group) == sorted(q.text for q in questions)
    totals = [sum(question.asked for question in group) for group in groups]
    assert totals == sorted(totals, reverse=True)
    assert all(group[0].asked == max(question.asked for question in group) for group in groups)


def test_nothing_is_in_no_group() -> None:
    assert group_alike([], np.zeros((0, 3), np.float32)) == []
