"""What gives away a quiz: its questions and answers must never be found by a search.

What counts:
- a component or directive whose name says so (Quiz, MCQ, KnowledgeCheck, `:::quiz`), with its children;
- an HTML element whose class says so (`<div className="knowledge-check">`);
- `<details>` whose summary promises an answer, or that stands under a heading like "Quiz" or "Exercise 1";
- the body under a heading like "Answers" or "Answer key". Questions in plain Markdown stay: they are no secret.
"""

import re

_QUIZ_NAME = re.compile(
    r"quiz|mcq|flash-?card|assessment|knowledge-?check|question(?!naire)|multiple-?choice|true-?(?:or-?)?false"
    r"|fill-?in|self-?(?:check|test)|check-?your|exam(?!ple|ine)|answer|trivia",
    re.IGNORECASE,
)
_QUIZ_HEADING = re.compile(
    r"\b(?:quiz(?:zes)?|(?:review|practice|study|test) (?:questions?|problems?)|knowledge check|check (?:your|my)"
    r"|self[- ]?(?:check|test|assessment)|test yourself|exercises?|flash ?cards?|multiple[- ]choice|mcqs?)\b"
    r"|^questions$",
    re.IGNORECASE,
)
_ANSWER_HEADING = re.compile(
    r"(?:(?:quiz|review|exercise|question|check)s? )?(?:answers?|answer keys?|model answers)(?: (?:to|for|key)\b.*)?"
    r"|(?:quiz|exercise)s? solutions?",
    re.IGNORECASE,
)
_ANSWER_SUMMARY = re.compile(r"\b(?:answers?|solutions?|reveal)\b", re.IGNORECASE)


def is_quiz_name(name: str) -> bool:
    """Whether a component, directive or class of this name belongs to a quiz. A FAQ is content, not a quiz."""
    return _QUIZ_NAME.search(name) is not None and "faq" not in name.lower()


def is_quiz_heading(text: str) -> bool:
    """Whether what stands folded (`<details>`) under this heading is an answer."""
    return _QUIZ_HEADING.search(text) is not None


def is_answer_heading(text: str) -> bool:
    """Whether the body under this heading is nothing but answers."""
    return _ANSWER_HEADING.fullmatch(text) is not None


def promises_answer(summary: str) -> bool:
    """Whether the summary of a `<details>` says that an answer is behind it."""
    return _ANSWER_SUMMARY.search(summary) is not None
