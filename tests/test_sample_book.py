"""The book that a first start indexes: whole, within the limits, and without the answers of its quizzes."""

import re
import subprocess
from pathlib import Path

import httpx2
import pytest

from backend.app.lifespan import SAMPLE_BOOK
from backend.app.services.embedding_service import EmbeddingService
from backend.app.textbook.chunker import chunk_book, words_kept
from backend.app.textbook.docusaurus import Book, read_book
from tests.fixtures.accounts import bearer, signup_form

REPO = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def sample_book() -> Book:
    return read_book(SAMPLE_BOOK)


def quiz_strings() -> list[str]:
    """Every string of three words or more inside the quiz components of the pages."""
    pages = [path.read_text(encoding="utf-8") for path in SAMPLE_BOOK.rglob("*.md*")]
    components = [match for page in pages for match in re.findall(r"<Quiz\b.*?/>", page, re.DOTALL)]
    strings = [string for component in components for string in re.findall(r'"([^"]+)"', component)]
    return [string for string in strings if len(string.split()) >= 3]


def test_it_has_six_chapters_in_three_modules_and_no_warning(sample_book: Book) -> None:
    assert len(sample_book.chapters) == 6
    assert sample_book.warnings == ()
    assert len({chapter.module for chapter in sample_book.chapters if chapter.module}) == 3


def test_it_is_a_part_of_the_package() -> None:
    """What is in the repository is what a deployment gets: a page that git ignores would be missing there."""
    assert (REPO / "backend" / "app") in SAMPLE_BOOK.parents
    pages = {path.relative_to(REPO).as_posix() for path in SAMPLE_BOOK.rglob("*") if path.is_file()}
    ignored = subprocess.run(["git", "check-ignore", *pages], cwd=REPO, capture_output=True, text=True, check=False)
    assert ignored.stdout == ""


def test_no_answer_of_a_quiz_is_in_any_passage(sample_book: Book, embedder: EmbeddingService) -> None:
    answers = quiz_strings()
    assert len(answers) > 15
    told = "\n".join(chunk.embedding_text for chunk in chunk_book(sample_book, embedder.count_tokens))
    assert [answer for answer in answers if answer in told] == []


def test_its_passages_fit_the_model_and_keep_its_words(sample_book: Book, embedder: EmbeddingService) -> None:
    chunks = chunk_book(sample_book, embedder.count_tokens)
    assert max(embedder.count_tokens([chunk.embedding_text for chunk in chunks])) <= embedder.max_tokens
    assert words_kept(sample_book, chunks) >= 0.99


def test_its_first_chapter_is_there_in_urdu_and_for_beginners_without_a_key(client: httpx2.Client) -> None:
    headers = bearer(client.post("/api/auth/signup", json=signup_form()).json()["access_token"])
    for call, more in (("translate", {}), ("personalize", {"level": "beginner"})):
        answered = client.post(f"/api/{call}/chapter", headers=headers, json={"chapter_id": "intro", **more})
        assert answered.status_code == 200
        assert answered.json()["cached"]
    assert client.get("/api/translate/cache/intro/ur", headers=headers).json()["title"] == "Physical AI کیا ہے"
    left = client.get("/api/user/limits", headers=headers).json()
    for name in ("translations", "personalizations"):
        assert left[name]["remaining"] == left[name]["limit"]
