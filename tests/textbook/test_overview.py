"""The passage about the whole book says only what stands on its pages, and leads to the first of them."""

from backend.app.textbook.overview import overview_chunk
from backend.app.textbook.parser import plain_text
from tests.textbook.test_chunker import book, count_tokens

INTRO = "This book is about robots that walk. More.\n\n## Who is it for?\n\nIt is meant for students of physics."
WALKING = "# Walking\n\n## Balance\n\nWalking on two legs is controlled falling. And more of it."
SEEING = "# Seeing\n\nCameras measure the light that reaches them."


def test_it_tells_how_the_book_and_each_chapter_begin() -> None:
    chunk = overview_chunk(book(INTRO, WALKING, SEEING, title="Robots"), 7, count_tokens, 256)
    assert chunk is not None
    assert chunk.text.split("\n\n") == [
        "Robots",
        "This book is about robots that walk.",
        "Who is it for?",
        "It is meant for students of physics.",
        "Robots",
        "Walking on two legs is controlled falling.",
        "Robots",
        "Cameras measure the light that reaches them.",
    ]
    assert (chunk.chapter_id, chunk.url, chunk.anchor, chunk.position) == ("c0", "/docs/c0", "", 7)
    pages = " ".join(" ".join(plain_text(page).split()) for page in (INTRO, WALKING, SEEING))
    assert all(line == "Robots" or line in pages for line in chunk.text.split("\n\n"))


def test_it_is_searched_by_titles_and_by_the_words_of_such_questions() -> None:
    chunk = overview_chunk(book(INTRO, WALKING, SEEING, title="Robots"), 0, count_tokens, 256)
    assert chunk is not None
    assert "table of contents" in chunk.embedding_text
    assert chunk.embedding_text.endswith("Robots\nRobots\nRobots")


def test_a_long_book_is_told_by_its_titles_within_the_limit() -> None:
    pages = [
        f"Chapter number {n} explains a subject at some length, with more than a few words of it." for n in range(150)
    ]
    chunk = overview_chunk(book(INTRO, *pages, title="Robots and all that they need"), 0, count_tokens, 256)
    assert chunk is not None
    assert len(chunk.text) <= 3_000
    assert "explains a subject" not in chunk.text
    assert chunk.text.count("Robots and all that they need") > 20
    assert 150 < count_tokens([chunk.embedding_text])[0] <= 256


def test_a_book_of_two_chapters_is_its_own_overview() -> None:
    assert overview_chunk(book(INTRO, WALKING), 0, count_tokens, 256) is None
