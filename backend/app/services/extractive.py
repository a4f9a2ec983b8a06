"""Answers without a model: the book's own words, and a first line in the reader's language that says so. Pure."""

from collections.abc import Mapping, Sequence

from backend.app.models.domain import QuestionLanguage
from backend.app.services.citations import CheckedAnswer, Quote
from backend.app.services.passages import Passage

FIRST_LINES: Mapping[QuestionLanguage, str] = {
    "ur": "کوئی AI ماڈل ترتیب نہیں دیا گیا: یہ کتاب کے وہ اقتباسات ہیں جو سوال سے ملتے ہیں، لفظ بہ لفظ۔",
    "ur-Latn": "Koi AI model set nahi hai: ye kitab ke wo hisse hain jo sawal se milte hain, lafz ba lafz.",
    "en": "No AI model is configured: these are the passages of the book that fit the question, word for word.",
}
FIRST_LINES_UNPAID: Mapping[QuestionLanguage, str] = {
    "ur": "یہ کتاب کے وہ اقتباسات ہیں جو سوال سے ملتے ہیں، لفظ بہ لفظ۔",
    "ur-Latn": "Ye kitab ke wo hisse hain jo sawal se milte hain, lafz ba lafz.",
    "en": "These are the passages of the book that fit the question, word for word.",
}
MAX_PASSAGES = 3
_QUOTE_CHARS = 160  # whole sentences until there are this many
_SCORE_SHARE = 0.6
"""Of the best passage's score: less came along by chance. At .7 no answer of 152 questions over two books is lost."""
_FEWEST_WORDS = 12  # a heading's one-line introduction scores high by the heading alone and explains nothing


def quote_passages(
    passages: Sequence[Passage], language: QuestionLanguage = "en", *, has_model: bool = False
) -> CheckedAnswer | None:
    """The best of the first three passages, whole; None when there are none. Mere one-liners only when there is
    nothing else. `has_model`: there is one, but not for this question."""
    telling = [passage for passage in passages if len(passage.text.split()) >= _FEWEST_WORDS]
    shown = _without_chance_finds((telling or passages)[:MAX_PASSAGES])
    if not shown:
        return None
    parts = (f"**{passage.title}**\n\n{passage.text.strip()}" for passage in shown)
    quotes = tuple(Quote(passage, passage.hit.chunk, _beginning(passage)) for passage in shown)
    first_lines = FIRST_LINES_UNPAID if has_model else FIRST_LINES
    first_line = first_lines.get(language, first_lines["en"])
    return CheckedAnswer("\n\n".join([first_line, *parts]), quotes, dropped=0)


def _without_chance_finds(passages: Sequence[Passage]) -> list[Passage]:
    """Marked text that no search found has the score 1, to which nothing compares."""
    best = max((passage.hit.score for passage in passages if passage.hit.score < 1), default=0)
    return [passage for passage in passages if passage.hit.score >= _SCORE_SHARE * best]


def _beginning(passage: Passage) -> str:
    quote = ""
    for number, block in enumerate(passage.blocks):
        if quote or passage.chunk_at(number) is passage.hit.chunk:
            quote += block
        if len(quote) >= _QUOTE_CHARS:
            break
    return quote.strip()
