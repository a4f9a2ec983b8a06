"""The text that Prometheus reads: well-formed, true, and with no more series than there are kinds of things."""

from prometheus_client.parser import text_string_to_metric_families

from backend.app.services.claude_reply import Usage
from backend.app.services.metrics import CONTENT_TYPE, Metrics
from backend.app.services.tally import Tally
from backend.app.utils.threads import ThreadUse

Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def samples(metrics: Metrics) -> Samples:
    families = list(text_string_to_metric_families(metrics.render().decode()))
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in families
        for sample in family.samples
    }


def test_what_was_told_can_be_read() -> None:
    tally = Tally()
    tally.served("GET", "/api/chapters/{chapter_id}", 200)
    tally.happened("answers", "claude", "answered", times=3)
    tally.happened("rate_limited", "questions")
    tally.happened("budget_refusals", "answer", "day")
    tally.happened("chapter_cache", "translation", "hit")
    tally.spent("answer", "claude-haiku-5-5", Usage(10, 20, 30, 0, 5), 1_500_000)
    read = samples(Metrics(tally, {"database": lambda: ThreadUse(2, 1, 7)}))
    route = (("method", "GET"), ("route", "/api/chapters/{chapter_id}"), ("status", "200"))
    of_answer = (("feature", "answer"), ("model", "claude-haiku-5-5"))
    assert read["textbook_http_requests_total", route] == 1
    assert read["textbook_answers_total", (("mode", "claude"), ("outcome", "answered"))] == 3
    assert read["textbook_rate_limited_total", (("limit", "questions"),)] == 1
    assert read["textbook_budget_refusals_total", (("feature", "answer"), ("why", "day"))] == 1
    assert read["textbook_chapter_cache_total", (("kind", "translation"), ("result", "hit"))] == 1
    assert read["textbook_claude_cost_usd_total", of_answer] == 1.5
    kinds = {"input": 10, "output": 20, "cache_read": 30, "cache_write": 0, "thinking": 5}
    for kind, count in kinds.items():
        labels = tuple(sorted((*of_answer, ("kind", kind))))
        assert read["textbook_claude_tokens_total", labels] == count
    pool = (("pool", "database"),)
    seen = [read[f"textbook_pool_{name}", pool] for name in ("threads", "busy", "waiting")]
    assert seen == [2, 1, 7]


def test_a_histogram_adds_up() -> None:
    tally = Tally()
    for seconds in (0.0001, 0.004, 0.1, 0.1, 7200.0):
        tally.took("answer", seconds)
    read = samples(Metrics(tally, {}))
    edges = sorted(
        (float(dict(labels)["le"]), value)
        for (name, labels), value in read.items()
        if name == "textbook_stage_seconds_bucket"
    )
    counts = [value for _, value in edges]
    assert counts == sorted(counts)
    assert len(edges) == 24
    assert edges[0] == (0.00025, 1)
    assert dict(edges)[0.128] == 4
    assert edges[-1] == (float("inf"), 5)
    assert read["textbook_stage_seconds_count", (("stage", "answer"),)] == 5
    assert abs(read["textbook_stage_seconds_sum", (("stage", "answer"),)] - 7200.2041) < 1e-6


def test_an_idle_process_has_its_families_and_its_memory() -> None:
    text = Metrics(Tally(), {}).render().decode()
    for name in ("http_requests", "stage_seconds", "answers", "claude_cost_usd", "claude_tokens", "pool_busy"):
        assert f"# TYPE textbook_{name}" in text
    assert "process_resident_memory_bytes" in text
    assert CONTENT_TYPE.startswith("text/plain; version=")


def test_two_applications_of_one_process_do_not_share_their_figures() -> None:
    first, second = Tally(), Tally()
    first.happened("refusals", "gate")
    assert ("textbook_refusals_total", (("reason", "gate"),)) in samples(Metrics(first, {}))
    assert ("textbook_refusals_total", (("reason", "gate"),)) not in samples(Metrics(second, {}))


def test_labels_that_nobody_expected_cannot_break_the_text() -> None:
    tally = Tally()
    tally.spent("answer", 'a"b\\c\nd', Usage(), 1)
    read = samples(Metrics(tally, {}))
    assert read["textbook_claude_cost_usd_total", (("feature", "answer"), ("model", 'a"b\\c\nd'))] == 1e-6
