"""Passages of a small robotics book, as search returns them."""

import hashlib
from typing import Any

from backend.app.models.domain import ChapterId, Chunk, ScoredChunk
from backend.app.services.passages import Passage

NODE = "A node is a process that performs computation. Nodes talk through topics, services and actions."
TOPIC = "A topic is a named bus over which nodes exchange messages. Topics are many-to-many."


def chunk(text: str = NODE, position: int = 0, **fields: Any) -> Chunk:
    known: dict[str, Any] = {
        "chapter_id": ChapterId("ros/nodes"),
        "section": "Nodes",
        "heading_path": ("ROS 2", "Nodes"),
        "anchor": "nodes",
        "url": "/docs/ros/nodes",
        "title": "ROS 2",
        "text": text,
        "position": position,
        "content_hash": hashlib.sha256(text.encode()).hexdigest(),
    }
    return Chunk(**{**known, **fields})


def hit(text: str = NODE, position: int = 0, score: float = 0.7, **fields: Any) -> ScoredChunk:
    dense, lexical = fields.pop("dense", score), fields.pop("lexical", 0.0)
    return ScoredChunk(chunk(text, position, **fields), score, dense, lexical)


def passage(text: str = NODE, position: int = 0, **fields: Any) -> Passage:
    found = hit(text, position, **fields)
    return Passage(found, (found.chunk,))
