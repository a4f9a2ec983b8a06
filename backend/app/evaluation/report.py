"""Everything that was measured as JSON, and back: what `--json` writes and `--baseline` reads.

The schema is in contracts/question-sets.md; a change that old files do not survive raises `SCHEMA`.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from backend.app.errors import EvaluationError
from backend.app.evaluation.figures import Group
from backend.app.evaluation.library import Library
from backend.app.evaluation.observed import Answered, Observed
from backend.app.evaluation.question_file import read_text
from backend.app.evaluation.questions import Question, QuestionSet
from backend.app.evaluation.statistics import Figure
from backend.app.services.claude_prices import price_table
from backend.app.services.passages import MAX_PASSAGE_TOKENS
from backend.app.utils.config import Settings
from backend.app.version import NAME, VERSION

SCHEMA = 1
PLOT_SUFFIX = ".png"


UseOfModel = Literal["none", "rewrite", "answers"]
"""rewrite: the model only turns questions into search questions; answers: it answers them too."""


@dataclass(frozen=True, slots=True)
class ModelUse:
    """What the model was used for and what that cost in all."""

    model: str
    used_for: UseOfModel
    cost_microusd: int


@dataclass(frozen=True, slots=True)
class Report:
    """One run. `unreachable`: ids of questions whose gold no passage holds, so that they cannot be found. `observed`
    has fewer questions than `asked` when the money was used up."""

    asked: QuestionSet
    library: Library
    observed: Sequence[Observed]
    groups: Sequence[Group]
    unreachable: Sequence[str]
    model_use: ModelUse | None = None

    @property
    def used_for(self) -> UseOfModel:
        return self.model_use.used_for if self.model_use else "none"

    @property
    def unasked(self) -> int:
        """Questions that the money did not reach; of answers, when answers were wanted."""
        done = [seen for seen in self.observed if seen.answer or self.used_for != "answers"]
        return len(self.asked.questions) - len(done)


def prepare(path: Path) -> None:
    """Sees to the folder before minutes are spent on measuring. Raises EvaluationError when there can be no file."""
    if path.suffix.lower() == PLOT_SUFFIX:
        raise EvaluationError(f"{path} is the name of the plot that is written beside the report. Call it .json.")
    if path.is_dir():
        raise EvaluationError(f"{path} is a folder. Give the name of a file.")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise EvaluationError(f"{path.parent} cannot be made: {error.strerror}.") from None


def write(path: Path, report: Report, settings: Settings) -> None:
    """Raises EvaluationError when the file cannot be written."""
    try:
        path.write_text(as_json(report, settings), encoding="utf-8")
    except OSError as error:
        raise EvaluationError(f"{path} cannot be written: {error.strerror}.") from None


def as_json(report: Report, settings: Settings) -> str:
    """One line for each group and each question: a difference of two files names what changed."""
    head = {
        "schema": SCHEMA,
        "program": {"name": NAME, "version": VERSION},
        "questions": {"file": report.asked.name, "sha256": report.asked.sha256, "asked": len(report.observed)},
        "book": _book(report.library),
        "settings": _settings(settings),
        "model": _model(report),
        "unreachable": list(report.unreachable),
    }
    lines = [f'"{name}": {_line(value)}' for name, value in head.items()]
    lines.append(f'"groups": {_block(map(_group, report.groups))}')
    lines.append(f'"results": {_block(map(_result, report.observed))}')
    return "{\n" + ",\n".join(lines) + "\n}\n"


@dataclass(frozen=True, slots=True)
class Earlier:
    """A report of another run: the result of each question by its key, as JSON has it."""

    results: Mapping[str, Mapping[str, Any]]
    used_for: UseOfModel = "none"


def read_earlier(path: Path) -> Earlier:
    """Raises EvaluationError."""
    try:
        content: Any = json.loads(read_text(path))
        if content["schema"] != SCHEMA:
            raise EvaluationError(
                f"{path} was written by another version of this program (schema {content['schema']}, this one reads "
                f"{SCHEMA}). Write a new one with --json."
            )
        results = {f"{result['id']}/{result['view']}": result for result in content["results"]}
        used = content.get("model")
        return Earlier(results, used["used_for"] if used else "none")
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise EvaluationError(f"{path} is no report of `evaluate`. Write one with --json.") from None


def read_observed(question: Question, result: Mapping[str, Any]) -> Observed | None:
    """What an earlier run saw of the same question; None when the question is another one by now."""
    if result.get("question") != question.text or (result.get("in_context") is None) == question.answerable:
        return None
    try:
        return Observed(
            question=question,
            passed_gate=result["passed_gate"],
            recall=tuple(result["recall"]) if question.answerable else None,
            reciprocal_rank=result["reciprocal_rank"],
            in_context=result["in_context"],
            best_cosine=result["best_cosine"],
            latency_ms=result["latency_ms"],
            found=tuple(result["found"]),
            answer=Answered(**result["answer"]) if result.get("answer") else None,
        )
    except (KeyError, TypeError):
        return None


def _book(library: Library) -> dict[str, Any]:
    gate = library.report.gate
    return {
        "name": library.book.root.name,
        "pages": len(library.book.chapters),
        "passages": library.report.chunks,
        "index_version": library.index_version,
        "gate": gate.as_json() if gate else None,
    }


def _settings(settings: Settings) -> dict[str, Any]:
    return {
        "embedding_backend": settings.embedding_backend,
        "embedding_model": settings.embedding_model,
        "retrieval_threshold": settings.retrieval_threshold,
        "context_tokens": MAX_PASSAGE_TOKENS,
    }


def _model(report: Report) -> dict[str, Any] | None:
    used = report.model_use
    if used is None:
        return None
    return {**asdict(used), "prices_of": price_table().checked_on, "unasked": report.unasked}


def _answer(answer: Answered) -> dict[str, Any]:
    return {**asdict(answer), "keywords": _rounded(answer.keywords), "seconds": round(answer.seconds, 3)}


def _group(group: Group) -> dict[str, Any]:
    return {
        "view": group.view,
        "kind": group.kind,
        "lang": group.lang,
        "count": group.count,
        "figures": {name: _figure(value) for name, value in group.figures.items()},
        "latency_ms": {"p50": round(group.latency_ms_p50, 1), "p95": round(group.latency_ms_p95, 1)},
    }


def _figure(value: Figure) -> dict[str, Any]:
    interval = [round(value.low, 4), round(value.high, 4)]
    return {"value": round(value.value, 4), "interval": interval, "count": value.count}


def _result(seen: Observed) -> dict[str, Any]:
    question = seen.question
    return {
        "id": question.question_id,
        "view": question.view,
        "kind": question.kind,
        "lang": question.lang,
        "question": question.text,
        "passed_gate": seen.passed_gate,
        "in_context": _rounded(seen.in_context),
        "recall": [_rounded(value) for value in seen.recall] if seen.recall else None,
        "reciprocal_rank": _rounded(seen.reciprocal_rank),
        "best_cosine": round(seen.best_cosine, 4),
        "latency_ms": round(seen.latency_ms, 1),
        "found": list(seen.found),
    } | ({"answer": _answer(seen.answer)} if seen.answer else {})


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)


def _line(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _block(values: Any) -> str:
    return "[\n" + ",\n".join(_line(value) for value in values) + "\n]"
