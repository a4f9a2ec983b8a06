"""What surrounds every request: its id, one log line, safe headers, bounds on its body, and an answer when
our code breaks.

Pure ASGI (no BaseHTTPMiddleware), so that streaming and client disconnects stay as they are.
"""

import asyncio
import re
import time
from uuid import uuid4

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from backend.app.errors import PayloadTooLarge, RequestTimeout
from backend.app.limited import limit_headers
from backend.app.problems import app_error_response, internal_error_response
from backend.app.utils.logs import begin_request

_log = structlog.get_logger(__name__)
_CLIENT_ID = re.compile(r"[A-Za-z0-9_-]{8,64}")
_PRIVATE_PREFIXES = (
    "/api/admin",
    "/metrics",
    "/api/auth",
    "/api/user",
    "/api/chat",
    "/api/translate",
    "/api/personalize",
)
_MAX_BODY_BYTES = 512 * 1024  # the longest chapter of the books at hand is 60 KB; a selection is 20,000 characters
_MAX_LOGGED_PATH_CHARS = 200  # an address may be 64 KB long, and a log line is kept
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_BODY_DEADLINE_S = 15.0  # a client that drips its body must not hold a connection for good


class RequestEnvelope:
    """Wraps the application. `https_only` adds HSTS (production sits behind TLS)."""

    def __init__(self, app: ASGIApp, *, https_only: bool) -> None:
        self._app = app
        self._https_only = https_only

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request; anything that is no HTTP request passes through."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        if Headers(scope=scope).get("x-forwarded-proto") == "https":
            # So that redirects and the page at `/` name the address that the browser used. Whoever makes the
            # header up fools only the answer to that very request.
            scope["scheme"] = "https"
        exchange = _Exchange(scope, receive, send, https_only=self._https_only)
        try:
            if exchange.announces_too_much():
                refusal = app_error_response(scope["path"], PayloadTooLarge())
                refusal.headers["Connection"] = "close"
                await refusal(scope, receive, exchange.send)
            else:
                await self._app(scope, exchange.receive, exchange.send)
        except Exception:
            _log.exception("request_failed", method=scope["method"], path=scope["path"][:_MAX_LOGGED_PATH_CHARS])
            if exchange.status:
                raise  # the response has begun: the server must cut the connection
            await internal_error_response(scope["path"])(scope, receive, exchange.send)
        finally:
            exchange.log()


class _Exchange:
    """One request on its way: notes the status, completes the headers, bounds the body, measures."""

    def __init__(self, scope: Scope, receive: Receive, send: Send, *, https_only: bool) -> None:
        self._scope, self._receive, self._send, self._https_only = scope, receive, send, https_only
        self._started = time.perf_counter()
        self._received_bytes = 0
        self._body_complete = False
        self.status = 0
        self._is_sent = False
        self._headers = Headers(scope=scope)
        offered = self._headers.get("x-request-id", "")
        self._request_id = offered if _CLIENT_ID.fullmatch(offered) else uuid4().hex
        begin_request(self._request_id)

    def announces_too_much(self) -> bool:
        """Whether Content-Length alone already breaks the bound."""
        announced = self._headers.get("content-length", "")
        return announced.isdecimal() and int(announced[:12]) > _MAX_BODY_BYTES

    async def receive(self) -> Message:
        """The next part of the body. Raises HTTPException 413 over the bound and 408 past the deadline; these
        reach the client through the framework's own body parser, which lets no other exception pass."""
        if self._body_complete:
            return await self._receive()
        left_s = self._started + _BODY_DEADLINE_S - time.perf_counter()
        try:
            message = await asyncio.wait_for(self._receive(), max(left_s, 0))
        except TimeoutError:
            raise HTTPException(RequestTimeout.status) from None
        self._received_bytes += len(message.get("body", b""))
        self._body_complete = not message.get("more_body", False)
        if self._received_bytes > _MAX_BODY_BYTES:
            raise HTTPException(PayloadTooLarge.status)
        return message

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self._complete(MutableHeaders(scope=message))
        await self._send(message)
        self._is_sent = message["type"] == "http.response.body" and not message.get("more_body", False)

    def _complete(self, headers: MutableHeaders) -> None:
        headers["X-Request-ID"] = self._request_id
        headers.update(limit_headers(self._scope))
        headers["X-Content-Type-Options"] = "nosniff"
        headers["Referrer-Policy"] = "strict-origin-when-cross-origin"
        headers.setdefault("Content-Security-Policy", "frame-ancestors 'none'")
        if self._https_only:
            headers["Strict-Transport-Security"] = "max-age=31536000"
        if self._scope["path"].startswith(_PRIVATE_PREFIXES):
            headers.setdefault("Cache-Control", "no-store")

    def log(self) -> None:
        elapsed_ms = round((time.perf_counter() - self._started) * 1000, 1)
        path = self._scope["path"][:_MAX_LOGGED_PATH_CHARS]
        fields = {"method": self._scope["method"], "path": path, "status": self.status}
        if outcome := self._scope.get("state", {}).get("outcome") or (None if self._is_sent else "left"):
            fields["outcome"] = outcome  # of a response that was sent in parts, or not to its end
        _log.info("request_served", **fields, latency_ms=elapsed_ms)
        self._count()

    def _count(self) -> None:
        """By the template of the path: whoever makes up paths makes no new numbers."""
        method = self._scope["method"] if self._scope["method"] in _METHODS else "other"
        route = getattr(self._scope.get("route"), "path_format", "none")
        services = getattr(self._scope["app"].state, "services", None)
        if services:  # a request can come before they are open
            services.tally.served(method, route, self.status)
