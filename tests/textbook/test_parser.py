"""Headings get Docusaurus's anchors; sections, visible words and quizzes come out as a reader would say."""

import json
import time
from pathlib import Path
from typing import Any

import pytest

from backend.app.textbook.docusaurus import Book, read_book
from backend.app.textbook.parser import parse_headings, parse_sections, plain_text

EDGE = Path(__file__).parent / "data" / "docusaurus-edge"
TRUTH: dict[str, Any] = json.loads((EDGE / "truth.json").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def edge_book() -> Book:
    return read_book(EDGE, include_unlisted=True)


@pytest.mark.parametrize("source", TRUTH["anchors"])
def test_every_heading_has_the_anchor_that_docusaurus_built(edge_book: Book, source: str) -> None:
    chapter = next(chapter for chapter in edge_book.chapters if f"docs/{chapter.source_path}" == source)
    found = [[f"h{heading.level}", heading.anchor or "undefined"] for heading in parse_headings(chapter.content)]
    if not any(level == "h1" for level, _ in found):
        found.insert(0, ["h1", "undefined"])  # Docusaurus puts the front matter's title above the page
    assert found == TRUTH["anchors"][source]


QUIZZES = [
    '<Quiz questions={[{q: "2+2?", a: "SECRET"}]} />',
    '<Quiz>\n\n## Q1\n\nSECRET {a > b ? "x" : "}"}\n\n</Quiz>',
    "<KnowledgeCheck.Item answer='SECRET'>SECRET</KnowledgeCheck.Item>",
    "<MCQ\n  options={[\n\n    `SECRET ${x}`,\n  ]}\n/>",
    "export const questions = [\n  {q: 'a', answer: 'SECRET'},\n\n  {q: \"it's\", answer: 'SECRET'},\n];",
    "Prose.\nexport const quiz = {\n a: 'SECRET' };",
    '<div className="knowledge-check">\n<div>\n\n- B) SECRET ✓\n\n</div>\n</div>',
    ":::quiz\n\nSECRET\n\n:::",
    "## Review questions\n\n1. Why?\n\n<details>\n<summary>Show</summary>\n\nSECRET\n\n</details>",
    "<details>\n<summary>Click to reveal the answer</summary>\n\nSECRET\n\n</details>",
    "## Answers\n\n1. SECRET\n\n### More\n\nSECRET",
    "{questions.map((q) => <li>SECRET {q}</li>)}",
    "<Quiz>\n\nSECRET, and the tag is never closed",
    "<Flashcard front='SECRET'\n back={<b>SECRET</b>}\n/>",
    "> <Quiz answer={'SECRET'} />",
]


@pytest.mark.parametrize("quiz", QUIZZES)
def test_no_quiz_gives_its_answer_away(quiz: str) -> None:
    page = f"# Page\n\nBefore it.\n\n{quiz}\n\n## After\n\nThe end."
    sections = parse_sections(page, "Page")
    assert "SECRET" not in str(sections)
    assert "SECRET" not in plain_text(page)
    assert "Before it." in plain_text(page)
    assert sections[-1].title == "After"
    assert sections[-1].anchor == "after"
    assert sections[-1].blocks[0].text == "The end."


def test_questions_in_plain_markdown_and_faqs_stay() -> None:
    page = "## Quiz\n\n1. What is torque?\n\n## Frequently asked questions\n\n"
    page += "<details>\n<summary>Why?</summary>\n\nSo.\n\n</details>"
    assert plain_text(page).split("\n") == ["Quiz", "What is torque?", "Frequently asked questions", "Why?", "So."]


def test_program_text_goes_and_visible_words_stay() -> None:
    page = (
        "import X from 'x';\n\nexport const Y = () => <b>{'NO'}</b>;\n\n"
        '<Tabs>\n<TabItem value="NO" label="Linux">\n\nRun it.\n\n</TabItem>\n</Tabs>\n\n'
        ':::note[Mind the **gap**]\nBody.\n:::\n\n<Card title="Shown" href="NO" />\n\n{/* NO */}\n<!-- NO -->\n\n'
        'H<sub>2</sub>O is {"literal"}.<br/>Next\n\n```mermaid\ngraph LR\n  NO[Sense] -->|then| B(Act)\n```\n\n'
        '```py title="a.py"\nx = "<Quiz/>"\n```\n\n'
        "$$\n\\int x\n$$\n\n![NO](NO.png) [link](NO) `a < b`\n"
    )
    words = plain_text(page)
    assert "NO" not in words
    for shown in ("Linux", "Run it.", "Mind the gap", "Body.", "Shown", "H2O is literal. Next", "a.py", '"<Quiz/>"'):
        assert shown in words
    assert "\\int x" in words
    assert "link a < b" in words


@pytest.mark.parametrize(
    "heading", ["## Setup {#NO}", "## Setup {/* #NO */}", "## Setup <!-- #NO -->", "Setup {#NO}\n---"]
)
def test_a_headings_explicit_id_is_an_anchor_and_no_word(heading: str) -> None:
    assert [found.anchor for found in parse_headings(heading)] == ["NO"]
    assert plain_text(heading) == "Setup"


def test_sections_link_to_the_nearest_heading_that_is_visible() -> None:
    page = (
        "Intro.\n\n## Setup\n\n<Tabs>\n<TabItem label='A'>\n\n### Inside\n\nText.\n\n</TabItem>\n</Tabs>\n\n"
        "### After\n\nMore.\n\n<h3>Raw</h3>\n\nRaw text.\n"
    )
    found = [(section.title, section.anchor, section.heading_path) for section in parse_sections(page, "T")]
    assert found == [
        ("T", "", ("T",)),
        ("Setup", "setup", ("T", "Setup")),
        ("Inside", "setup", ("T", "Setup", "Inside")),
        ("After", "after", ("T", "Setup", "After")),
        ("Raw", "after", ("T", "Setup", "Raw")),
    ]


def test_the_pages_own_h1_does_not_repeat_the_chapters_title() -> None:
    (_, section) = parse_sections("# Motion\n\nText.", "Chapter 4: Motion")
    assert section.heading_path == ("Chapter 4: Motion",)


HOSTILE = {
    "nested quotes": ">" * 3000 + " deep",
    "nested lists": "- " * 3000 + "deep",
    "open braces": "{\n" * 5000 + "deep",
    "open tags": "<a b={" * 3000 + "deep",
    "open links": "[" * 20_000 + "deep",
    "open quizzes": "<Quiz>\n# a\n" * 2000 + "deep",
    "unclosed fence": "```\n" + "x\n" * 5000 + "deep",
    "unclosed comment": "<!-- " * 5000 + "deep",
    "dots": "." * 50_000 + " deep",
    "headings": "## same\n" * 3000 + "deep",
    "long line": "word " * 100_000 + "deep",
}


@pytest.mark.parametrize("page", HOSTILE.values(), ids=HOSTILE.keys())
def test_hostile_pages_end_soon_and_keep_their_last_word(page: str) -> None:
    started = time.process_time()
    assert "deep" in plain_text(page)
    assert sum(len(section.blocks) for section in parse_sections(page, "T")) > 0
    assert time.process_time() - started < 10
