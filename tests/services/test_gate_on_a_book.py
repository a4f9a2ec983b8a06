"""The gate as ingest calibrated it for the sample book, with the real embedder and search."""

import shutil
from collections.abc import AsyncIterator

import pytest

from backend.app.services.embedding_service import EmbeddingService
from backend.app.services.qdrant_service import QdrantService, open_index
from backend.app.services.query_rewriter import QueryRewriter
from backend.app.services.retriever import Retriever
from backend.app.textbook.calibration import LOWEST, USUAL, read_calibration
from tests.fixtures.app import Shelf
from tests.fixtures.retrieval import SearchChoice

pytestmark = pytest.mark.anyio


@pytest.fixture(scope="module")
async def sample(shelf: Shelf, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[QdrantService]:
    folder = tmp_path_factory.mktemp("gate")
    shutil.copytree(shelf.data_dir / "qdrant", folder / "qdrant")
    index = open_index(SearchChoice(folder))
    yield index
    await index.close()


async def passes(
    question: str, index: QdrantService, embedder: EmbeddingService, cosine: float | None = None
) -> bool:
    understood = await QueryRewriter(shelf=index).understand(question, "", ())
    return bool((await Retriever(embedder, index, threshold=cosine).find(understood.search)).passages)


async def test_ingest_measured_the_sample_book(sample: QdrantService) -> None:
    line = read_calibration((await sample.manifest()).gate)
    assert line.is_measured
    assert LOWEST <= line.threshold < USUAL
    assert line.off_topic_refused >= 0.85
    assert line.own_refused <= 0.03


@pytest.mark.parametrize(
    "question",
    [
        "What is inverse kinematics?",
        "Why does a robot need more than one sensor to know where it is?",
        "IK",
        "URDF?",
        "what is a quaternion",
        "ros2 launch",
        "What is this book about?",
        "How many chapters does it have?",
        "inverse kinematics kya hai?",
        "روبوٹ کے سینسر کیسے کام کرتے ہیں؟",
        "Which legged robot walks fastest on ice?",  # near the subject: for the model to refuse
    ],
)
async def test_what_the_book_may_answer_passes(
    question: str, sample: QdrantService, embedder: EmbeddingService
) -> None:
    assert await passes(question, sample, embedder)


@pytest.mark.parametrize(
    "question",
    [
        "hi",
        "thank you!",
        "How do I bake a chocolate cake?",
        "Who won the football world cup in 1998?",
        "write me a poem",
        "Is my tenancy contract valid without a signature?",
        "Which bank pays the best interest?",
        "salam, kya haal hai",
        "mujhe biryani ki recipe batao",
        "آج لاہور میں بارش ہوگی؟",
        "What is SLAM?",  # a name that the sample book never mentions
        "GPT-4",
    ],
)
async def test_what_it_has_nothing_on_is_refused(
    question: str, sample: QdrantService, embedder: EmbeddingService
) -> None:
    assert not await passes(question, sample, embedder)


async def test_a_cosine_that_the_owner_set_decides_instead(sample: QdrantService, embedder: EmbeddingService) -> None:
    question = "In what manner may automata avoid tumbling to the floor?"
    assert await passes(question, sample, embedder)
    assert not await passes(question, sample, embedder, cosine=0.99)
    assert await passes("How do I bake a chocolate cake?", sample, embedder, cosine=0.0)
