"""The Message Batches API of the scripted Claude: made, worked on, ended, its results in an order of their own.

    claude.batches.made[0].requests                  # what was sent: custom_id -> params
    claude.batches.looks = 2                         # so many looks find it in progress; None: it never ends
    claude.batches.fails("retrieve", 529, times=2)   # operations: create, retrieve, list, results, cancel
    claude.batches.swallows("create")                # the batch is made, and no answer ever comes
    claude.batches.cuts_results(keep_bytes=900)      # the connection ends in the middle, once
    claude.batches.lines["expired"] = lambda params: True   # what becomes of lines; all others are answered

A line is answered as the same request to /v1/messages would be, script included. Source: the public reference of the
Message Batches API.
"""

import hashlib
import itertools
import json
import re
import threading
from collections import defaultdict, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import parse_qs, urlsplit

from tests.fakes import claude_wire as wire
from tests.fakes.claude_rules import Refused, check_headers, check_key, check_request, invalid

if TYPE_CHECKING:
    from tests.fakes.claude import Reply

PATH = "/v1/messages/batches"
MAX_REQUESTS = 100_000
Operation = Literal["create", "retrieve", "list", "results", "cancel"]
Fate = Literal["errored", "canceled", "expired"]
Params = Mapping[str, Any]
_CUSTOM_ID = re.compile(r"[a-zA-Z0-9_-]{1,64}")
_numbers = itertools.count(1)


@dataclass
class FakeBatch:
    """One batch and how far it is."""

    requests: dict[str, dict[str, Any]]
    looks_left: int | None
    id: str = field(default_factory=lambda: f"msgbatch_{next(_numbers):024d}")
    created_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    cancel_initiated_at: datetime | None = None
    ended_at: datetime | None = None
    results: dict[str, dict[str, Any]] = field(default_factory=dict[str, dict[str, Any]])


class FakeBatches:
    """`answer` makes of the body of a message what /v1/messages would send back."""

    def __init__(self, answer: Callable[[Params], "Reply"], reply: "type[Reply]") -> None:
        self.made: list[FakeBatch] = []
        self.asked: list[Operation] = []
        self.done: list[Operation] = []
        self.looks: int | None = 1
        self.lines: dict[Fate, Callable[[Params], bool]] = {}
        self._answer, self._reply = answer, reply
        self._failures: dict[Operation, deque[Reply]] = defaultdict(deque)
        self._swallowed: deque[Operation] = deque()
        self._cuts: deque[int] = deque()
        self._stalls: deque[int] = deque()
        self._heard = threading.Condition()

    def fails(self, operation: Operation, status: int, *, times: int = 1, **headers: str) -> None:
        kinds = {
            404: "not_found_error",
            400: "invalid_request_error",
            429: "rate_limit_error",
            529: "overloaded_error",
        }
        told = json.dumps(wire.error(kinds.get(status, "api_error"), "scripted failure", "req_scripted")).encode()
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        self._failures[operation].extend([self._reply(raw=told, status=status, headers=sent)] * times)

    def swallows(self, operation: Operation) -> None:
        """Does what it is asked, and never answers."""
        self._swallowed.append(operation)

    def cuts_results(self, *, keep_bytes: int) -> None:
        self._cuts.append(keep_bytes)

    def swallows_results(self, *, keep_bytes: int) -> None:
        """The connection stays open in the middle, once: nothing more comes."""
        self._stalls.append(keep_bytes)

    def wait_for(self, operation: Operation, timeout_s: float) -> bool:
        """Until somebody has asked for it, and what it does is done."""
        with self._heard:
            return self._heard.wait_for(lambda: operation in self.done, timeout_s)

    def end(self, batch: FakeBatch) -> None:
        batch.looks_left = 0

    # --- the endpoints

    def exchange(self, method: str, target: str, headers: Mapping[str, str], raw: bytes) -> "Reply":
        """Raises Refused."""
        url = urlsplit(target)
        parts = url.path.removeprefix(PATH).strip("/").split("/")
        operation = _operation(method, parts)
        self.asked.append(operation)
        reply = self._do(operation, parts, parse_qs(url.query), headers, raw)
        with self._heard:
            self.done.append(operation)
            self._heard.notify_all()
        return reply

    def _do(
        self,
        operation: Operation,
        parts: list[str],
        query: Mapping[str, list[str]],
        headers: Mapping[str, str],
        raw: bytes,
    ) -> "Reply":
        if self._failures[operation]:
            return self._failures[operation].popleft()
        check_headers(headers) if operation == "create" else check_key(headers)
        if operation == "create":
            body = self._described(self._create(raw), _host(headers))
        elif operation == "list":
            body = self._list(query, _host(headers))
        else:
            batch = self._find(parts[0])
            if operation == "results":
                return self._results(batch)
            body = self._described(batch, _host(headers), look=operation == "retrieve", cancel=operation == "cancel")
        if self._swallowed and self._swallowed[0] == operation:
            self._swallowed.popleft()
            return self._reply(hangs=True)
        return self._reply(raw=json.dumps(body).encode())

    def _create(self, raw: bytes) -> FakeBatch:
        try:
            listed = json.loads(raw)["requests"]
            requests = {each["custom_id"]: each["params"] for each in listed}
        except (ValueError, KeyError, TypeError):
            raise invalid("requests: Field required") from None
        if not 1 <= len(listed) <= MAX_REQUESTS:
            raise invalid(f"requests: List should have between 1 and {MAX_REQUESTS} items")
        if len(requests) != len(listed):
            raise invalid("requests: custom_id must be unique")
        for custom_id in requests:
            if not _CUSTOM_ID.fullmatch(custom_id):
                raise invalid("requests.custom_id: String should match pattern '^[a-zA-Z0-9_-]{1,64}$'")
        self.made.append(FakeBatch(requests, self.looks))
        return self.made[-1]

    def _list(self, query: Mapping[str, list[str]], host: str) -> dict[str, Any]:
        """Newest first."""
        newest = self.made[::-1]
        after = query.get("after_id", [""])[0]
        start = next((index + 1 for index, batch in enumerate(newest) if batch.id == after), 0)
        page = newest[start : start + int(query.get("limit", ["20"])[0])]
        data = [self._described(batch, host, look=True) for batch in page]
        ids = {"first_id": page[0].id, "last_id": page[-1].id} if page else {"first_id": None, "last_id": None}
        return {"data": data, "has_more": start + len(page) < len(newest), **ids}

    def _find(self, batch_id: str) -> FakeBatch:
        found = next((batch for batch in self.made if batch.id == batch_id), None)
        if found is None:
            raise Refused(404, "not_found_error", f"Batch {batch_id} not found")
        return found

    def _results(self, batch: FakeBatch) -> "Reply":
        if batch.ended_at is None:
            raise Refused(404, "not_found_error", "The batch has no results yet")
        order = sorted(batch.results, key=lambda custom_id: hashlib.sha256(custom_id.encode()).hexdigest())
        lines = [{"custom_id": custom_id, "result": batch.results[custom_id]} for custom_id in order]
        raw = "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines).encode()
        kind = {"content-type": "application/x-jsonl"}
        if self._stalls:
            return self._reply(raw=raw[: self._stalls.popleft()], headers=kind | {"content-length": str(len(raw))})
        return self._reply(raw=raw, headers=kind, keep_bytes=self._cuts.popleft() if self._cuts else None)

    def _described(self, batch: FakeBatch, host: str, *, look: bool = False, cancel: bool = False) -> dict[str, Any]:
        if cancel and batch.ended_at is None:
            batch.cancel_initiated_at = datetime.now(UTC)
        elif look and batch.ended_at is None:
            self._work(batch)
        ended, cancelling = batch.ended_at is not None, batch.cancel_initiated_at is not None
        return {
            "id": batch.id,
            "type": "message_batch",
            "processing_status": "ended" if ended else "canceling" if cancelling else "in_progress",
            "request_counts": _counts(batch),
            "created_at": _time(batch.created_at),
            "expires_at": _time(batch.created_at + timedelta(hours=24)),
            "ended_at": _time(batch.ended_at),
            "archived_at": None,
            "cancel_initiated_at": _time(batch.cancel_initiated_at),
            "results_url": f"http://{host}{PATH}/{batch.id}/results" if ended else None,
        }

    def _work(self, batch: FakeBatch) -> None:
        if batch.cancel_initiated_at is None and batch.looks_left != 0:
            batch.looks_left = batch.looks_left and batch.looks_left - 1
            return
        for custom_id, params in batch.requests.items():
            batch.results[custom_id] = self._result(params, cancelled=batch.cancel_initiated_at is not None)
        batch.ended_at = datetime.now(UTC)

    def _result(self, params: Params, *, cancelled: bool) -> dict[str, Any]:
        fates = [fate for fate, chosen in self.lines.items() if chosen(params)]
        fate = "canceled" if cancelled else fates[0] if fates else None
        if fate in ("canceled", "expired"):
            return {"type": fate}
        if fate == "errored":
            return {
                "type": "errored",
                "error": wire.error("api_error", "scripted failure", "") | {"request_id": None},
            }
        try:
            _check_line(params)
        except Refused as refused:
            told = wire.error(refused.error_type, refused.message, "") | {"request_id": None}
            return {"type": "errored", "error": told}
        answered = self._answer(params)
        if answered.message is None:
            return {"type": "errored", "error": json.loads(answered.raw) | {"request_id": None}}
        return {"type": "succeeded", "message": dict(answered.message)}


def _operation(method: str, parts: list[str]) -> Operation:
    match method, parts:
        case "POST", [""]:
            return "create"
        case "GET", [""]:
            return "list"
        case "GET", [_]:
            return "retrieve"
        case "GET", [_, "results"]:
            return "results"
        case "POST", [_, "cancel"]:
            return "cancel"
        case _:
            raise Refused(404, "not_found_error", "Not Found")


def _check_line(params: Params) -> None:
    if params.get("stream"):
        raise invalid("stream: not supported in a batch")
    if params.get("max_tokens") == 0:
        raise invalid("max_tokens: must be greater than 0 in a batch")
    check_request(params)


def _counts(batch: FakeBatch) -> dict[str, int]:
    counts = dict.fromkeys(("processing", "succeeded", "errored", "canceled", "expired"), 0)
    for result in batch.results.values():
        counts[result["type"]] += 1
    return counts | {"processing": len(batch.requests) - len(batch.results)}


def _host(headers: Mapping[str, str]) -> str:
    return headers["host"]


def _time(moment: datetime | None) -> str | None:
    return moment.isoformat().replace("+00:00", "Z") if moment else None
