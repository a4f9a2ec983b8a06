"""A passage as the fields stored beside its vectors, and back. Knows no vector store."""

from collections.abc import Mapping
from typing import Any

from backend.app.models.domain import ChapterId, Chunk


def write(chunk: Chunk, index_version: str) -> dict[str, Any]:
    return {
        "chapter_id": chunk.chapter_id,
        "section": chunk.section,
        "heading_path": list(chunk.heading_path),
        "anchor": chunk.anchor,
        "url": chunk.url,
        "title": chunk.title,
        "text": chunk.text,
        "position": chunk.position,
        "content_hash": chunk.content_hash,
        "words": chunk.words,
        "index_version": index_version,
    }


def read(payload: Mapping[str, Any]) -> Chunk:
    """Raises KeyError or TypeError when the fields are not those of `write`."""
    return Chunk(
        chapter_id=ChapterId(payload["chapter_id"]),
        section=payload["section"],
        heading_path=tuple(payload["heading_path"]),
        anchor=payload["anchor"],
        url=payload["url"],
        title=payload["title"],
        text=payload["text"],
        position=payload["position"],
        content_hash=payload["content_hash"],
        words=payload["words"],
    )
