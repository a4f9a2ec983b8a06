"""A small book and a small corpus to measure on."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from backend.app.evaluation.command import Request, measure
from backend.app.evaluation.report import Report
from backend.app.utils.config import Settings

PAGES = {
    "intro.md": """# Robots

A robot senses, decides and acts. This book explains robots from the sensors upward.

## Gyroscopes

A gyroscope measures angular velocity. Its bias makes the angle drift, so that after a minute the heading is wrong.

## Batteries

A battery of a walking robot lasts two hours. Charging it takes forty minutes on the grey charger in the corner.
""",
    "arms/kinematics.md": """# Kinematics

Forward kinematics computes where the hand is from the joint angles. It has exactly one answer.

## Singularities

Near a stretched elbow the hand loses the ability to move outward, and joint velocities explode.
""",
}
CORPUS = [
    {
        "id": "p1",
        "title": "Mars",
        "text": "Mars is the fourth planet from the Sun and is covered with iron oxide dust.",
    },
    {"id": "p2", "title": "Venus", "text": "Venus rotates backwards and its surface is hot enough to melt lead."},
    {"id": "p3", "title": "", "text": "Jupiter is a gas giant with a storm that has lasted for centuries."},
]


def write_lines(path: Path, records: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(record) + "\n" for record in records), encoding="utf-8")
    return path


@pytest.fixture
def docs(tmp_path: Path) -> Path:
    for name, text in PAGES.items():
        page = tmp_path / "docs" / name
        page.parent.mkdir(parents=True, exist_ok=True)
        page.write_text(text, encoding="utf-8")
    return tmp_path / "docs"


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    return write_lines(tmp_path / "corpus.jsonl", CORPUS)


@pytest.fixture(scope="session")
def measuring(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Settings of an owner who measures: a data folder and nothing else."""
    return Settings(data_dir=tmp_path_factory.mktemp("measuring"))


Ask = Callable[..., Any]


@pytest.fixture
def ask(measuring: Settings, docs: Path, tmp_path: Path) -> Ask:
    """Measure these records over the small book: `await ask({...}, {...}, model="answers")`."""

    async def run(*records: dict[str, Any], settings: Settings = measuring, **request: Any) -> Report:
        questions = write_lines(tmp_path / "questions.jsonl", list(records))
        book = {} if "corpus" in request else {"docs": docs}
        return await measure(settings, Request(questions=(questions,), **(book | request)))

    return run


def asked(question: str, *golds: tuple[str, str], question_id: str = "q", **fields: Any) -> dict[str, Any]:
    """A question whose answer stands at (file, words)."""
    gold = [{"file": file, "must_contain": words} for file, words in golds]
    return {"id": question_id, "question": question, "gold": gold} | fields
