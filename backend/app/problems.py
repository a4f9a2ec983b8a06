"""Failure -> HTTP response. The only place that builds an error response.

Every error has one shape, RFC 9457 `application/problem+json`, whose `detail` is always one readable string,
with the extension members `code` (stable, for machines) and `request_id`; 422 adds `errors: [{field, message}]`
and never repeats what was sent; 429 adds `rate_limit`, an unknown chapter `nearest`. 429 and 503 carry
Retry-After, 401 carries WWW-Authenticate.
"""

import json
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from pydantic import BaseModel
from starlette.exceptions import HTTPException

from backend.app.errors import (
    AppError,
    NotFound,
    PayloadTooLarge,
    RateLimited,
    RequestTimeout,
    Unauthorized,
    Unavailable,
    UnknownChapter,
)
from backend.app.models.limits import LimitLeft
from backend.app.utils.logs import current_request_id

_log = structlog.get_logger(__name__)

_HTTP_CODES = {
    400: ("bad_request", "The request's body cannot be read. Send valid JSON in UTF-8."),
    405: ("method_not_allowed", "This method is not possible here. The calls are listed at /docs."),
    **{known.status: (known.code, known.default_detail) for known in (NotFound, RequestTimeout, PayloadTooLarge)},
}
# Spelled out because the standard library's words for these two change with its version
_TITLES = {413: "Content Too Large", 422: "Unprocessable Content"}
_SEND_JSON = "Send the body as JSON with the header 'Content-Type: application/json'."
_MAX_INSTANCE_CHARS = 200  # an address may be 64 KB long; nobody needs it back


class FieldError(BaseModel):
    """One field that was refused; `field` is its dotted path in the body, query or path."""

    field: str
    message: str


class Problem(BaseModel):
    """The one error shape (RFC 9457)."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    instance: str
    code: str
    request_id: str
    errors: list[FieldError] | None = None
    rate_limit: LimitLeft | None = None
    nearest: list[str] | None = None


def problem_responses(*failures: type[AppError], validates: bool = False) -> dict[int | str, dict[str, Any]]:
    """The `responses=` of an endpoint: which failures it can answer, for the OpenAPI document."""
    by_status: dict[int, list[str]] = {}
    for failure in failures:
        by_status.setdefault(failure.status, []).append(failure.code)
    if validates:
        by_status.setdefault(400, []).append("bad_request")
        by_status |= {408: [RequestTimeout.code], 413: [PayloadTooLarge.code], 422: ["validation_failed"]}
    return {
        status: {
            "description": f"{_title(status)}: {', '.join(dict.fromkeys(codes))}",
            "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
        }
        for status, codes in sorted(by_status.items())
    }


def problem_response(
    status: int,
    code: str,
    detail: str,
    *,
    instance: str,
    headers: Mapping[str, str] | None = None,
    errors: Sequence[FieldError] | None = None,
    rate_limit: LimitLeft | None = None,
    nearest: Sequence[str] | None = None,
) -> Response:
    """Build the response. ASCII JSON, so that no text a client sent can make it unencodable."""
    problem = Problem(
        title=_title(status),
        status=status,
        detail=detail,
        instance=instance[:_MAX_INSTANCE_CHARS],
        code=code,
        request_id=current_request_id(),
        errors=list(errors) if errors is not None else None,
        rate_limit=rate_limit,
        nearest=list(nearest) if nearest is not None else None,
    )
    body = json.dumps(problem.model_dump(exclude_none=True))
    return Response(body, status, dict(headers or {}), media_type="application/problem+json")


def _title(status: int) -> str:
    return _TITLES.get(status) or HTTPStatus(status).phrase


def app_error_response(path: str, error: AppError) -> Response:
    """The response of one of our own failures."""
    headers: dict[str, str] = {}
    rate_limit = None
    if isinstance(error, RateLimited):
        rate_limit = LimitLeft.of(error.quota)
        headers["Retry-After"] = str(max(rate_limit.resets_in_s, 1))
    if isinstance(error, Unavailable):
        headers["Retry-After"] = str(error.retry_after_s)
    if isinstance(error, Unauthorized):
        invalid = ' error="invalid_token"' if error.code == "invalid_token" else ""
        headers["WWW-Authenticate"] = f"Bearer{invalid}"
    nearest = error.nearest if isinstance(error, UnknownChapter) else None
    return problem_response(
        error.status, error.code, error.detail, instance=path, headers=headers, rate_limit=rate_limit, nearest=nearest
    )


def internal_error_response(path: str) -> Response:
    """The response of a bug: nothing of the exception is told."""
    return problem_response(500, AppError.code, AppError.default_detail, instance=path)


async def _on_app_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, AppError)
    if error.status >= 500:
        _log.warning("dependency_failed", code=error.code, cause=type(error.__cause__).__name__)
    return app_error_response(request.url.path, error)


async def _on_http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    status = error.status_code
    code, detail = _HTTP_CODES.get(status, ("http_error", f"{_title(status)}."))
    return problem_response(status, code, detail, instance=request.url.path, headers=error.headers)


async def _on_validation_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    errors = [_field_error(item) for item in error.errors()]
    detail = _summary(errors)
    if any(item.get("loc") == ("body",) for item in error.errors()):
        content_type = request.headers.get("content-type", "")
        detail = "Send the body as a JSON object." if "json" in content_type else _SEND_JSON
    return problem_response(422, "validation_failed", detail, instance=request.url.path, errors=errors)


def _field_error(item: Mapping[str, Any]) -> FieldError:
    location = [str(part) for part in item["loc"]]
    path = location[1:] if len(location) > 1 else location
    if item["type"] == "json_invalid":
        return FieldError(field="body", message="Not valid JSON.")
    message = _plain(item["type"], item.get("ctx") or {}) or str(item["msg"]).removeprefix("Value error, ")
    return FieldError(field=".".join(path), message=message.encode("utf-8", "ignore").decode()[:300])


def _plain(kind: str, limits: Mapping[str, Any]) -> str | None:
    """The validator's most frequent refusals as a reader would say them; None for the others."""
    match kind:
        case "missing":
            return "This field is required."
        case "string_type":
            return "This must be text."
        case "string_too_short" | "too_short" if limits.get("min_length") == 1:
            return "This must not be empty."
        case "string_too_short" | "too_short":
            return f"Use at least {limits.get('min_length')} characters."
        case "string_too_long" | "too_long":
            return f"Use at most {limits.get('max_length')} characters."
        case "string_unicode":
            return "This must be valid Unicode: it contains half of a character (a lone surrogate)."
        case "literal_error":
            return f"This must be {limits.get('expected')}."
        case "int_parsing" | "int_parsing_size" | "int_from_float" | "int_type":
            return "This must be a whole number."
        case "greater_than_equal":
            return f"This must be at least {limits.get('ge')}."
        case "less_than_equal":
            return f"This must be at most {limits.get('le')}."
        case _:
            return None


def _summary(errors: Sequence[FieldError]) -> str:
    sentences = [f"{error.field}: {error.message.rstrip('.')}." for error in errors[:5]]
    return " ".join(sentences)


def install_problem_handlers(app: FastAPI) -> None:
    """Every failure below the middleware becomes a problem; unknown exceptions are the middleware's."""
    app.add_exception_handler(AppError, _on_app_error)
    app.add_exception_handler(HTTPException, _on_http_error)
    app.add_exception_handler(RequestValidationError, _on_validation_error)


def describe_problems(app: FastAPI) -> None:
    """Make the OpenAPI document tell the truth: every refusal is a `Problem`, none the framework's own shape."""
    make_schema = app.openapi

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = _with_problems(make_schema())
        return app.openapi_schema

    app.openapi = openapi


def _with_problems(schema: dict[str, Any]) -> dict[str, Any]:
    schemas = schema.setdefault("components", {}).setdefault("schemas", {})
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    problem = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
    schemas |= {**problem.pop("$defs"), "Problem": problem}
    framework_only = problem_responses(validates=True)[422]
    for operations in schema["paths"].values():
        for operation in operations.values():
            unprocessable = operation["responses"].get("422", {})
            if "application/json" in unprocessable.get("content", {}):
                operation["responses"]["422"] = framework_only
    return schema
