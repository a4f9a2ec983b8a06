"""Vectors that were computed before, kept in a file: measuring twice embeds once.

The key of a vector is the text it stands for, so an edited book costs its edited passages. Processes that save at
the same time lose at most work, never the file: each writes a new one and renames it into place.
"""

import hashlib
import os
import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from backend.app.services.embedding_service import Encoder

Vectors = NDArray[np.float32]


class RememberingEncoder:
    """An encoder that runs the model only for texts it has not seen. Call `save` when done."""

    def __init__(self, encoder: Encoder, file: Path) -> None:
        self.dimension = encoder.dimension
        self.max_tokens = encoder.max_tokens
        self._encoder = encoder
        self._file = file
        self._known = _read(file, encoder.dimension)
        self._used: dict[str, Vectors] = {}
        self._is_new = False

    def encode(self, texts: Sequence[str]) -> Vectors:
        keys = [hashlib.sha256(text.encode()).hexdigest() for text in texts]
        missing = {key: text for key, text in zip(keys, texts, strict=True) if key not in self._known}
        if missing:
            self._known |= dict(zip(missing, self._encoder.encode(list(missing.values())), strict=True))
            self._is_new = True
        self._used |= {key: self._known[key] for key in keys}
        return np.stack([self._known[key] for key in keys])

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        return self._encoder.count_tokens(texts)

    def save(self) -> None:
        """Keeps what was asked for since the start, and nothing else: the file never outgrows its book."""
        if not self._is_new:
            return
        self._file.parent.mkdir(parents=True, exist_ok=True)
        unfinished = self._file.with_suffix(f".{os.getpid()}.tmp")
        try:
            with unfinished.open("wb") as file:
                np.savez(file, keys=np.array(list(self._used)), vectors=np.stack(list(self._used.values())))
            unfinished.replace(self._file)
        finally:
            unfinished.unlink(missing_ok=True)
        self._is_new = False


def _read(file: Path, dimension: int) -> dict[str, Vectors]:
    """Nothing when the file is missing, damaged or of another dimension: it is only a cache."""
    try:
        with file.open("rb") as opened, np.load(opened) as stored:
            keys, vectors = stored["keys"], stored["vectors"]
    except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile):
        return {}
    if vectors.shape != (len(keys), dimension) or vectors.dtype != np.float32:
        return {}
    return dict(zip(keys.tolist(), vectors, strict=True))
