"""What was observed, question by question -> the figures of each group. Pure.

Groups: everything in one view, each kind, each language, and each kind in each language.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from backend.app.evaluation.measure import DEPTHS, Observed
from backend.app.evaluation.questions import View, is_near_domain, is_off_topic, views
from backend.app.evaluation.statistics import Figure, figure, percentile

Select = Callable[[Observed], float | None]


def _recall(depth: int) -> Select:
    at = DEPTHS.index(depth)
    return lambda seen: seen.recall[at] if seen.recall else None


RETRIEVAL: dict[str, Select] = {
    "recall_in_context": lambda seen: seen.in_context,
    **{f"recall_at_{depth}": _recall(depth) for depth in DEPTHS},
    "mrr_at_10": lambda seen: seen.reciprocal_rank,
    "wrong_refusals": lambda seen: float(not seen.passed_gate) if seen.question.answerable else None,
    "near_domain_passes": lambda seen: float(seen.passed_gate) if is_near_domain(seen.question) else None,
    "off_topic_passes": lambda seen: float(seen.passed_gate) if is_off_topic(seen.question) else None,
    "passed_gate": lambda seen: float(seen.passed_gate),
}
"""Name of a figure -> its value for one question, None where it has none."""


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
    found = {name: figure(_values(observed, select)) for name, select in RETRIEVAL.items()}
    latencies = [seen.latency_ms for seen in observed]
    return Group(
        view=view,
        kind=kind,
        lang=lang,
        count=len(observed),
        figures={name: value for name, value in found.items() if value},
        latency_ms_p50=percentile(latencies, 0.5),
        latency_ms_p95=percentile(latencies, 0.95),
    )


def _values(observed: Sequence[Observed], select: Select) -> list[float]:
    return [value for seen in observed if (value := select(seen)) is not None]
