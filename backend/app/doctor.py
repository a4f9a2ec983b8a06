"""Looks at every setting and dependency as an owner would, and says what to do about each.

Knows how to open each dependency alone, so that one failure hides no other. Changes nothing except that the
embedded database is started and stopped. Never shows a value that could be a secret.
"""

import asyncio
import shutil
import socket
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Literal
from urllib.parse import urlsplit

from backend.app.errors import (
    AppError,
    BookNotIngested,
    ConfigurationError,
    DatabaseUnavailable,
    RateLimitsUnavailable,
)
from backend.app.lifespan import open_database
from backend.app.services.budget_service import known_prices
from backend.app.services.claude_budget import Unlimited
from backend.app.services.claude_service import ClaudeService
from backend.app.services.embedding_service import EmbeddingService, open_embedder
from backend.app.services.qdrant_service import open_index
from backend.app.services.redis_windows import RedisWindows
from backend.app.utils.config import Settings, settings_warnings

LOW_DISK_BYTES = 1_000_000_000  # the embedded stores, the model's graph and room to write
INGEST = "python -m backend ingest PATH"
_DATABASE_FIX = (
    "Check that the server of DATABASE_URL runs and lets this machine in, and the URL's host, port, user, password "
    "and database name."
)
_LOCAL = ("localhost", "127.0.0.1", "::1")


@dataclass(frozen=True, slots=True)
class Check:
    """One finding. `fix` is what to do ("" when nothing); only "failed" makes the command fail."""

    name: str
    state: Literal["ok", "warning", "failed"]
    detail: str
    fix: str = ""


async def examine(settings: Settings) -> list[Check]:
    """Every check, one after the other. Takes a few seconds; a dependency that hangs is cut off."""
    return [
        *(Check("settings", "warning", warning) for warning in settings_warnings(settings)),
        _environment(settings),
        _data_dir(settings.data_dir),
        await _guarded("database", lambda: _database(settings)),
        await _guarded("limits", lambda: _limits(settings)),
        *await _retrieval(settings),
        await _guarded("claude", lambda: _claude(settings)),
        _origins(settings),
        _links(settings),
        _port(settings),
    ]


async def _guarded(name: str, check: Callable[[], Awaitable[Check]]) -> Check:
    try:
        async with asyncio.timeout(30):
            return await check()
    except DatabaseUnavailable as error:
        return Check(name, "failed", f"No connection ({type(error.__cause__).__name__}).", _DATABASE_FIX)
    except AppError as error:
        return Check(name, "failed", error.detail)
    except TimeoutError:
        return Check(name, "failed", "No answer within 30 seconds.", "Check the address and the network.")


def _environment(settings: Settings) -> Check:
    if settings.environment == "production":
        return Check("environment", "ok", "production: nothing is generated or embedded")
    return Check("environment", "ok", "development: what is not set is embedded or generated under DATA_DIR")


def _data_dir(folder: Path) -> Check:
    existing = next(path for path in (folder, *folder.parents) if path.exists())
    free = shutil.disk_usage(existing).free
    detail = f"{folder}: {free / 1e9:.1f} GB free"
    if free < LOW_DISK_BYTES:
        return Check("disk", "failed", detail, "Free some space, or point DATA_DIR to another disk.")
    return Check("disk", "ok", detail)


async def _database(settings: Settings) -> Check:
    where = _database_kind(settings)
    async with open_database(settings) as db:
        started = perf_counter()
        await db.ping()
        latency_ms = (perf_counter() - started) * 1000
        missing = await db.list_missing_steps()
    if missing and settings.environment == "production":
        detail = f"{where}: the schema lacks {', '.join(missing)}"
        return Check("database", "failed", detail, "Run: python -m backend migrate")
    later = "; its schema is made at the first start" if missing else ""
    return Check("database", "ok", f"{where}: answers in {latency_ms:.0f} ms{later}")


def _database_kind(settings: Settings) -> str:
    if settings.database_url is None:
        return "embedded"
    host = urlsplit(settings.database_url.get_secret_value()).hostname or "Unix socket"
    return f"{host} (pooled)" if "-pooler" in host else host


async def _limits(settings: Settings) -> Check:
    storage = settings.rate_limit_storage.get_secret_value()
    if storage == "memory":
        return Check("limits", "ok", "counted in memory, by each process for itself")
    if storage == "postgres":
        return Check("limits", "ok", "counted in the database")
    where, windows = urlsplit(storage).hostname, RedisWindows(storage)
    try:
        await windows.ping()
        return Check("limits", "ok", f"counted in Redis: {where} answers")
    except RateLimitsUnavailable as error:
        fix = "Check that the server of RATE_LIMIT_STORAGE runs, and the URL's host, port and password."
        return Check(
            "limits", "failed", f"{where} refuses or does not answer ({type(error.__cause__).__name__}).", fix
        )
    finally:
        await windows.close()


async def _retrieval(settings: Settings) -> list[Check]:
    try:
        embedder = await asyncio.to_thread(open_embedder, settings)
    except ConfigurationError as error:
        return [Check("embeddings", "failed", error.detail)]
    try:
        return [
            await _guarded("embeddings", lambda: _embeddings(embedder)),
            await _guarded("search", lambda: _search(settings, embedder)),
        ]
    finally:
        embedder.close()


async def _embeddings(embedder: EmbeddingService) -> Check:
    started = perf_counter()
    await embedder.embed(["What is a humanoid robot?"])
    took_ms = (perf_counter() - started) * 1000
    return Check("embeddings", "ok", f"{embedder.dimension} dimensions, first question in {took_ms:.0f} ms")


async def _search(settings: Settings, embedder: EmbeddingService) -> Check:
    where = urlsplit(settings.qdrant_url).hostname if settings.qdrant_url else "embedded"
    wake = (
        "Check QDRANT_URL and QDRANT_API_KEY. Qdrant Cloud suspends a free cluster after a week without use and "
        f"deletes it after four: open its console, resume or create it, then run: {INGEST}"
    )
    try:
        index = await asyncio.to_thread(open_index, settings)
    except ConfigurationError as error:
        return Check("search", "warning", error.detail, "Nothing to do if that is your running server.")
    try:
        await index.check(embedder.dimension, embedder.fingerprint)
        return Check("search", "ok", f"{where}: {await index.count()} passages indexed")
    except BookNotIngested:
        return _no_book(settings, str(where))
    except ConfigurationError as error:
        return Check("search", "failed", error.detail)
    except AppError:
        return Check("search", "failed", f"{where} does not answer.", wake)
    finally:
        await index.close()


def _no_book(settings: Settings, where: str) -> Check:
    if settings.environment == "development":
        return Check("search", "ok", f"{where}: empty; the sample book is indexed at the first start")
    return Check("search", "failed", f"{where}: no book is indexed.", f"Run: {INGEST}")


async def _claude(settings: Settings) -> Check:
    if settings.anthropic_api_key is None:
        detail = "no ANTHROPIC_API_KEY: answers quote the book word for word"
        return Check("claude", "warning", detail, "Create a key at console.anthropic.com and set ANTHROPIC_API_KEY.")
    known_prices(settings)
    service = ClaudeService.from_settings(settings, Unlimited())
    try:
        failure = await service.check()
    finally:
        await service.close()
    if failure is None:
        return Check("claude", "ok", f"the key is accepted and has {settings.claude_model}")
    fixes = {
        401: "ANTHROPIC_API_KEY is not accepted: create a new key at console.anthropic.com.",
        403: "The key may not use this model: look at its workspace at console.anthropic.com.",
        404: "CLAUDE_MODEL names no model of this account: see the names at docs.claude.com.",
    }
    reason = f"HTTP {failure.status}, {failure.kind}" if failure.status else failure.kind
    fix = fixes.get(failure.status or 0, "Check the network and ANTHROPIC_BASE_URL, and try again.")
    return Check("claude", "failed", f"the Claude API refuses or does not answer ({reason})", fix)


def _origins(settings: Settings) -> Check:
    detail = "pages of " + ", ".join(settings.allowed_origins) + " may call this API"
    hosts = [urlsplit(origin).hostname for origin in settings.allowed_origins]
    if settings.environment == "production" and all(host in _LOCAL for host in hosts):
        return Check("browsers", "warning", detail, "Set ALLOWED_ORIGINS to the origin of your published book.")
    return Check("browsers", "ok", detail)


def _links(settings: Settings) -> Check:
    if settings.site_url:
        return Check("links", "ok", f"sources link to {settings.site_url}")
    return Check("links", "warning", "sources link to paths without a host", "Set SITE_URL to your published book.")


def _port(settings: Settings) -> Check:
    host = settings.host or "127.0.0.1"
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        socket.create_server((host, settings.port), family=family).close()
    except OSError as error:
        reason = str(error.strerror or error).partition(" (while")[0]  # the rest repeats the address as Python has it
        detail = f"{host}:{settings.port} cannot be listened on: {reason}"
        return Check("port", "warning", detail, "Nothing to do if your server is running; else change PORT or HOST.")
    return Check("port", "ok", f"{host}:{settings.port} is free")
