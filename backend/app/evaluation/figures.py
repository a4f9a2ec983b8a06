"""What was observed, question by question -> the figures of each group. Pure.

Groups: everything in one view, each kind, each language, and each kind in each language.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from backend.app.evaluation.observed import DEPTHS, Answered, Observed
from backend.app.evaluation.questions import Question, View, is_near_domain, is_off_topic, views
from backend.app.evaluation.statistics import Figure, figure, percentile

Select = Callable[[Observed], Sequence[float]]
"""The values that one question adds to a figure; none where it has no part in it."""


def _one(value: float | None) -> Sequence[float]:
    return () if value is None else (value,)


def _recall(depth: int) -> Select:
    at = DEPTHS.index(depth)
    return lambda seen: (seen.recall[at],) if seen.recall else ()


RETRIEVAL: dict[str, Select] = {
    "recall_in_context": lambda seen: _one(seen.in_context),
    **{f"recall_at_{depth}": _recall(depth) for depth in DEPTHS},
    "mrr_at_10": lambda seen: _one(seen.reciprocal_rank),
    "wrong_refusals": lambda seen: (float(not seen.passed_gate),) if seen.question.answerable else (),
    "near_domain_passes": lambda seen: (float(seen.passed_gate),) if is_near_domain(seen.question) else (),
    "off_topic_passes": lambda seen: (float(seen.passed_gate),) if is_off_topic(seen.question) else (),
    "passed_gate": lambda seen: (float(seen.passed_gate),),
}


def _given(seen: Observed) -> Answered | None:
    """The answer, when one came: that the model could not be asked says nothing about the others."""
    return seen.answer if seen.answer and seen.answer.outcome != "failed" else None


def _answer_figure(select: Callable[[Question, Answered], float | None]) -> Select:
    return lambda seen: _one(select(seen.question, given)) if (given := _given(seen)) else ()


def _citations(seen: Observed) -> Sequence[float]:
    given = _given(seen)
    return [1.0] * given.true_citations + [0.0] * (given.citations - given.true_citations) if given else ()


def _is_grounded(given: Answered) -> bool:
    return given.outcome in ("answered", "partial")


def _grounded(asked: Question, given: Answered) -> float | None:
    return float(_is_grounded(given)) if asked.answerable else None


def _refused_rightly(asked: Question, given: Answered) -> float | None:
    return None if asked.answerable else float(not _is_grounded(given))


def _refusal_is_right(asked: Question, given: Answered) -> float | None:
    return None if _is_grounded(given) else float(not asked.answerable)


ANSWERS: dict[str, Select] = {
    "grounded": _answer_figure(_grounded),
    "refusal_recall": _answer_figure(_refused_rightly),
    "refusal_precision": _answer_figure(_refusal_is_right),
    "partial": _answer_figure(lambda _, given: float(given.outcome == "partial") if _is_grounded(given) else None),
    "true_citations": _citations,
    "keywords": _answer_figure(lambda _, given: given.keywords),
}
"""The same for answers of a model."""


@dataclass(frozen=True, slots=True)
class Group:
    """The figures of some questions; `kind` and `lang` None mean all of them. A figure without values is left out."""

    view: View
    kind: str | None
    lang: str | None
    count: int
    figures: dict[str, Figure]
    latency_ms_p50: float
    latency_ms_p95: float

    @property
    def name(self) -> str:
        return " ".join(filter(None, (self.kind, self.lang))) or "all"


def summarise(observed: Sequence[Observed]) -> list[Group]:
    """Every group that has questions, in the order of views, kinds and languages in the set."""
    return list(_groups(observed))


def _groups(observed: Sequence[Observed]) -> Iterator[Group]:
    for view in views([seen.question for seen in observed]):
        inside = [seen for seen in observed if seen.question.view == view]
        kinds = list(dict.fromkeys(seen.question.kind for seen in inside))
        langs = list(dict.fromkeys(seen.question.lang for seen in inside))
        yield _group(inside, view, None, None)
        for kind in kinds if len(kinds) > 1 else []:
            of_kind = [seen for seen in inside if seen.question.kind == kind]
            yield _group(of_kind, view, kind, None)
            spoken = list(dict.fromkeys(seen.question.lang for seen in of_kind))
            for lang in spoken if len(spoken) > 1 else []:
                yield _group([seen for seen in of_kind if seen.question.lang == lang], view, kind, lang)
        for lang in langs if len(langs) > 1 else []:
            yield _group([seen for seen in inside if seen.question.lang == lang], view, None, lang)


def _group(observed: Sequence[Observed], view: View, kind: str | None, lang: str | None) -> Group:
    found = {name: figure(_values(observed, select)) for name, select in (RETRIEVAL | ANSWERS).items()}
    latencies = [seen.latency_ms for seen in observed]
    return Group(
        view=view,
        kind=kind,
        lang=lang,
        count=len(observed),
        # of one kind either every refusal is right or none is
        figures={
            name: value for name, value in found.items() if value and not (kind and name == "refusal_precision")
        },
        latency_ms_p50=percentile(latencies, 0.5),
        latency_ms_p95=percentile(latencies, 0.95),
    )


def _values(observed: Sequence[Observed], select: Select) -> list[float]:
    return [value for seen in observed for value in select(seen)]
