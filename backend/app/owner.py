"""Who may see what the owner sees: whoever knows ADMIN_TOKEN. Where none is set, this machine may read the figures of
/metrics.

Knows how the token is sent and compared: `Authorization: Bearer`, which monitoring can send and no log keeps; in an
address it is not looked for. What is compared are hashes, in a time that does not depend on them.
"""

import hmac
from hashlib import sha256
from typing import Annotated

import structlog
from fastapi import Depends, Request
from fastapi.openapi.models import HTTPBearer as BearerScheme
from fastapi.security.base import SecurityBase
from pydantic import SecretStr

from backend.app.dependencies import AppSettings
from backend.app.errors import InvalidAdminToken, NotFound
from backend.app.utils.client_address import is_this_machine

_log = structlog.get_logger(__name__)


class _AdminToken(SecurityBase):
    """Declares itself in the OpenAPI document."""

    scheme_name = "AdminToken"
    model = BearerScheme(description="ADMIN_TOKEN of the server's settings.")

    async def __call__(self, request: Request) -> str | None:
        return _token_of(request)


def _token_of(request: Request) -> str | None:
    """None when the request has none or several."""
    headers = request.headers.getlist("authorization")
    scheme, _, token = headers[0].strip().partition(" ") if len(headers) == 1 else ("", "", "")
    return token.strip() if scheme.lower() == "bearer" else None


def is_admin_token(given: str | None, expected: SecretStr) -> bool:
    """Whether it is the one. How long this takes tells nothing of either, nor of their lengths."""
    return hmac.compare_digest(_hash(given or ""), _hash(expected.get_secret_value()))


def _hash(token: str) -> bytes:
    return sha256(token.encode("utf-8", "surrogatepass")).digest()


async def _owner(token: Annotated[str | None, Depends(_AdminToken())], settings: AppSettings) -> None:
    if settings.admin_token is None:
        raise NotFound
    if not is_admin_token(token, settings.admin_token):
        _log.warning("admin_token_refused")
        raise InvalidAdminToken


async def _scraper(request: Request, settings: AppSettings) -> None:
    if settings.admin_token:
        allowed = is_admin_token(_token_of(request), settings.admin_token)
    else:
        peer = request.client.host if request.client else None
        is_direct = not settings.trusted_proxy_hops and request.scope.get("http_version") != "1.0"  # as proxies speak
        allowed = is_direct and is_this_machine(peer, request.headers.get("host", ""), request.headers.keys())
    if not allowed:
        raise NotFound


ForOwner = Depends(_owner)
"""404 without ADMIN_TOKEN, 401 for another token."""
ForScraper = Depends(_scraper)
"""404 for everybody else."""
