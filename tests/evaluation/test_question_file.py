"""Question files as owners write them: three formats, and one sentence for everything that is wrong."""

import json
from pathlib import Path
from typing import Any

import pytest

from backend.app.errors import EvaluationError
from backend.app.evaluation.question_file import read_questions
from backend.app.evaluation.questions import Gold, Question

GOLD = {"file": "intro.md", "heading": "Robots", "must_contain": "a robot senses"}


def read(folder: Path, *records: Any, limit: int | None = None) -> tuple[Question, ...]:
    path = folder / "questions.jsonl"
    lines = [record if isinstance(record, str) else json.dumps(record, ensure_ascii=False) for record in records]
    path.write_text("\n".join(lines), encoding="utf-8")
    return read_questions([path], limit=limit).questions


def asked(question_id: str = "q1", **fields: Any) -> dict[str, Any]:
    return {"id": question_id, "question": "What is a robot?", "gold": [GOLD]} | fields


def test_a_question_over_a_docs_folder(tmp_path: Path) -> None:
    (question,) = read(
        tmp_path,
        asked(kind="short", lang="ur", answer_keywords=["senses"], selected_text="a robot", tags=["unknown field"]),
    )
    assert question.gold == (Gold("intro.md", "Robots", "a robot senses"),)
    assert (question.kind, question.lang, question.view) == ("short", "ur", "alone")
    assert (question.answerable, question.gold_mode) == (True, "any")
    assert question.keywords == (("senses",),)
    assert question.selected_text == "a robot"


@pytest.mark.parametrize("kind", ["near_domain_unanswerable", "off_topic", "unanswerable"])
def test_kinds_that_cannot_be_answered_need_no_gold(tmp_path: Path, kind: str) -> None:
    (question,) = read(tmp_path, {"id": "q", "kind": kind, "question": "Why?", "gold": []})
    assert not question.answerable


def test_alternatives_of_a_keyword_are_one_group(tmp_path: Path) -> None:
    (question,) = read(tmp_path, asked(answer_keywords=["voice"], answer_keywords_any=[["voice", "آواز"], ["ear"]]))
    assert question.keywords == (("voice", "آواز"), ("ear",))


def test_each_later_turn_is_asked_in_its_thread_and_standing_alone(tmp_path: Path) -> None:
    turns = [
        {"question": "What is a node?", "standalone": "What is a node?", "gold": [GOLD]},
        {"question": "and a topic?", "standalone": "What is a topic?", "gold": [GOLD], "answer": "A channel."},
        {"question": "why?", "standalone": "Why are there topics?", "gold": [GOLD]},
    ]
    questions = read(tmp_path, {"id": "c1", "lang": "en", "turns": turns})
    assert [(q.key, q.text, len(q.turns)) for q in questions] == [
        ("c1.2/thread", "and a topic?", 1),
        ("c1.2/standalone", "What is a topic?", 0),
        ("c1.3/thread", "why?", 2),
        ("c1.3/standalone", "Why are there topics?", 0),
    ]
    assert [turn.answer for turn in questions[2].turns] == ["", "A channel."]


def test_a_question_over_a_corpus_is_asked_alone_and_with_its_history(tmp_path: Path) -> None:
    history = [
        {"role": "assistant", "content": "Hello."},
        {"role": "user", "content": "What is a node?"},
        {"role": "assistant", "content": "A program."},
        {"role": "user", "content": "Thanks"},
    ]
    record = {
        "id": 7,
        "text": "and a topic?",
        "gold": ["p1", "p2", "p1"],
        "answerability": "PARTIAL",
        "history": history,
    }
    alone, thread = read(tmp_path, record)
    assert (alone.question_id, alone.kind, alone.gold_mode) == ("7", "partial", "share")
    assert alone.gold == (Gold("p1"), Gold("p2"))
    assert alone.turns == ()
    assert [(turn.question, turn.answer) for turn in thread.turns] == [
        ("What is a node?", "A program."),
        ("Thanks", ""),
    ]


def test_what_a_corpus_does_not_answer_has_no_gold_even_where_one_is_named(tmp_path: Path) -> None:
    one, other = read(
        tmp_path,
        {"id": "1", "text": "Why?", "gold": ["p1"], "answerable": False},
        {"id": "2", "text": "Why?", "gold": [], "answerability": "UNDERSPECIFIED"},
    )
    assert (one.answerable, one.gold, one.kind) == (False, (), "unanswerable")
    assert (other.answerable, other.kind) == (False, "underspecified")


def test_blank_lines_a_byte_order_mark_and_line_separators_in_texts_are_fine(tmp_path: Path) -> None:
    path = tmp_path / "questions.jsonl"
    lines = ["", json.dumps(asked(question="one\u2028two"), ensure_ascii=False), "  ", json.dumps(asked("q2"))]
    path.write_text("\ufeff" + "\r\n".join(lines), encoding="utf-8")
    assert [question.question_id for question in read_questions([path]).questions] == ["q1", "q2"]


def test_a_limit_chooses_the_same_questions_whatever_their_order(tmp_path: Path) -> None:
    records = [asked(f"q{number}") for number in range(50)]
    chosen = {question.question_id for question in read(tmp_path, *records, limit=10)}
    assert len(chosen) == 10
    assert {question.question_id for question in read(tmp_path, *records[::-1], limit=10)} == chosen


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("{not json", "line 2 is not JSON"),
        ("[" * 100_000, "line 2 is not JSON"),
        ("[1, 2]", "line 2 is no JSON object"),
        ("42", "line 2 is no JSON object"),
        ({"question": "Why?", "gold": [GOLD]}, '"id" must be a text'),
        (asked("q1"), 'the id "q1" was used before'),
        (asked("q2", question=" "), '"question" must be a text that is not empty'),
        (asked("q2", question=["Why?"]), '"question" must be a text'),
        (asked("q2", gold=[]), 'an answerable question needs "gold"'),
        (asked("q2", gold=["intro.md"]), '"gold" must be a list of objects'),
        (asked("q2", gold={"file": "intro.md"}), '"gold" must be a list'),
        (asked("q2", gold=[{"must_contain": "x"}]), '"file" must be a text'),
        (asked("q2", gold_mode="some"), '"gold_mode" is "some"; it can be "any" or "all"'),
        (asked("q2", answerable="yes"), '"answerable" must be true or false'),
        (asked("q2", answer_keywords_any=["x"]), '"answer_keywords_any" a list of lists of texts'),
        (asked("q2", kind=5), '"kind" must be a text'),
        ({"id": "c", "turns": [{"question": "Why?"}]}, "at least two turns"),
        ({"id": "c", "turns": [{"question": "Why?"}, {"question": "And?", "gold": [GOLD]}]}, '"standalone" must be'),
        ({"id": "p", "text": "Why?", "gold": [{"file": "x"}]}, '"gold" is a list of passage ids'),
        ({"id": "p", "text": "Why?", "answerable": True}, "the ids of the passages that answer it"),
        ({"id": "p", "text": "Why?", "gold": ["p1"], "history": ["hello"]}, '"history" must be a list of objects'),
    ],
)
def test_what_is_wrong_is_told_with_its_line(tmp_path: Path, line: Any, said: str) -> None:
    with pytest.raises(EvaluationError) as failure:
        read(tmp_path, asked("q1"), line)
    assert "line 2" in failure.value.detail
    assert said in failure.value.detail


def test_files_that_cannot_be_used_are_named(tmp_path: Path) -> None:
    missing, binary, empty = (tmp_path / name for name in ("missing.jsonl", "binary.jsonl", "empty.jsonl"))
    binary.write_bytes(b'{"id": "\xff\xfe"}')
    empty.write_text("\n\n")
    for path, said in ((missing, "There is no file"), (binary, "not UTF-8"), (empty, "holds no question")):
        with pytest.raises(EvaluationError, match=said) as failure:
            read_questions([path])
        assert path.name in failure.value.detail
    with pytest.raises(EvaluationError, match="cannot be read"):
        read_questions([tmp_path])


def test_an_id_belongs_to_one_question_of_all_files(tmp_path: Path) -> None:
    for name in ("one.jsonl", "two.jsonl"):
        (tmp_path / name).write_text(json.dumps(asked("same")))
    with pytest.raises(EvaluationError, match=r"two\.jsonl, line 1"):
        read_questions([tmp_path / "one.jsonl", tmp_path / "two.jsonl"])
