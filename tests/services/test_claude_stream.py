"""A reply heard while it is written: the same as the plain one, begun again while nobody was told, ended when the
reader leaves, and every try settled."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backend.app.errors import AIServiceBusy
from backend.app.models.domain import UserId
from backend.app.services.claude_budget import PlannedTry
from backend.app.services.claude_reply import Citation, MalformedReply, Usage, read_reply
from backend.app.services.claude_service import ClaudeService, Patience
from backend.app.services.claude_stream import BlockEnd, ReplyPart, StreamedReply, StreamFailed, TextPiece
from tests.fakes import claude_wire as wire
from tests.fakes.book import passage
from tests.fakes.claude import FakeClaude, Reply

pytestmark = pytest.mark.anyio
MODEL = "claude-haiku-5-5"
PASSAGE = passage("A node is a program. It does one job.", position=17)
SAID = "According to the book: A node is a program."


class Listener:
    """Remembers what it hears; has told somebody as soon as it heard `tells_after` parts."""

    def __init__(self, tells_after: int = 10_000) -> None:
        self.parts: list[ReplyPart] = []
        self.begun = 0
        self.heard = asyncio.Event()
        self._tells_after = tells_after

    @property
    def has_told(self) -> bool:
        return len(self.parts) >= self._tells_after

    def begin(self) -> None:
        self.begun += 1
        self.parts.clear()

    def hear(self, part: ReplyPart) -> None:
        self.parts.append(part)
        self.heard.set()

    @property
    def text(self) -> str:
        return "".join(part.text for part in self.parts if isinstance(part, TextPiece))


class Kept:
    """A budget that refuses nothing and keeps what it is told."""

    def __init__(self) -> None:
        self.planned: list[PlannedTry] = []
        self.settled: list[tuple[str, Usage | None, str | None]] = []

    def choose_model(self, preferred: str) -> str:
        return preferred

    async def reserve(self, planned: PlannedTry) -> "Kept":
        self.planned.append(planned)
        return self

    def settle(self, outcome: str, usage: Usage | None = None, request_id: str | None = None) -> None:
        self.settled.append((outcome, usage, request_id))

    @property
    def outcomes(self) -> list[str]:
        return [outcome for outcome, *_ in self.settled]


@pytest.fixture
def budget() -> Kept:
    return Kept()


@pytest.fixture
async def service(claude: FakeClaude, budget: Kept) -> AsyncIterator[ClaudeService]:
    quick = Patience(deadline_s=3, backoff_s=0.01)
    opened = ClaudeService("k", MODEL, base_url=claude.base_url, patience=quick, budget=budget)
    await opened.warm_up()
    yield opened
    await opened.close()


async def listen(service: ClaudeService, listener: Listener) -> Any:
    return await service.answer("?", [PASSAGE], listener=listener)


@pytest.mark.parametrize("cites_late", [False, True])
async def test_the_streamed_reply_is_the_plain_one(
    service: ClaudeService, claude: FakeClaude, cites_late: bool
) -> None:
    claude.says(wire.default_content, piece_chars=1, cites_late=cites_late)
    claude.says(wire.default_content)
    listener = Listener()
    streamed, plain = await listen(service, listener), await service.answer("?", [PASSAGE])
    assert (streamed.blocks, streamed.text, streamed.stop_reason) == (plain.blocks, plain.text, plain.stop_reason)
    assert (streamed.model, streamed.request_id) == (plain.model, "req_000000")
    assert streamed.usage.output_tokens == plain.usage.output_tokens
    assert claude.requests[0].body == claude.requests[1].body | {"stream": True}
    assert listener.text == SAID
    assert [type(part) for part in listener.parts if isinstance(part, BlockEnd)] == [BlockEnd, BlockEnd]
    assert [part.cited_text for part in listener.parts if isinstance(part, Citation)] == ["A node is a program. "]


async def test_parts_are_heard_while_the_reply_is_still_being_written(
    service: ClaudeService, claude: FakeClaude
) -> None:
    claude.says(wire.default_content, keep_records=8, stalls=True)
    listener = Listener()
    asking = asyncio.create_task(listen(service, listener))
    await asyncio.wait_for(listener.heard.wait(), 3)
    assert not asking.done()
    assert listener.text.startswith("According")
    asking.cancel()
    await asyncio.wait([asking])


BROKEN: dict[str, dict[str, Any]] = {
    "a clean cut": {"keep_records": 8},
    "a cut in the middle of a chunk": {"keep_bytes": 1200},
    "a reset": {"keep_records": 8, "reset": True},
    "an error event": {"keep_records": 8, "then": wire.record(wire.error("overloaded_error", "Busy", "r"))},
    "an unreadable event": {"keep_records": 8, "then": b"event: message_delta\ndata: {broken\n\n"},
    "a number as event": {"keep_records": 8, "then": b"event: x\ndata: 7\n\n"},
}


@pytest.mark.parametrize("how", BROKEN.values(), ids=BROKEN.keys())
async def test_what_breaks_before_anybody_was_told_begins_again(
    service: ClaudeService, claude: FakeClaude, budget: Kept, how: dict[str, Any]
) -> None:
    claude.says(wire.default_content, **how)
    listener = Listener()
    assert (await listen(service, listener)).text == listener.text == SAID
    assert (listener.begun, len(claude.requests)) == (2, 2)
    assert budget.outcomes == ["unknown", "complete"]


@pytest.mark.parametrize("how", BROKEN.values(), ids=BROKEN.keys())
async def test_what_breaks_after_somebody_was_told_does_not_begin_again(
    service: ClaudeService, claude: FakeClaude, how: dict[str, Any]
) -> None:
    claude.says(wire.default_content, **how)
    with pytest.raises(AIServiceBusy):
        await listen(service, Listener(tells_after=1))
    assert len(claude.requests) == 1


@pytest.mark.parametrize(
    "raw",
    [b"", b"{}", b"null", b"<html>gateway</html>", b"event: message_stop\ndata: {}\n\n", b"data: [DONE]\n\n"],
)
async def test_what_is_no_stream_of_a_message_is_a_failure(
    service: ClaudeService, claude: FakeClaude, raw: bytes
) -> None:
    claude.replies(Reply(raw=raw), times=4)
    with pytest.raises(AIServiceBusy):
        await listen(service, Listener())
    assert len(claude.requests) == 4


async def test_the_deadline_ends_a_stream_that_drips(claude: FakeClaude, budget: Kept) -> None:
    claude.says("dripping", pause_s=0.2, piece_chars=1)
    impatient = ClaudeService("k", MODEL, base_url=claude.base_url, patience=Patience(0.8), budget=budget)
    await impatient.warm_up()
    with pytest.raises(AIServiceBusy):
        await listen(impatient, Listener())
    assert await asyncio.to_thread(claude.left.wait, 5)
    assert budget.outcomes == ["unknown"]
    await impatient.close()


# --- what the budget is told


async def test_a_complete_call_is_told_with_the_apis_own_figures(
    service: ClaudeService, claude: FakeClaude, budget: Kept
) -> None:
    reply = await listen(service, Listener())
    plain = await service.answer("?", [PASSAGE])
    assert budget.settled == [("complete", reply.usage, "req_000000"), ("complete", plain.usage, "req_000001")]
    assert reply.usage.input_tokens == plain.usage.input_tokens > 100


async def test_a_refused_or_unsent_call_costs_nothing(
    service: ClaudeService, claude: FakeClaude, budget: Kept
) -> None:
    claude.fails(529)
    await service.answer("?", [PASSAGE])
    nowhere = ClaudeService("k", MODEL, base_url="http://127.0.0.1:9", patience=Patience(5, 0.01), budget=budget)
    await nowhere.warm_up()
    with pytest.raises(AIServiceBusy):
        await nowhere.answer("?", [PASSAGE])
    await nowhere.close()
    assert budget.settled[0] == ("not_billed", None, "req_000000")
    assert budget.outcomes[1] == "complete"
    assert set(budget.outcomes[2:]) == {"not_billed"}
    assert len(budget.planned) == len(budget.settled)


async def test_a_reader_who_leaves_ends_the_call_and_its_cost_is_estimated(
    service: ClaudeService, claude: FakeClaude, budget: Kept
) -> None:
    claude.says(wire.default_content, keep_records=10, stalls=True)
    listener = Listener()
    asking = asyncio.create_task(listen(service, listener))
    await asyncio.wait_for(listener.heard.wait(), 3)
    asking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asking
    assert await asyncio.to_thread(claude.left.wait, 5)
    ((outcome, usage, request_id),) = budget.settled
    assert (request_id, outcome) == ("req_000000", "unknown")
    assert usage
    assert usage.input_tokens == wire.count_tokens(claude.last_body)
    assert usage.output_tokens == 1500  # what is thought is not sent: it may be as much as was allowed


async def test_a_plain_call_that_was_given_up_counts_as_the_dearest(
    service: ClaudeService, claude: FakeClaude, budget: Kept
) -> None:
    claude.hangs()
    asking = asyncio.create_task(service.answer("?", [PASSAGE]))
    assert await asyncio.to_thread(claude.received.wait, 5)
    asking.cancel()
    await asyncio.wait([asking])
    assert budget.settled == [("unknown", None, None)]


async def test_a_stream_that_breaks_after_its_end_was_told_costs_what_it_told(
    service: ClaudeService, claude: FakeClaude, budget: Kept
) -> None:
    claude.says("Hello.", then=b"data: {broken\n\n")
    with pytest.raises(AIServiceBusy):
        await listen(service, Listener(tells_after=1))
    ((outcome, usage, _),) = budget.settled
    assert outcome == "unknown"
    assert usage
    assert 20 <= usage.output_tokens < 100


async def test_a_reply_that_tells_no_figures_was_not_free(
    service: ClaudeService, claude: FakeClaude, budget: Kept
) -> None:
    claude.replies(Reply(raw=b'{"content": [{"type": "text", "text": "Hi"}], "stop_reason": "end_turn"}'))
    assert (await service.answer("?", [PASSAGE])).text == "Hi"
    assert budget.settled == [("unknown", None, "req_000000")]


async def test_no_request_can_use_more_than_was_held_for_it(
    service: ClaudeService, claude: FakeClaude, budget: Kept
) -> None:
    await service.answer("نوڈ کیا ہے؟ 😀", [PASSAGE], user_id=UserId(7))
    await service.rewrite("نوڈ?")
    for planned, request in zip(budget.planned, claude.requests, strict=True):
        sent = "".join(_texts(request.body))
        assert planned.dearest.prompt_tokens > len(sent.encode())
        assert planned.dearest.output_tokens == request.body["max_tokens"]
    answer, rewrite = budget.planned
    assert (answer.feature, answer.user_id, rewrite.feature, rewrite.user_id) == ("answer", 7, "rewrite", None)
    assert answer.prompt_version != rewrite.prompt_version
    assert answer.dearest.cache_write_tokens  # the instructions are to be cached, which is dearer
    assert rewrite.dearest.input_tokens


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    for part in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from _texts(part)


# --- the reading itself


def parts_of(events: list[dict[str, Any]]) -> list[ReplyPart]:
    heard = StreamedReply()
    return list(itertools.chain.from_iterable(map(heard.read, events)))


def started(**block: Any) -> dict[str, Any]:
    return {"type": "content_block_start", "index": 0, "content_block": {"type": "text", **block}}


def delta(**fields: Any) -> dict[str, Any]:
    return {"type": "content_block_delta", "index": 0, "delta": fields}


def test_a_block_may_begin_with_words_and_citations() -> None:
    found = parts_of([started(text="Hi", citations=[{"source": "s"}]), started(text="", citations=None)])
    assert found == [TextPiece("Hi"), Citation("s", "", -1, -1), BlockEnd()]


@pytest.mark.parametrize(
    "event",
    [
        {},
        {"type": None},
        {"type": "content_block_delta", "delta": {"type": "text_delta", "text": "no block is open"}},
        {"type": "content_block_stop"},
        {"type": "message_start", "message": []},
        {"type": "message_delta", "usage": None, "delta": {"stop_reason": 7}},
        started(type="tool_use", input={}),
        started(type="hologram", text="never shown"),
    ],
)
def test_events_that_mean_nothing_say_nothing(event: dict[str, Any]) -> None:
    assert parts_of([event]) == []


def test_an_open_block_ignores_deltas_of_other_kinds() -> None:
    deltas = [
        delta(type="thinking_delta", thinking="x"),
        delta(type="text_delta", text=5),
        delta(),
        delta(type="new"),
    ]
    assert parts_of([started(text=""), *deltas]) == []


def test_a_character_that_comes_in_halves_is_one() -> None:
    halves = [delta(type="text_delta", text=half) for half in ("a \ud83d", "\ude00 b", "\ud83d", "c")]
    found = parts_of([started(text=""), *halves, {"type": "content_block_stop"}])
    assert "".join(part.text for part in found if isinstance(part, TextPiece)) == "a 😀 b\ufffdc"
    content = [{"type": "text", "text": "a \ud83d\ude00 b\ud83dc"}]
    whole = read_reply({"content": content, "stop_reason": "end_turn"}, request_id=None, latency_ms=0)
    assert whole.text == "a 😀 b\ufffdc"


def test_no_answer_holds_what_no_history_can() -> None:
    found = parts_of([started(text=""), delta(type="text_delta", text="a\0b"), {"type": "content_block_stop"}])
    assert "".join(part.text for part in found if isinstance(part, TextPiece)) == "a\ufffdb"
    content = [{"type": "text", "text": "a\0b"}]
    assert read_reply({"content": content, "stop_reason": "x"}, request_id=None, latency_ms=0).text == "a\ufffdb"


def test_bounds_and_errors_end_the_reading() -> None:
    with pytest.raises(MalformedReply):
        parts_of([started(text="x" * 10_000), delta(type="text_delta", text="x" * 10_001)])
    with pytest.raises(MalformedReply):
        parts_of([started(text=""), *[delta(type="citations_delta", citation={})] * 501])
    with pytest.raises(StreamFailed, match="overloaded_error"):
        parts_of([wire.error("overloaded_error", "", "r")])


@settings(max_examples=300, deadline=None)
@given(st.lists(st.sampled_from(["<", "</", "cite", "<cite", "</cite>", ">", " ", "a", "s>", "<ci"]), max_size=12))
def test_leaked_tags_are_left_out_wherever_the_text_is_cut(pieces: list[str]) -> None:
    heard = StreamedReply()
    events = [started(text=""), *(delta(type="text_delta", text=piece) for piece in pieces)]
    ending = [{"type": "content_block_stop"}, {"type": "message_delta", "delta": {"stop_reason": "end_turn"}}]
    found = list(itertools.chain.from_iterable(map(heard.read, [*events, *ending])))
    content = [{"type": "text", "text": "".join(pieces)}]
    whole = read_reply({"content": content, "stop_reason": "end_turn"}, request_id=None, latency_ms=0)
    streamed = heard.finish(latency_ms=0)
    assert streamed.text == "".join(part.text for part in found if isinstance(part, TextPiece)) == whole.text
    assert streamed.leaked_tags == whole.leaked_tags
