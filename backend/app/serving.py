"""Runs the application in this process: binds the address, opens the services, serves, closes what it opened.

Knows sockets, signals and the first lines an owner sees; nothing of the endpoints. One process on purpose: the
embedded stores, the model and the rate limits belong to it.
"""

import asyncio
import errno
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

from backend.app.errors import ConfigurationError
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
    with suppress(asyncio.CancelledError), listener:
        asyncio.run(_serve(settings, listener))


def bind(host: str, port: int) -> socket.socket:
    """A bound socket; "" is every address, IPv4 and IPv6. Port 0 lets the system choose."""
    try:
        if host == "" and socket.has_dualstack_ipv6():
            return socket.create_server(("::", port), family=socket.AF_INET6, dualstack_ipv6=True, backlog=2048)
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        return socket.create_server((host or "0.0.0.0", port), family=family, backlog=2048)  # noqa: S104
    except OSError as error:
        where = f"{host or 'every address'}, port {port}"
        if error.errno == errno.EADDRINUSE:
            problem = (
                f"PORT: another program already listens on {where}. Stop it, or choose another: --port {port + 1}"
            )
        else:
            problem = f"HOST, PORT: cannot listen on {where}: {error.strerror or error}."
        raise ConfigurationError([problem]) from None


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
    app = create_app(settings)
    stop_starting = _cancel_on_signal()
    async with app.router.lifespan_context(app):
        stop_starting.clear()
        await _Server(app, lambda: _announce(app.state.services, listener)).serve([listener])


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


def _announce(services: Services, listener: socket.socket) -> None:
    port = listener.getsockname()[1]
    if sys.stdout.isatty():
        typer.echo(banner(services.settings, url(listener)))
    _log.info("listening", port=port, environment=services.settings.environment)


def url(listener: socket.socket) -> str:
    """The address to open in a browser on this machine."""
    host, port = listener.getsockname()[:2]
    if host in ("0.0.0.0", "::"):  # noqa: S104
        host = "localhost"
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def banner(settings: Settings, address: str) -> str:
    """What runs, what is a stand-in, and which setting replaces it: a dozen lines for a terminal."""
    command = _command()
    embedder = settings.embedding_model.rpartition("/")[2]
    key = settings.anthropic_api_key
    rows = [
        ("Database", *_own_or_embedded(settings.database_url, settings.data_dir, "DATABASE_URL=postgresql://...")),
        ("Search", *_own_or_embedded(settings.qdrant_url, settings.data_dir, "QDRANT_URL=https://...")),
        ("Embeddings", f"{embedder}, on this machine", "EMBEDDING_BACKEND"),
        ("Claude", settings.claude_model, "CLAUDE_MODEL")
        if key
        else ("Claude", "no key: answers quote the book word for word", "ANTHROPIC_API_KEY=sk-ant-..."),
        ("Browsers", "pages of " + ", ".join(settings.allowed_origins), "ALLOWED_ORIGINS"),
    ]
    width = max(len(state) for _, state, _ in rows)
    lines = [f"{NAME}   {address}   (try it: {address}/docs)", ""]
    lines += [f"  {name:<11} {state:<{width}}   {setting}" for name, state, setting in rows]
    return "\n".join([
        *lines,
        "",
        "  Settings go into .env (see .env.example); check them with:  " + f"{command} doctor",
        "  Your own book:  " + f"{command} ingest path/to/docs",
        "  Ask something:  " + f"curl -s {address}/api/chat/ask -H 'content-type: application/json' "
        """-d '{"question": "What is a ROS 2 node?"}'""",
        "  Stop: Ctrl-C",
        "",
    ])  # fmt: skip


def _own_or_embedded(own: object, data_dir: Path, setting: str) -> tuple[str, str]:
    return ("your own", setting.partition("=")[0]) if own else (f"embedded, in {_short(data_dir)}", setting)


def _command() -> str:
    return f"{_short(Path(sys.executable))} -m backend"


def _short(path: Path) -> str:
    return str(path.relative_to(REPO_ROOT)) if path.is_relative_to(REPO_ROOT) else str(path)
