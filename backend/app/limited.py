"""Limits as an endpoint names them: one parameter, counted before the handler runs and told in every response.

Knows which failures are the reader's and which are ours: a request that we could not serve, and one that was no valid
request, is not counted. Knows the headers; the numbers are the limiter's. A handler that streams its answer returns
before the answer has failed, so it calls `refund()` itself.
"""

from collections.abc import AsyncGenerator, Awaitable
from contextlib import asynccontextmanager
from time import time
from typing import Annotated, Protocol

from fastapi import Depends, Request
from starlette.types import Scope

from backend.app.dependencies import AppSettings, CurrentReader, Limiter, OptionalReader
from backend.app.errors import AppError, Quota, RateLimited
from backend.app.models.user import Login
from backend.app.services.rate_limiter import Allowance
from backend.app.utils.client_address import client_network

LIMIT_HEADERS = ("RateLimit", "RateLimit-Policy", "X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset")


class _Counted(Protocol):
    @property
    def quota(self) -> Quota: ...


def limit_headers(scope: Scope) -> dict[str, str]:
    """The headers of a question, and of whatever was refused; a login that was not is not told how many are left.

    `RateLimit` and `RateLimit-Policy` are those of draft-ietf-httpapi-ratelimit-headers-11; X-RateLimit-Reset is the
    time of the clock in seconds, as GitHub sends it.
    """
    counted: _Counted | None = scope.get("state", {}).get("counted")
    if counted is None:
        return {}
    quota = counted.quota
    values = (
        f'"{quota.name}";r={quota.remaining};t={quota.resets_in_s}',
        f'"{quota.name}";q={quota.limit};w={quota.window_s}',
        str(quota.limit),
        str(quota.remaining),
        str(int(time()) + quota.resets_in_s),
    )
    return dict(zip(LIMIT_HEADERS, values, strict=True))


@asynccontextmanager
async def _counted(request: Request, asking: Awaitable[Allowance]) -> AsyncGenerator[Allowance]:
    try:
        allowance = await asking
    except RateLimited as refused:
        request.state.counted = refused
        raise
    try:
        yield allowance
    except Exception as failure:
        if not isinstance(failure, AppError) or failure.status >= 500:  # a bug of ours, or a body that is not valid
            await allowance.refund()
        raise


async def _client_network(request: Request, settings: AppSettings) -> str:
    peer = request.client.host if request.client else None
    return client_network(peer, request.headers.getlist("x-forwarded-for"), settings.trusted_proxy_hops)


ClientNetwork = Annotated[str, Depends(_client_network)]
"""The address of an IPv4 client, the /64 of an IPv6 one; no header that a client sends can choose it."""


async def _question(
    request: Request, limiter: Limiter, reader: OptionalReader, network: ClientNetwork
) -> AsyncGenerator[Allowance]:
    async with _counted(request, limiter.admit_question(reader, network)) as allowance:
        request.state.counted = allowance
        yield allowance


async def _login(
    request: Request, limiter: Limiter, form: Login, network: ClientNetwork
) -> AsyncGenerator[Allowance]:
    async with _counted(request, limiter.admit_login(form.email, network)) as allowance:
        yield allowance
        await allowance.refund()


async def _password_check(
    request: Request, limiter: Limiter, reader: CurrentReader, network: ClientNetwork
) -> AsyncGenerator[Allowance]:
    async with _counted(request, limiter.admit_login(reader.email, network)) as allowance:
        yield allowance
        await allowance.refund()


async def _signup(request: Request, limiter: Limiter, network: ClientNetwork) -> AsyncGenerator[Allowance]:
    async with _counted(request, limiter.admit_signup(network)) as allowance:
        yield allowance


# The scope: over when the handler returns, so that a client that leaves in the middle of a response gets nothing back
CountsAsLogin = Depends(_login, scope="function")
CountsAsPasswordCheck = Depends(_password_check, scope="function")
CountsAsSignup = Depends(_signup, scope="function")
QuestionAllowance = Annotated[Allowance, Depends(_question, scope="function")]
"""For a handler that streams: `await allowance.refund()` when the answer fails after it has begun."""
