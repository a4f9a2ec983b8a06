"""Runs the application in this process: binds the address, opens the services, serves, closes what it opened.

Knows sockets, signals and the first lines an owner sees; nothing of the endpoints. One process on purpose: the
embedded stores, the model and the threads of readers without a login belong to it.
"""

import asyncio
import errno
import os
import signal
import socket
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import FrameType

import structlog
import typer
import uvicorn
from fastapi import FastAPI
from starlette.types import Message

from backend.app.errors import ConfigurationError, Unavailable
from backend.app.lifespan import Services
from backend.app.utils.config import REPO_ROOT, Settings
from backend.app.version import NAME
from backend.main import create_app

DRAIN_S = 25  # hosting platforms kill after 30 s; what is running gets this long to be answered
_log = structlog.get_logger(__name__)


def serve(settings: Settings, *, host: str, port: int) -> None:
    """Blocks until SIGTERM or Ctrl-C; then answers what is running and closes everything.

    Raises ConfigurationError when the address is taken or a service can never work as configured.
    """
    listener = bind(host, port)
    if sys.stdout.isatty() and not (settings.qdrant_url or (settings.data_dir / "qdrant").exists()):
        typer.echo("First start: indexing the sample book takes about half a minute ...")
    with suppress(asyncio.CancelledError), listener:
        asyncio.run(_serve(settings, listener))


def bind(host: str, port: int) -> socket.socket:
    """A bound socket; "" is every address, IPv4 and IPv6. Port 0 lets the system choose."""
    try:
        if host == "" and socket.has_dualstack_ipv6():
            return _tcp(socket.create_server(("::", port), family=socket.AF_INET6, dualstack_ipv6=True, backlog=2048))
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        return _tcp(socket.create_server((host or "0.0.0.0", port), family=family, backlog=2048))  # noqa: S104
    except OSError as error:
        where = f"{host or 'every address'}, port {port}"
        if error.errno == errno.EADDRINUSE:
            problem = (
                f"PORT: another program already listens on {where}. Stop it, or choose another: --port {port + 1}"
            )
        else:
            reason = str(error.strerror or error).partition(" (while")[0]  # the rest repeats the address
            problem = f"HOST, PORT: cannot listen on {where}: {reason}."
        raise ConfigurationError([problem]) from None


def _tcp(listener: socket.socket) -> socket.socket:
    """The same socket, known as TCP: only then asyncio turns Nagle's algorithm off for what it accepts, and without
    that each response waits 40 ms for the client's delayed acknowledgement of its head."""
    return socket.socket(listener.family, listener.type, socket.IPPROTO_TCP, listener.detach())


class _Server(uvicorn.Server):
    """Tells when it answers. The services are opened around it, so that their failures stay exceptions."""

    def __init__(self, app: FastAPI, on_ready: Callable[[], None]) -> None:
        quiet = "warning" if sys.stdout.isatty() else None
        super().__init__(
            uvicorn.Config(
                app,
                lifespan="off",
                log_config=None,
                log_level=quiet,
                access_log=False,
                server_header=False,
                proxy_headers=False,
                timeout_graceful_shutdown=DRAIN_S,
            )
        )
        self._on_ready = on_ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started:
            self._on_ready()


async def _serve(settings: Settings, listener: socket.socket) -> None:
    await _open_exporters()
    app = create_app(settings)
    stop_starting = _cancel_on_signal()
    async with app.router.lifespan_context(app):
        book = await _describe_book(app.state.services)
        stop_starting.clear()
        await _Server(app, lambda: _announce(settings, listener, book)).serve([listener])


async def _open_exporters() -> None:
    """OpenTelemetry, where the environment asks for it. FastAPI opens its exporters in the lifespan protocol, which
    is not spoken here; an empty application speaks it, and what it opens is the whole process'."""
    if os.environ.get("FASTAPI_OTEL_AUTO_CONFIGURE", "").lower() != "true":
        return
    events = iter(("lifespan.startup", "lifespan.shutdown"))

    async def receive() -> Message:
        return {"type": next(events)}

    async def send(_message: Message) -> None:
        pass

    await FastAPI()({"type": "lifespan", "asgi": {"version": "3.0"}, "state": {}}, receive, send)


async def _describe_book(services: Services) -> str:
    try:
        return f"{len(await services.db.list_chapters())} chapters, {await services.index.count()} passages"
    except Unavailable as unavailable:
        return unavailable.detail


def _cancel_on_signal() -> list[asyncio.Task[None]]:
    """Until the list is emptied, SIGINT and SIGTERM cancel the current task, so that a half-done start is undone;
    afterwards they are left to the server, which passes them on once more when it has ended."""
    task = asyncio.current_task()
    assert task
    tasks, loop = [task], asyncio.get_running_loop()

    def stop(_number: int, _frame: FrameType | None) -> None:
        for task in tasks:
            loop.call_soon_threadsafe(task.cancel)

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, stop)
    return tasks


def _announce(settings: Settings, listener: socket.socket, book: str) -> None:
    if sys.stdout.isatty():
        typer.echo(banner(settings, url(listener), book))
    else:
        _log.info("listening", port=listener.getsockname()[1], environment=settings.environment, book=book)


def url(listener: socket.socket) -> str:
    """The address to open in a browser on this machine."""
    host, port = listener.getsockname()[:2]
    if host in ("0.0.0.0", "::"):  # noqa: S104
        host = "localhost"
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def banner(settings: Settings, address: str, book: str) -> str:
    """What runs, what is a stand-in, and what replaces it: a dozen lines for a terminal."""
    command = _command()
    rows = [
        ("Book", book, f"{command} ingest path/to/docs"),
        ("Database", *_own_or_embedded(settings.database_url, settings.data_dir, "DATABASE_URL")),
        ("Search", *_own_or_embedded(settings.qdrant_url, settings.data_dir, "QDRANT_URL")),
        ("Embeddings", f"{settings.embedding_model.rpartition('/')[2]}, on this machine", "EMBEDDING_BACKEND"),
        ("Claude", _claude(settings), "CLAUDE_MODEL" if settings.anthropic_api_key else "ANTHROPIC_API_KEY"),
        ("Browsers", "pages of " + ", ".join(settings.allowed_origins), "ALLOWED_ORIGINS"),
    ]
    width = max(len(state) for _, state, _ in rows)
    question = """-H 'content-type: application/json' -d '{"question": "What is a ROS 2 node?"}'"""
    lines = [
        f"{NAME}   {address}   (API: {address}/docs)",
        "",
        f"  {'':<11} {'now':<{width}}   change with",
        *(f"  {name:<11} {state:<{width}}   {change}" for name, state, change in rows),
        "",
        f"  Settings go into .env (see .env.example). Check them: {command} doctor",
        f"  Try: curl -s {address}/api/chat/ask {question}",
        "  Stop: Ctrl-C",
        "",
    ]
    return "\n".join(lines)


def _claude(settings: Settings) -> str:
    return settings.claude_model if settings.anthropic_api_key else "no key: answers quote the book word for word"


def _own_or_embedded(own: object, data_dir: Path, setting: str) -> tuple[str, str]:
    return ("your own" if own else f"embedded, in {_short(data_dir)}"), setting


def _command() -> str:
    return f"{_short(Path(sys.executable))} -m backend"


def _short(path: Path) -> str:
    return str(path.relative_to(REPO_ROOT)) if path.is_relative_to(REPO_ROOT) else str(path)
