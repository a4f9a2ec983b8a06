"""What went wrong with one call to Claude, and whether another try can help.

Reads exceptions by their attributes, so it needs no client library. Keeps names, codes and ids for the log;
never a message text (it can echo the request), a header or a key.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import cast

SPEND_LIMITS = frozenset({"enforced_spend_limit_reached", "contract_spend_limit_reached"})
"""429s that last until the month ends or somebody raises the limit: waiting does not help."""

_NEVER_SENT = frozenset({"ConnectError", "ConnectTimeout", "PoolTimeout"})


@dataclass(frozen=True, slots=True)
class CallFailure:
    """`kind` is the API's error type or the exception's name; `status` is None when no reply came;
    `retry_after_s` is what the API asked for."""

    kind: str
    status: int | None
    error_code: str | None
    claude_request_id: str | None
    retryable: bool
    retry_after_s: float | None


def describe_failure(error: Exception) -> CallFailure:
    """Classify any exception of a call: the SDK's, httpx2's, a JSON error, anything else.

    Transport faults and unreadable replies are worth another try; so are 408, 409, 429 and 5xx unless the
    API says otherwise. A request it refuses (400, 401, 402, 403, 404, 413, 422, a spend limit) is not.
    """
    status = _integer(getattr(error, "status_code", None))
    error_code = _string(getattr(error, "error_code", None))
    headers = _headers(error)
    return CallFailure(
        kind=_string(getattr(error, "type", None)) or type(error).__name__,
        status=status,
        error_code=error_code,
        claude_request_id=_string(getattr(error, "request_id", None)),
        retryable=_retryable(status, error_code, headers.get("x-should-retry")),
        retry_after_s=_seconds(headers.get("retry-after")),
    )


def was_not_billed(error: Exception) -> bool:
    """Whether this failure cost nothing for sure: the API refused the request, or the request never reached it."""
    status = _integer(getattr(error, "status_code", None))
    return status not in (None, 200) or type(error.__cause__).__name__ in _NEVER_SENT


def _retryable(status: int | None, error_code: str | None, should_retry: str | None) -> bool:
    if error_code in SPEND_LIMITS or should_retry == "false":
        return False
    return status is None or status in (200, 408, 409, 429) or status >= 500


def _headers(error: Exception) -> Mapping[str, str]:
    return cast("Mapping[str, str]", getattr(getattr(error, "response", None), "headers", {}))


def _seconds(value: str | None) -> float | None:
    """Seconds as a positive finite number; dates and nonsense count as absent."""
    try:
        seconds = float(value) if value else math.nan
    except ValueError:
        return None
    return seconds if math.isfinite(seconds) and seconds > 0 else None


def _integer(value: object) -> int | None:
    return value if isinstance(value, int) else None


def _string(value: object) -> str | None:
    return value if isinstance(value, str) else None
