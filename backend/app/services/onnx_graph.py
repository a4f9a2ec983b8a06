"""The all-MiniLM-L6-v2 encoder as an ONNX graph, written straight from the names of its published weights.

Knows the network's shape (BERT, 6 layers, 12 heads of 32) and how to cache the graph on disk. Must not know what is
embedded or why. The graph carries no weights: they are handed to onnxruntime from the safetensors file, so the cache
is ~20 kB, is made in ~10 ms and no second copy of the 90 MB lies on disk. `onnx` is imported only to build.

One text per run: `input_ids (1, sequence)` int64 -> `embedding (1, 384)` float32, mean-pooled and L2-normalised.
Batches are left out on purpose: padding makes them slower on a CPU (17 against 13 passages/s here) and their peak
memory stays allocated (+65 MB at 8 texts).
"""

import contextlib
import hashlib
import math
import os
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

LAYERS = 6
HEADS = 12
WIDTH = 384
HEAD_WIDTH = WIDTH // HEADS
LAYER_NORM_EPSILON = 1e-12
GRAPH_VERSION = 1
_DIGEST_BYTES = 32


def graph_bytes(shapes: Mapping[str, tuple[int, ...]], cache: Path) -> bytes:
    """The serialised model: from `cache`, or built and cached when the file is missing or damaged.

    `shapes` are the tensors of the weights file by name. A cache that cannot be written costs only the next start.
    """
    with contextlib.suppress(OSError):
        stored = cache.read_bytes()
        digest, graph = stored[:_DIGEST_BYTES], stored[_DIGEST_BYTES:]
        if hashlib.sha256(graph).digest() == digest:
            return graph
    graph = _Graph(shapes).minilm()
    with contextlib.suppress(OSError):
        _write_atomically(cache, hashlib.sha256(graph).digest() + graph)
    return graph


def _write_atomically(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=path.name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        Path(name).replace(path)
    except OSError:
        Path(name).unlink(missing_ok=True)
        raise


class _Graph:
    """Collects nodes and initialisers; each method adds one layer type and returns its output's name."""

    def __init__(self, shapes: Mapping[str, tuple[int, ...]]) -> None:
        import onnx
        from onnx import helper

        self._onnx: Any = onnx
        self._helper: Any = helper
        self._shapes = shapes
        self._nodes: list[Any] = []
        self._initializers: dict[str, Any] = {}

    def minilm(self) -> bytes:
        x = self._embeddings()
        for layer in range(LAYERS):
            x = self._layer(x, f"encoder.layer.{layer}")
        self._pool(x)
        helper, tensor = self._helper, self._onnx.TensorProto
        graph = helper.make_graph(
            self._nodes,
            "all-MiniLM-L6-v2",
            [helper.make_tensor_value_info("input_ids", tensor.INT64, [1, "sequence"])],
            [helper.make_tensor_value_info("embedding", tensor.FLOAT, [1, WIDTH])],
            list(self._initializers.values()),
        )
        # opset 20 is the first with Gelu; IR 10 is what it came with
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
        return model.SerializeToString()

    def _embeddings(self) -> str:
        """(1, sequence) ids -> (sequence, 384): word + position + the first token type, normalised."""
        words = self._op("Gather", self._weight("embeddings.word_embeddings.weight"), "input_ids")
        length = self._op("Shape", "input_ids", start=1, end=2)
        zero, one = self._ints("zero", 0), self._ints("one", 1)
        table = self._weight("embeddings.position_embeddings.weight")
        positions = self._op("Slice", table, zero, length, zero)
        token_type = self._op("Slice", self._weight("embeddings.token_type_embeddings.weight"), zero, one, zero)
        summed = self._op("Add", words, self._op("Add", positions, token_type))
        flat = self._op("Reshape", summed, self._ints("flat", -1, WIDTH))
        return self._layer_norm(flat, "embeddings.LayerNorm")

    def _layer(self, x: str, name: str) -> str:
        attended = self._linear(self._attention(x, f"{name}.attention.self"), f"{name}.attention.output.dense")
        x = self._layer_norm(self._op("Add", x, attended), f"{name}.attention.output.LayerNorm")
        hidden = self._op("Gelu", self._linear(x, f"{name}.intermediate.dense"))
        widened = self._linear(hidden, f"{name}.output.dense")
        return self._layer_norm(self._op("Add", x, widened), f"{name}.output.LayerNorm")

    def _attention(self, x: str, name: str) -> str:
        """Every position attends to every other: there is no padding, so no mask."""
        query = self._heads(self._linear(x, f"{name}.query"), [1, 0, 2])
        key = self._heads(self._linear(x, f"{name}.key"), [1, 2, 0])
        value = self._heads(self._linear(x, f"{name}.value"), [1, 0, 2])
        scale = self._float("scale", 1 / math.sqrt(HEAD_WIDTH))
        weights = self._op("Softmax", self._op("Mul", self._op("MatMul", query, key), scale), axis=-1)
        mixed = self._op("Transpose", self._op("MatMul", weights, value), perm=[1, 0, 2])
        return self._op("Reshape", mixed, self._ints("flat", -1, WIDTH))

    def _heads(self, x: str, order: list[int]) -> str:
        split = self._op("Reshape", x, self._ints("heads", -1, HEADS, HEAD_WIDTH))
        return self._op("Transpose", split, perm=order)

    def _pool(self, x: str) -> None:
        axis = self._ints("zero", 0)
        mean = self._op("ReduceMean", x, axis, keepdims=1)
        length = self._op("ReduceL2", mean, self._ints("one", 1), keepdims=1)
        safe = self._op("Max", length, self._float("tiny", 1e-12))
        self._nodes.append(self._helper.make_node("Div", [mean, safe], ["embedding"]))

    def _linear(self, x: str, name: str) -> str:
        # torch keeps (out, in), hence the transposition
        return self._op("Gemm", x, self._weight(f"{name}.weight"), self._weight(f"{name}.bias"), transB=1)

    def _layer_norm(self, x: str, name: str) -> str:
        scale, bias = self._weight(f"{name}.weight"), self._weight(f"{name}.bias")
        return self._op("LayerNormalization", x, scale, bias, axis=-1, epsilon=LAYER_NORM_EPSILON)

    def _op(self, kind: str, *inputs: str, **attributes: object) -> str:
        output = f"{kind}_{len(self._nodes)}"
        self._nodes.append(self._helper.make_node(kind, list(inputs), [output], **attributes))
        return output

    def _ints(self, name: str, *values: int) -> str:
        tensor = self._helper.make_tensor(name, self._onnx.TensorProto.INT64, [len(values)], values)
        self._initializers[name] = tensor
        return name

    def _float(self, name: str, value: float) -> str:
        self._initializers[name] = self._helper.make_tensor(name, self._onnx.TensorProto.FLOAT, [], [value])
        return name

    def _weight(self, name: str) -> str:
        """Declares a tensor whose values the session receives from outside the model file."""
        tensor = self._onnx.TensorProto()
        tensor.name, tensor.data_type = name, tensor.FLOAT
        tensor.dims.extend(self._shapes[name])
        tensor.data_location = tensor.EXTERNAL
        size = 4 * math.prod(self._shapes[name])
        for key, value in (("location", "model.safetensors"), ("offset", "0"), ("length", str(size))):
            entry = tensor.external_data.add()
            entry.key, entry.value = key, value
        self._initializers[name] = tensor
        return name
