"""Every failure a caller can meet, as one tree.

Knows nothing of the web framework: `problems.py` turns these into responses. Each class is a fact
("EmailTaken"), carries the HTTP status and the stable machine-readable `code` of RFC 9457's extension
members, and one readable sentence (`detail`) that a client may show as it is.

    AppError
    ├── ConfigurationError        start-up only: exit code 78
    ├── BookError                 the folder given to `ingest` cannot be used
    ├── CorrectionError           a file given to `translations import` cannot be taken, or one not be written
    ├── EvaluationError           what was given to `evaluate` cannot be used
    ├── BadRequest           400
    │   ├── EmailTaken
    │   ├── UnknownChapter
    │   ├── UnknownLanguage
    │   └── TooLongToAdapt
    ├── RequestTimeout       408
    ├── PayloadTooLarge      413
    ├── Unauthorized         401  always with WWW-Authenticate
    │   ├── NotAuthenticated
    │   ├── InvalidToken
    │   ├── InvalidCredentials
    │   └── InvalidAdminToken
    ├── NotFound             404
    │   ├── ChapterNotFound
    │   ├── ConversationNotFound
    │   └── NotAdapted
    ├── RateLimited          429  always with Retry-After
    └── Unavailable          503  always with Retry-After
        ├── DatabaseUnavailable
        ├── SearchUnavailable
        ├── BookNotIngested
        ├── AIServiceBusy
        ├── TranslationFailed
        ├── PersonalizationFailed
        ├── BudgetExhausted
        ├── ModelNotConfigured
        ├── RateLimitsUnavailable
        └── TooBusy
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import ClassVar


class AppError(Exception):
    """Base of all failures. `detail` is one sentence that says what happened and what to do."""

    status: ClassVar[int] = 500
    code: ClassVar[str] = "internal_error"
    default_detail: ClassVar[str] = "Something went wrong on our side. Please try again."

    def __init__(self, detail: str | None = None) -> None:
        self.detail = detail or self.default_detail
        super().__init__(self.detail)


class ConfigurationError(AppError):
    """The process cannot start: each problem is one line that names the setting and its fix, no secret."""

    exit_code: ClassVar[int] = 78  # EX_CONFIG of sysexits.h

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(self.problems))


class BookError(AppError):
    """The book cannot be read or indexed; the index that was there keeps answering."""


class CorrectionError(AppError):
    """A file of an adapted chapter cannot be taken or written: which one, where, what differs."""


class EvaluationError(AppError):
    """A file of questions, passages or figures cannot be used: which one, which line, what to do."""

    exit_code: ClassVar[int] = 2


class BadRequest(AppError):
    status = 400
    code = "bad_request"
    default_detail = "The request cannot be carried out."


class EmailTaken(BadRequest):
    code = "email_taken"
    default_detail = "This e-mail is already registered. Log in instead."


class UnknownChapter(BadRequest):
    """A body names a chapter that there is not, or names two; an address that does so is ChapterNotFound. `nearest`:
    the ids that may be meant, the likeliest first."""

    code = "chapter_not_found"
    default_detail = "The book has no such chapter. GET /api/chapters lists them."

    def __init__(self, nearest: Sequence[str] = ()) -> None:
        self.nearest = tuple(nearest)
        meant = f"The book has no such chapter. Did you mean {' or '.join(nearest)}?" if nearest else None
        super().__init__(meant)


class UnknownLanguage(BadRequest):
    """`known`: what there is, as readers say it."""

    code = "unknown_language"

    def __init__(self, known: Sequence[str] = ()) -> None:
        super().__init__(f"Chapters are not translated into this language. Known: {', '.join(known)}.")


class TooLongToAdapt(BadRequest):
    """A block that cannot be cut needs a longer reply than a model gives. Nothing was asked, nothing is paid."""

    code = "too_long_to_adapt"

    def __init__(self, begins: str = "") -> None:
        super().__init__(
            f"The part that begins with {begins!r} is too long to be adapted in one piece, and a table, quote or"
            " element cannot be cut. Divide it."
        )


class RequestTimeout(AppError):
    status = 408
    code = "request_timeout"
    default_detail = "The request's body did not arrive in time. Please try again."


class PayloadTooLarge(AppError):
    status = 413
    code = "payload_too_large"
    default_detail = "The request is too large. Send at most 512 KB."


class Unauthorized(AppError):
    status = 401
    code = "unauthorized"
    default_detail = "Please log in."


class NotAuthenticated(Unauthorized):
    code = "not_authenticated"
    default_detail = "This needs a login: send the token as 'Authorization: Bearer <token>'."


class InvalidToken(Unauthorized):
    code = "invalid_token"
    default_detail = "Your login is no longer valid. Please log in again."


class InvalidCredentials(Unauthorized):
    code = "invalid_credentials"
    default_detail = "E-mail or password is wrong."


class InvalidAdminToken(Unauthorized):
    code = "invalid_admin_token"
    default_detail = "This is for the site's owner: send ADMIN_TOKEN as 'Authorization: Bearer <token>'."


class NotFound(AppError):
    status = 404
    code = "not_found"
    default_detail = "There is nothing at this address. The addresses are listed at /docs."


class ChapterNotFound(NotFound):
    code = "chapter_not_found"
    default_detail = "The book has no such chapter. GET /api/chapters lists them."


class ConversationNotFound(NotFound):
    code = "conversation_not_found"
    default_detail = "You have no such conversation. GET /api/chat/conversations lists yours."


class NotAdapted(NotFound):
    code = "not_adapted"
    default_detail = "Nobody has asked for this chapter like this yet. POST makes it: the calls are listed at /docs."


@dataclass(frozen=True, slots=True)
class Quota:
    """The numbers of one limit: `limit` in each `window_s`, how many of them remain, and when one more is free."""

    name: str
    limit: int
    remaining: int
    window_s: int
    resets_in_s: int


class RateLimited(AppError):
    """The reader has had what the limit allows: one more is free in `quota.resets_in_s` seconds."""

    status = 429
    code = "rate_limited"
    default_detail = "Too many requests. Please wait."

    def __init__(self, detail: str | None, quota: Quota) -> None:
        super().__init__(detail)
        self.quota = quota


class Unavailable(AppError):
    """A dependency failed or is busy: the same request may succeed in `retry_after_s` seconds."""

    status = 503
    code = "unavailable"
    default_detail = "The service is temporarily unavailable. Please try again."

    def __init__(self, detail: str | None = None, *, retry_after_s: int = 5) -> None:
        super().__init__(detail)
        self.retry_after_s = retry_after_s


class DatabaseUnavailable(Unavailable):
    code = "database_unavailable"
    default_detail = "The database is temporarily unavailable. Please try again."


class SearchUnavailable(Unavailable):
    code = "search_unavailable"
    default_detail = "Sorry, search is temporarily unavailable. Please try again."


class BookNotIngested(Unavailable):
    code = "book_not_ingested"
    default_detail = "No book has been ingested yet. The site owner runs: python -m backend ingest PATH"

    def __init__(self, detail: str | None = None, *, retry_after_s: int = 60) -> None:
        super().__init__(detail, retry_after_s=retry_after_s)


class AIServiceBusy(Unavailable):
    code = "ai_service_busy"
    default_detail = "AI service is busy. Please retry in a moment."


class TranslationFailed(Unavailable):
    """Two tries at one section were not what a translation must be, so there is no chapter."""

    code = "translation_failed"
    default_detail = "Translation failed. Please try again."


class PersonalizationFailed(Unavailable):
    """The same for a chapter that was to be adapted to a level."""

    code = "personalization_failed"
    default_detail = "Personalization failed. Please try again."


class BudgetExhausted(Unavailable):
    """What is to be made costs more than may be spent today: there is more money at midnight UTC."""

    code = "budget_exhausted"
    default_detail = "Today's budget for this is used up. Please try again after midnight UTC."

    def __init__(self, detail: str | None = None) -> None:
        super().__init__(detail, retry_after_s=_until_midnight_s())


class ModelNotConfigured(Unavailable):
    """Only a model could make this, and there is none. `retry_after_s`: somebody has to do something first."""

    code = "model_not_configured"
    default_detail = (
        "This chapter is not there yet, and no model is configured that could write it. The site owner sets "
        "ANTHROPIC_API_KEY."
    )

    def __init__(self, detail: str | None = None, *, retry_after_s: int = 3600) -> None:
        super().__init__(detail, retry_after_s=retry_after_s)


class RateLimitsUnavailable(Unavailable):
    code = "rate_limits_unavailable"
    default_detail = "The service is temporarily unavailable. Please try again."


class TooBusy(Unavailable):
    code = "too_busy"
    default_detail = "The server is busy. Please try again in a moment."


def _until_midnight_s() -> int:
    now = datetime.now(UTC)
    midnight = (now + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
    return int((midnight - now).total_seconds()) + 1
