"""What a well-formed setting looks like: pure checks, one sentence of advice each, and never the value itself.

Knows texts and URLs, not which setting is which, nor where values come from. A check returns the value as the
rest of the code wants it or raises ValueError; its message ends up in a start-up error, so it must not hold
any part of the value: that may be a password.
"""

import json
import re
from typing import Any, cast
from urllib.parse import SplitResult, urlsplit

from pydantic import SecretStr

MIN_SECRET_BYTES = 32  # RFC 7518 section 3.2: an HS256 key is at least as long as its hash
NEW_SECRET = 'python3 -c "import secrets; print(secrets.token_urlsafe(48))"'  # noqa: S105 -- a command

_PLACEHOLDER = re.compile(r"your[-_ ]|change[-_ ]?(me|this|in)|placeholder|super[-_ ]?secret", re.IGNORECASE)


def looks_like_placeholder(secret: str) -> bool:
    """True for texts that example files use ("your-secret-key-change-this"): everybody knows them."""
    return bool(_PLACEHOLDER.search(secret)) or len(set(secret)) < 8


def check_secret_key(secret: SecretStr) -> SecretStr:
    """Refuse a signing key that is shorter than 32 bytes."""
    if len(secret.get_secret_value().encode("utf-8", "replace")) < MIN_SECRET_BYTES:
        raise ValueError(f"is shorter than {MIN_SECRET_BYTES} bytes. Use the output of: {NEW_SECRET}")
    return secret


def check_admin_token(secret: SecretStr) -> SecretStr:
    """Refuse a token that could be guessed or is well known, and one that no header can carry."""
    token = secret.get_secret_value()
    if not re.fullmatch(rf"[!-~]{{{MIN_SECRET_BYTES},}}", token) or looks_like_placeholder(token):
        raise ValueError(
            f"must be at least {MIN_SECRET_BYTES} letters, digits and signs that nobody can guess. "
            f"Use the output of: {NEW_SECRET}"
        )
    return secret


def check_api_key(secret: SecretStr) -> SecretStr:
    """Refuse what cannot be sent in an HTTP header: spaces, line breaks, typographic characters."""
    if not re.fullmatch(r"[!-~]+", secret.get_secret_value()):
        raise ValueError("holds characters that no API key has (a space or a line break?). Copy it again.")
    return secret


def check_database_url(secret: SecretStr) -> SecretStr:
    """A libpq URL with a host, by its authority part or by `?host=` (a Unix socket's folder)."""
    advice = (
        "must look like postgresql://user:password@host/database. Copy the connection string without 'psql' and "
        "quotes, and percent-encode special characters in the password (@ is %40, / is %2F, # is %23)."
    )
    url = _split(secret.get_secret_value(), advice)
    if url.scheme not in ("postgres", "postgresql") or not (url.hostname or "host=" in url.query):
        raise ValueError(advice)
    return secret


def check_http_url(text: str) -> str:
    """An http(s) URL with a host, returned without its trailing slashes."""
    advice = "must be a URL such as https://host.example or http://127.0.0.1:6333, without spaces."
    url = _split(text, advice)
    if url.scheme not in ("http", "https") or not url.hostname or re.search(r"\s", text):
        raise ValueError(advice)
    if url.query or url.fragment or url.username or url.password:
        raise ValueError("must be a plain URL: no user, password, '?' or '#' in it.")
    return text.rstrip("/")


def check_limit_storage(secret: SecretStr) -> SecretStr:
    """`memory`, `postgres`, or the URL of a Redis server, which may hold a password."""
    text = secret.get_secret_value()
    if text.lower() in ("memory", "postgres"):
        return SecretStr(text.lower())
    advice = "must be memory, postgres or the URL of a Redis server, e.g. redis://:password@host:6379/0."
    url = _split(text, advice)
    if url.scheme not in ("redis", "rediss") or not url.hostname or re.search(r"\s", text):
        raise ValueError(advice)
    return secret


def split_origins(value: Any) -> Any:
    """The origins of "a,b" or of a JSON list; anything else goes through for the type check to refuse."""
    if not isinstance(value, str):
        return value
    if value.lstrip().startswith("["):
        try:
            return [str(item) for item in cast(list[Any], json.loads(value))]
        except ValueError:
            raise ValueError("is not a JSON list. Write https://a.example,https://b.example instead.") from None
    return [part.strip() for part in value.split(",") if part.strip()]


def check_origin(text: str) -> str:
    """One CORS origin as a browser sends it: scheme, host, maybe a port; or `*`."""
    advice = "must list origins such as https://book.example (scheme and host, no path), separated by commas."
    origin = text.strip().rstrip("/")
    if origin == "*":
        return origin
    url = _split(origin, advice)
    if url.scheme not in ("http", "https") or not url.hostname or origin != f"{url.scheme}://{url.netloc}":
        raise ValueError(advice)
    if "@" in url.netloc or "*" in url.netloc or re.search(r"[\s'\"]", origin):
        raise ValueError(advice)
    return origin.lower()


def _split(text: str, advice: str) -> SplitResult:
    try:
        url = urlsplit(text)
        _ = url.port  # a port that is no number raises here
    except ValueError:
        raise ValueError(advice) from None
    return url
