"""The index to measure on: built from kept vectors, apart from the site's, whatever happens to its files."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from backend.app.errors import EvaluationError
from backend.app.evaluation.library import read_corpus
from backend.app.evaluation.vector_cache import RememberingEncoder
from backend.app.utils.config import Settings
from tests.evaluation.conftest import Ask, asked, write_lines
from tests.fixtures.processes import run

DRIFT = asked("Why does a gyroscope drift?", ("intro.md", "Its bias makes the angle drift"))


class CountingEncoder:
    """Vectors that tell their text's length; notes what it was asked."""

    dimension = 2
    max_tokens = 256

    def __init__(self) -> None:
        self.asked: list[str] = []

    def encode(self, texts: "list[str] | tuple[str, ...]") -> "np.ndarray":
        self.asked += texts
        return np.array([[len(text), 1.0] for text in texts], dtype=np.float32)

    def count_tokens(self, texts: "list[str]") -> list[int]:
        return [len(text) for text in texts]


def test_a_text_is_embedded_once_and_forgotten_when_the_book_has_it_no_more(tmp_path: Path) -> None:
    file = tmp_path / "vectors.npz"
    first = RememberingEncoder(CountingEncoder(), file)
    assert first.encode(["one", "three", "one"])[:, 0].tolist() == [3, 5, 3]
    first.save()

    model = CountingEncoder()
    second = RememberingEncoder(model, file)
    assert second.encode(["three", "seventeen"])[:, 0].tolist() == [5, 9]
    assert model.asked == ["seventeen"]
    second.save()

    model = CountingEncoder()
    third = RememberingEncoder(model, file)
    third.encode(["one", "three"])
    assert model.asked == ["one"]


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 no archive", b"\x93NUMPY", b"x" * 1000])
def test_a_damaged_file_is_made_anew(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "vectors.npz"
    file.write_bytes(content)
    model = CountingEncoder()
    encoder = RememberingEncoder(model, file)
    encoder.encode(["one"])
    encoder.save()
    assert model.asked == ["one"]
    again = CountingEncoder()
    RememberingEncoder(again, file).encode(["one"])
    assert again.asked == []
    assert [path.name for path in tmp_path.iterdir()] == ["vectors.npz"]


@pytest.mark.anyio
async def test_only_vectors_are_kept(ask: Ask, measuring: Settings) -> None:
    await ask(DRIFT)
    kept = {path.relative_to(measuring.data_dir).parts[0] for path in measuring.data_dir.rglob("*") if path.is_file()}
    assert kept == {"evaluation", "models"}  # no qdrant, no postgres, no secret


def test_processes_may_measure_at_the_same_time(tmp_path: Path, docs: Path) -> None:
    questions = write_lines(tmp_path / "questions.jsonl", [DRIFT])
    command = [sys.executable, "-m", "backend", "evaluate", "--docs", str(docs), "--questions", str(questions)]
    environment = {"DATA_DIR": str(tmp_path / "data"), "PATH": "/usr/bin:/bin"}
    repository = Path(__file__).resolve().parents[2]
    together = [
        subprocess.Popen(command, cwd=repository, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        for _ in range(3)
    ]
    outputs = [process.communicate(timeout=120)[0].decode() for process in together]
    assert [process.returncode for process in together] == [0, 0, 0], outputs
    assert all("100.0" in output for output in outputs)


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        ('{"id": "p1"}', 'line 1: a passage needs "id" and "text"'),
        ('{"text": "x"}', 'line 1: a passage needs "id" and "text"'),
        ('{"id": "p1", "text": 5}', "line 1: a passage needs"),
        ('{"id": "p1", "text": "x", "title": 5}', "line 1: a passage needs"),
        ('{"id": "p1", "text": "x"}\n{"id": "p1", "text": "y"}', 'line 2: the id "p1" was used before'),
        ("\n", "holds no passage"),
    ],
)
def test_a_corpus_that_cannot_be_used_is_told_with_its_line(tmp_path: Path, lines: str, said: str) -> None:
    path = tmp_path / "corpus.jsonl"
    path.write_text(lines)
    with pytest.raises(EvaluationError) as failure:
        read_corpus(path)
    assert said in failure.value.detail


def test_a_passage_is_taken_as_it_is(tmp_path: Path) -> None:
    (chapter,) = read_corpus(
        write_lines(tmp_path / "c.jsonl", [{"id": 4, "text": "# a\n<b> {c}", "title": None}])
    ).chapters
    assert (chapter.chapter_id, chapter.title, chapter.content) == ("4", "", "# a\n<b> {c}")


def test_wrong_files_are_exit_code_2_and_one_sentence(tmp_path: Path, docs: Path) -> None:
    questions = tmp_path / "questions.jsonl"
    questions.write_text("{broken")
    code, out, err = run(
        "evaluate", "--docs", str(docs), "--questions", str(questions), DATA_DIR=str(tmp_path / "data")
    )
    assert (code, out) == (2, "")
    reason = "Expecting property name enclosed in double quotes"
    assert err == f"{questions}, line 1 is not JSON ({reason}). Write one object a line.\n"
