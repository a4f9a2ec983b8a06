"""A file of questions, one JSON object a line -> a `QuestionSet`, or one sentence that says what is wrong where.

Knows the formats of contracts/question-sets.md. Fields it does not know are ignored.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

from backend.app.errors import EvaluationError
from backend.app.evaluation.questions import Gold, GoldMode, Question, QuestionSet, View
from backend.app.models.domain import PastTurn

_ANSWERABLE = "answerable"
_UNANSWERABLE = ("unanswerable", "off_topic")
_FOLLOW_UP = "follow_up"
Record = Mapping[str, Any]


class _Wrong(Exception):
    """What is wrong with a line; the reader adds where."""


def read_questions(paths: Sequence[Path], *, limit: int | None = None) -> QuestionSet:
    """Raises EvaluationError, with the line and what to do. `limit` keeps that many records, always the same ones:
    those whose ids have the smallest hashes."""
    records: dict[str, tuple[Question, ...]] = {}
    digest = hashlib.sha256()
    for path in paths:
        text = read_text(path)
        digest.update(text.encode())
        for number, record in parse_lines(path, text):
            try:
                record_id = _text(record, "id")
                if record_id in records:
                    raise _Wrong(f'the id "{record_id}" was used before; give each question its own')
                records[record_id] = tuple(_questions(record, record_id))
            except _Wrong as wrong:
                raise EvaluationError(f"{path}, line {number}: {wrong}.") from None
    names = " + ".join(path.name for path in paths)
    if not records:
        raise EvaluationError(f"{names} holds no question. Write one JSON object a line.")
    kept = set(sorted(records, key=_stable_order)[:limit])
    questions = tuple(question for key in records if key in kept for question in records[key])
    return QuestionSet(names, digest.hexdigest(), questions)


def read_text(path: Path) -> str:
    """Raises EvaluationError when it is not there or no UTF-8 text."""
    try:
        return path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise EvaluationError(f"There is no file {path}.") from None
    except UnicodeDecodeError as error:
        raise EvaluationError(f"{path} is not UTF-8 text (byte {error.start}). Save it as UTF-8.") from None
    except OSError as error:
        raise EvaluationError(f"{path} cannot be read: {error.strerror}.") from None


def parse_lines(path: Path, text: str) -> Iterator[tuple[int, Record]]:
    """Number and object of each line that is not empty."""
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            record = json.loads(line)
        except (ValueError, RecursionError) as error:
            reason = str(error).partition(": line ")[0]
            raise EvaluationError(f"{path}, line {number} is not JSON ({reason}). Write one object a line.") from None
        if not isinstance(record, dict):
            raise EvaluationError(f"{path}, line {number} is no JSON object. Write one object a line.")
        yield number, cast("Record", record)


def _stable_order(record_id: str) -> str:
    return hashlib.sha256(record_id.encode("utf-8", "surrogatepass")).hexdigest()


def _questions(record: Record, record_id: str) -> Iterator[Question]:
    if "turns" in record:
        yield from _of_conversation(record, record_id)
    elif "question" in record:
        yield _over_docs(record, record_id)
    else:
        yield from _over_corpus(record, record_id)


# ---- questions over a docs folder ----


def _over_docs(record: Record, record_id: str) -> Question:
    kind = _text(record, "kind", default=_ANSWERABLE)
    gold = _docs_gold(record)
    has_answer = kind == _ANSWERABLE or (bool(gold) and not kind.endswith(_UNANSWERABLE))
    answerable = _flag(record, "answerable", default=has_answer)
    if answerable and not gold:
        raise _Wrong('an answerable question needs "gold": the file and the words of the book that answer it')
    return Question(
        question_id=record_id,
        view="alone",
        kind=kind,
        lang=_text(record, "lang", default="en"),
        text=_text(record, "question"),
        answerable=answerable,
        gold=gold,
        gold_mode=_gold_mode(record),
        selected_text=_text(record, "selected_text", default=""),
        keywords=_keywords(record),
    )


def _docs_gold(record: Record) -> tuple[Gold, ...]:
    return tuple(
        Gold(_page(one), _text(one, "heading", default=""), _text(one, "must_contain", default=""))
        for one in _objects(record, "gold")
    )


def _page(gold: Record) -> str:
    return _text(gold, "file").replace("\\", "/").removeprefix("./")


def _gold_mode(record: Record) -> GoldMode:
    mode = _text(record, "gold_mode", default="any")
    if mode not in ("any", "all"):
        raise _Wrong(f'"gold_mode" is "{mode}"; it can be "any" or "all"')
    return mode


def _keywords(record: Record) -> tuple[tuple[str, ...], ...]:
    """Groups of `answer_keywords_any`, or each of `answer_keywords` as a group of its own."""
    groups = [_texts(group) for group in _list(record, "answer_keywords_any")]
    groups = groups or [_texts([word]) for word in _list(record, "answer_keywords")]
    if not all(groups):
        raise _Wrong('"answer_keywords" is a list of texts, "answer_keywords_any" a list of lists of texts')
    return tuple(groups)


# ---- conversations ----


def _of_conversation(record: Record, record_id: str) -> Iterator[Question]:
    """Each turn after the first: in its thread, and in its standalone form."""
    turns = _objects(record, "turns")
    if len(turns) < 2:
        raise _Wrong('"turns" needs at least two turns: the first, and one that follows it')
    before: list[PastTurn] = []
    for number, turn in enumerate(turns, start=1):
        asked = _text(turn, "question")
        if before:
            yield _turn(record, turn, f"{record_id}.{number}", "thread", asked, tuple(before))
            yield _turn(record, turn, f"{record_id}.{number}", "standalone", _text(turn, "standalone"), ())
        before.append(PastTurn(asked, _text(turn, "answer", default=""), ()))


def _turn(
    record: Record, turn: Record, question_id: str, view: View, text: str, before: tuple[PastTurn, ...]
) -> Question:
    gold = _docs_gold(turn)
    return Question(
        question_id=question_id,
        view=view,
        kind=_text(turn, "kind", default=_FOLLOW_UP),
        lang=_text(record, "lang", default="en"),
        text=text,
        answerable=_flag(turn, "answerable", default=bool(gold)),
        gold=gold,
        gold_mode=_gold_mode(turn),
        turns=before,
        keywords=_keywords(turn),
    )


# ---- questions over a corpus ----


def _over_corpus(record: Record, record_id: str) -> Iterator[Question]:
    """A question with a history is asked alone and in its thread."""
    passages = _list(record, "gold")
    if not all(isinstance(one, str | int) for one in passages):
        raise _Wrong('"gold" is a list of passage ids')
    gold = tuple(dict.fromkeys(Gold(str(one)) for one in passages))
    said = _text(record, "answerability", default="").lower()
    answerable = _flag(record, "answerable", default=bool(gold) and said != "unanswerable")
    if answerable and not gold:
        raise _Wrong('an answerable question needs "gold": the ids of the passages that answer it')
    fallback = said or ("answerable" if answerable else "unanswerable")

    def question(view: View, turns: tuple[PastTurn, ...]) -> Question:
        return Question(
            question_id=record_id,
            view=view,
            kind=_text(record, "kind", default=fallback),
            lang=_text(record, "lang", default="en"),
            text=_text(record, "text"),
            answerable=answerable,
            gold=gold if answerable else (),
            gold_mode="share",
            turns=turns,
            keywords=_keywords(record),
        )

    yield question("alone", ())
    history = _history(record)
    if history:
        yield question("thread", history)


def _history(record: Record) -> tuple[PastTurn, ...]:
    """Messages by role -> turns; an answer belongs to the question before it."""
    turns: list[PastTurn] = []
    for message in _objects(record, "history"):
        role, content = _text(message, "role"), _text(message, "content", default="")
        if role == "user":
            turns.append(PastTurn(content, "", ()))
        elif role == "assistant" and turns:
            turns[-1] = PastTurn(turns[-1].question, content, ())
    return tuple(turns)


# ---- fields ----

_MISSING: Any = object()


def _text(record: Record, name: str, *, default: str = _MISSING) -> str:
    value = record.get(name)
    if value in (None, "") and default is not _MISSING:
        return default
    if isinstance(value, int) and not isinstance(value, bool) and name == "id":
        return str(value)
    if not isinstance(value, str) or (default is _MISSING and not value.strip()):
        raise _Wrong(f'"{name}" must be a text' + (" that is not empty" if default is _MISSING else ""))
    return encodable(value)


def encodable(text: str) -> str:
    """JSON can hold halves of characters, which no file and no terminal can."""
    return text.encode("utf-8", "replace").decode("utf-8")


def _flag(record: Record, name: str, *, default: bool) -> bool:
    value = record.get(name, default)
    if not isinstance(value, bool):
        raise _Wrong(f'"{name}" must be true or false')
    return value


def _list(record: Record, name: str) -> list[Any]:
    value: Any = record.get(name) or []
    if not isinstance(value, list):
        raise _Wrong(f'"{name}" must be a list')
    return cast("list[Any]", value)


def _objects(record: Record, name: str) -> Sequence[Record]:
    found = _list(record, name)
    if not all(isinstance(one, dict) for one in found):
        raise _Wrong(f'"{name}" must be a list of objects')
    return found


def _texts(value: Any) -> tuple[str, ...]:
    """Empty for anything but a list of texts."""
    values = cast("list[Any]", value) if isinstance(value, list) else []
    return tuple(values) if all(isinstance(one, str) for one in values) else ()
