"""A Claude that answers from a script: an HTTP server on a real port that speaks the Messages API.

    with FakeClaude() as claude:
        claude.says("Hello.")                          # the next reply; without a script it quotes its first source
        claude.fails(529, times=2, retry_after=1)      # then two overloaded replies
        client = AsyncAnthropic(base_url=claude.base_url, api_key="test", max_retries=0)
        claude.requests[0].body["system"]              # what was really sent
        claude.says("Hello.", keep_records=5, stalls=True)   # a stream that stops in the middle
    claude.adapts(translators.good)                # from now on each piece of a chapter; scripted replies come first
        claude.left.wait(5)                            # whether somebody hung up before the reply was over

Requests that the API would refuse are refused whatever the script says (claude_rules.py); batches of requests
are in claude_batches.py. As a program: `python -m tests.fakes.claude --port 9300 [--delay 0.5]`.
"""

import argparse
import asyncio
import contextlib
import itertools
import json
import socket
import struct
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

from tests.fakes import claude_batches
from tests.fakes import claude_wire as wire
from tests.fakes.claude_rules import MAX_BODY_BYTES, MODELS, Refused, check_headers, check_key, check_request

Body = Mapping[str, Any]
Content = Sequence[Mapping[str, Any]]
ERROR_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    409: "conflict_error",
    413: "request_too_large",
    429: "rate_limit_error",
    504: "timeout_error",
    529: "overloaded_error",
}


@dataclass(frozen=True)
class Request:
    """One request as it arrived. Header names are lower case."""

    path: str
    headers: Mapping[str, str]
    body: dict[str, Any]


@dataclass(frozen=True)
class Reply:
    """What goes back. `message` is rendered as JSON or as events, as asked; `raw` is sent as it is."""

    message: Mapping[str, Any] | None = None
    raw: bytes = b""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    hangs: bool = False
    delay_s: float = 0.0
    keep_bytes: int | None = None  # the rest of the body never comes
    reset: bool = False  # a cut connection ends with RST instead of FIN
    drip_s: float = 0.0  # seconds between single bytes of the body
    # Of a stream only:
    pause_s: float = 0.0  # seconds before each record
    keep_records: int | None = None  # it ends after these, cleanly
    then: bytes = b""  # what comes after the last record
    stalls: bool = False  # it does not end: nothing more comes
    piece_chars: int = 24  # of text in one record
    cites_late: bool = False  # citations after the text of their block


Step = Callable[[Body], Reply]
Adapter = Callable[[Body], str | tuple[str, str]]
"""The request for a piece of a chapter -> the reply's text, or that and its stop_reason."""


class FakeClaude:
    """The server and its script. Steps are used in the order given; then replies are `default_content`."""

    def __init__(self, port: int = 0, *, delay_s: float = 0.0) -> None:
        self.requests: list[Request] = []
        self.received = threading.Event()  # set by the first request
        self.left = threading.Event()  # set when somebody hangs up before the reply is over
        self.delay_s = delay_s
        self._steps: deque[Step] = deque()
        self._rewrites: Mapping[str, str] | None = None
        self._adapt: Step | None = None
        self.batches = claude_batches.FakeBatches(lambda body: self._reply("/v1/messages", body), Reply)
        self._port = port
        self._loop = asyncio.new_event_loop()
        self._started = threading.Event()
        self._failure: OSError | None = None
        self._thread = threading.Thread(target=self._run, name="fake-claude", daemon=True)

    # --- script

    def says(
        self,
        said: str | Content | Callable[[Body], Content],
        *,
        stop_reason: str | None = "end_turn",
        times: int = 1,
        usage: Mapping[str, int] | None = None,
        **reply: Any,
    ) -> None:
        """The next reply: plain text, content blocks, or a function from the request to blocks. `usage`: what it
        costs instead of an estimate."""

        def step(body: Body) -> Reply:
            blocks = [wire.text(said)] if isinstance(said, str) else said(body) if callable(said) else said
            message = wire.message(body, blocks, stop_reason)
            return Reply(message | {"usage": usage} if usage else message, **reply)

        self._steps.extend([step] * times)

    def fails(
        self,
        status: int,
        *,
        times: int = 1,
        retry_after: float | str | None = None,
        error_code: str | None = None,
        message: str = "scripted failure",
        headers: Mapping[str, str] | None = None,
    ) -> None:
        sent = dict(headers or {}) | ({} if retry_after is None else {"retry-after": str(retry_after)})
        kind = ERROR_TYPES.get(status, "api_error")
        body = json.dumps(wire.error(kind, message, "req_scripted", error_code)).encode()
        self.replies(Reply(raw=body, status=status, headers=sent), times=times)

    def replies(self, reply: Reply, *, times: int = 1) -> None:
        """Any reply, raw bytes included; the JSON content type unless a header says otherwise."""
        self._steps.extend([lambda _body: reply] * times)

    def rewrites(self, english: Mapping[str, str]) -> None:
        """From now on each question to be rewritten is looked up here and stays as it is when it is not there; the
        script is for all other requests."""
        self._rewrites = english

    def adapts(self, adapter: Adapter, **reply: Any) -> None:
        """From now on each piece of a chapter to be adapted gets what `adapter` makes of its request, as often as it
        is asked; what is scripted for it comes first. `reply`: fields of Reply."""

        def step(body: Body) -> Reply:
            said = adapter(body)
            words, stop_reason = (said, "end_turn") if isinstance(said, str) else said
            message = wire.message(body, [wire.THINKING, wire.text(words)], stop_reason)
            return Reply(message, **{"delay_s": self.delay_s, **reply})

        self._adapt = step

    def breaks_off(
        self, said: str | Content | Callable[[Body], Content], *, after: int, kind: str = "overloaded_error"
    ) -> None:
        """A stream that reports an error after so many records; the status has long been 200."""
        broken = wire.record(wire.error(kind, "Overloaded", "req_scripted"))
        self.says(said, keep_records=after, then=broken)

    def hangs(self, *, times: int = 1) -> None:
        """Reads the request and never answers."""
        self.replies(Reply(hangs=True), times=times)

    def cuts(self, keep_bytes: int = 40, *, reset: bool = False, times: int = 1) -> None:
        """The default answer, cut after `keep_bytes` of its body."""
        self.says(wire.default_content, keep_bytes=keep_bytes, reset=reset, times=times)

    @property
    def last_body(self) -> dict[str, Any]:
        return self.requests[-1].body

    # --- life

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    def start(self) -> Self:
        self._thread.start()
        self._started.wait()
        if self._failure:
            raise self._failure
        return self

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._stopping.set)
        self._thread.join()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _run(self) -> None:
        with contextlib.closing(self._loop):
            try:
                self._loop.run_until_complete(self._serve())
            except OSError as failure:  # the port is taken
                self._failure = failure
                self._started.set()

    async def _serve(self) -> None:
        self._stopping = asyncio.Event()
        self._connections: set[asyncio.Task[None]] = set()
        server = await asyncio.start_server(self._accept, "127.0.0.1", self._port, limit=2**20)
        self._port = server.sockets[0].getsockname()[1]
        self._started.set()
        await self._stopping.wait()
        server.close()
        for task in self._connections:
            task.cancel()
        await asyncio.gather(*self._connections, return_exceptions=True)

    # --- one connection

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._connections.add(task)
        task.add_done_callback(self._connections.discard)
        writer.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            while await self._exchange(reader, writer):
                pass
        except (OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            writer.close()

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        method, path, _ = head[0].split(" ", 2)
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:-2])}
        size = int(headers.get("content-length", "0"))
        raw = b"" if size > MAX_BODY_BYTES else await reader.readexactly(size)
        request_id, line = f"req_{len(self.requests):06d}", _Line(reader, writer)
        try:
            if path.startswith(claude_batches.PATH):
                return await self._send(line, {}, self.batches.exchange(method, path, headers, raw), request_id)
            if method == "GET":
                return await self._send(line, {}, _model(path, headers), request_id)
            body = self._admit(method, path.partition("?")[0], headers, raw, size)
            return await self._send(line, body, self._reply(path, body), request_id)
        except Refused as refused:
            told = json.dumps(wire.error(refused.error_type, refused.message, request_id)).encode()
            return await self._send(line, {}, Reply(raw=told, status=refused.status), request_id)
        except _HungUp:
            self.left.set()
            return False

    def _admit(self, method: str, path: str, headers: Mapping[str, str], raw: bytes, size: int) -> dict[str, Any]:
        check_headers(headers)
        if size > MAX_BODY_BYTES:
            raise Refused(413, "request_too_large", "Request exceeds the maximum size")
        if method != "POST" or path not in ("/v1/messages", "/v1/messages/count_tokens"):
            raise Refused(404, "not_found_error", "Not Found")
        try:
            body = json.loads(raw)
        except ValueError:
            raise Refused(400, "invalid_request_error", "The request body is not valid JSON") from None
        self.requests.append(Request(path, headers, body))
        self.received.set()
        check_request(body, counting=path.endswith("count_tokens"))
        return body

    def _reply(self, path: str, body: Body) -> Reply:
        if path.startswith("/v1/messages/count_tokens"):
            return Reply(raw=json.dumps({"input_tokens": wire.count_tokens(body)}).encode())
        if self._rewrites is not None and (asked := wire.question_to_rewrite(body)) is not None:
            said = f"<query>{self._rewrites.get(asked, asked)}</query>"
            return Reply(wire.message(body, [wire.text(said)]), delay_s=self.delay_s)
        if self._steps:
            return self._steps.popleft()(body)
        if self._adapt is not None and wire.is_adaptation(body):
            return self._adapt(body)
        return Reply(wire.message(body, wire.default_content(body)), delay_s=self.delay_s)

    async def _send(self, line: "_Line", body: Body, reply: Reply, request_id: str) -> bool:
        """True when the connection can carry another request."""
        if reply.hangs:
            await line.wait(None)
        await line.wait(reply.delay_s)
        if reply.message is not None and body.get("stream") and reply.keep_bytes is None and not reply.drip_s:
            records = wire.events(reply.message, piece_chars=reply.piece_chars, cites_late=reply.cites_late)
            return await self._send_stream(line, records, reply, request_id)
        streamed = reply.message is not None and bool(body.get("stream"))
        payload = self._payload(reply, streamed)
        kept = payload[: reply.keep_bytes]
        head = _head(reply, request_id, streamed, {"content-length": str(len(payload))})
        for part in _parts(head, kept, reply.drip_s):
            await line.send(part)
            await line.wait(reply.drip_s)
        if reply.reset:
            line.reset()
        return len(kept) == len(payload)

    @staticmethod
    async def _send_stream(line: "_Line", records: Iterator[bytes], reply: Reply, request_id: str) -> bool:
        """Record by record, in chunks of HTTP, so that an early end can be a clean one."""
        await line.send(_head(reply, request_id, True, {"transfer-encoding": "chunked"}))
        for record in itertools.islice(records, reply.keep_records):
            await line.wait(reply.pause_s)
            await line.send(_chunk(record))
        await line.send(_chunk(reply.then) if reply.then else b"")
        if reply.stalls:
            await line.wait(None)
        if reply.reset:
            line.reset()
            return False
        await line.send(b"0\r\n\r\n")
        return True

    @staticmethod
    def _payload(reply: Reply, streamed: bool) -> bytes:
        if reply.message is None:
            return reply.raw
        return b"".join(wire.events(reply.message)) if streamed else json.dumps(reply.message).encode()


class _HungUp(Exception):
    """The other side closed the connection."""


class _Line:
    """One connection, which notices when the other side hangs up."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    async def send(self, data: bytes) -> None:
        self._check()
        self._writer.write(data)
        await self._writer.drain()

    async def wait(self, seconds: float | None) -> None:
        """None: until the other side hangs up, or the server is stopped."""
        end = None if seconds is None else time.monotonic() + seconds
        while end is None or (left_s := end - time.monotonic()) > 0:
            self._check()
            await asyncio.sleep(0.01 if end is None else min(left_s, 0.01))

    def reset(self) -> None:
        """Close with RST instead of FIN."""
        sock = self._writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    def _check(self) -> None:
        if self._reader.at_eof() or self._reader.exception() or self._writer.is_closing():
            raise _HungUp


def _head(reply: Reply, request_id: str, streamed: bool, framing: Mapping[str, str]) -> bytes:
    headers = {"content-type": "text/event-stream; charset=utf-8" if streamed else "application/json"}
    headers |= {"request-id": request_id, **framing, **reply.headers}
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    return f"HTTP/1.1 {reply.status} Scripted\r\n{lines}\r\n".encode("latin-1")


def _chunk(data: bytes) -> bytes:
    return f"{len(data):x}\r\n".encode() + data + b"\r\n"


def _model(path: str, headers: Mapping[str, str]) -> Reply:
    """The description of a model: free, and what shows that a key and a model id are good."""
    check_key(headers)
    model = path.removeprefix("/v1/models/")
    if model not in MODELS:
        raise Refused(404, "not_found_error", "Not Found")
    described = {"type": "model", "id": model, "display_name": model, "created_at": "2026-09-01T00:00:00Z"}
    return Reply(raw=json.dumps(described).encode())


def _parts(head: bytes, payload: bytes, drip_s: float) -> Iterable[bytes]:
    """Head and body in one write (two writes cost 40 ms to Nagle and delayed ACK), or byte by byte."""
    if not drip_s:
        return iter([head + payload])
    return _bytes_after(head, payload)


def _bytes_after(head: bytes, payload: bytes) -> Iterator[bytes]:
    yield head
    for index in range(len(payload)):
        yield payload[index : index + 1]


def main() -> None:
    parser = argparse.ArgumentParser(description="A scripted Claude that quotes its first source.")
    parser.add_argument("--port", type=int, default=9300)
    parser.add_argument("--delay", type=float, default=0.0, help="seconds before each reply")
    options = parser.parse_args()
    with FakeClaude(options.port, delay_s=options.delay) as claude:
        print(f"Scripted Claude on {claude.base_url} (set ANTHROPIC_BASE_URL to it); Ctrl-C stops it.", flush=True)
        with contextlib.suppress(KeyboardInterrupt):
            threading.Event().wait()


if __name__ == "__main__":
    main()
