"""Passwords and tokens: the only place that knows passlib and python-jose.

Knows how a password is hashed and what a token says; knows nothing of requests, of the database or of what
the token gives access to. A token is checked here for form, signature and times; whether its reader still
exists and its version is still valid is for the caller to ask the database.
"""

import asyncio
import json
import re
import threading
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from secrets import token_urlsafe
from typing import Any, TypeVar

from jose import jwk, jws
from jose.exceptions import JOSEError

from backend.app.errors import ConfigurationError, InvalidToken, TooBusy
from backend.app.utils.threads import ThreadUse, WatchedThreads

with warnings.catch_warnings():
    warnings.simplefilter("ignore", DeprecationWarning)  # passlib looks for the crypt module, unused here
    from passlib.context import CryptContext  # pyright: ignore[reportMissingTypeStubs]

_Result = TypeVar("_Result")

BCRYPT_ROUNDS = 12  # 320 ms a hash on one core of the machine this was written on
_HASH_THREADS = 2
_HASH_QUEUE = 16  # the last in the queue waits about 16 / 2 * 320 ms = 2.6 s

_ALGORITHM = "HS256"
_HEADER = {"alg": _ALGORITHM, "typ": "JWT"}
_CLAIMS = {"sub", "exp", "iat", "typ", "ver"}
_TOKEN_TYPE = "access"  # noqa: S105 - a kind of token, not a secret
_MIN_KEY_BYTES = 32  # RFC 7518 section 3.2: not shorter than the hash
_MAX_LIFETIME_MIN = 365 * 24 * 60
_CLOCK_SKEW_S = 30  # how far ahead the clock of the process that issued the token may be
_MAX_INT = 2**31 - 1  # of the database's integer columns
# Canonical base64url only: 32 bytes of signature are 43 characters, of which the last holds four bits.
_COMPACT_FORM = re.compile(r"[\w-]{16,64}\.[\w-]{16,400}\.[\w-]{42}[AEIMQUYcgkosw048]", re.ASCII)
_USER_ID = re.compile(r"[1-9][0-9]{0,9}")


class PasswordHasher:
    """bcrypt over SHA-256 (so no byte after the 72nd is lost), on a few threads of its own behind a short queue.

    Beyond the queue a caller is refused at once: a flood of logins must not take the processor from readers.
    """

    def __init__(
        self, *, rounds: int = BCRYPT_ROUNDS, threads: int = _HASH_THREADS, queue: int = _HASH_QUEUE
    ) -> None:
        self._context: Any = CryptContext(schemes=["bcrypt_sha256"], bcrypt_sha256__rounds=rounds)
        self._executor = WatchedThreads(threads, "password")
        self._places = threading.BoundedSemaphore(threads + queue)
        self._nobodys_hash = self._executor.submit(self._hash, token_urlsafe())

    @property
    def use(self) -> ThreadUse:
        return self._executor.use

    async def hash(self, password: str) -> str:
        """The string to store. Raises TooBusy."""
        return await self._run(self._hash, password)

    async def verify(self, password: str, password_hash: str | None) -> bool:
        """Whether the password made this hash. `None` (no such user) costs the same and is False. Raises TooBusy."""
        return await self._run(self._verify, password, password_hash)

    def close(self) -> None:
        """Stop the threads; hashes that have not begun are dropped."""
        self._executor.shutdown(wait=False, cancel_futures=True)

    def _hash(self, password: str) -> str:
        return str(self._context.hash(password))

    def _verify(self, password: str, password_hash: str | None) -> bool:
        matches = bool(self._context.verify(password, password_hash or self._nobodys_hash.result()))
        return matches and password_hash is not None

    async def _run(self, function: Callable[..., _Result], *arguments: object) -> _Result:
        if not self._places.acquire(blocking=False):
            raise TooBusy
        work = self._executor.submit(function, *arguments)
        work.add_done_callback(lambda _: self._places.release())
        return await asyncio.wrap_future(work)


@dataclass(frozen=True, slots=True)
class TokenClaims:
    """What a valid token says: whose it is, and as of which version of that account's tokens."""

    user_id: int
    version: int


class TokenSigner:
    """Issues and checks our own tokens: JWT, HS256, nothing else.

    A token is accepted only when its header and its set of claims are exactly those that `issue` writes, so
    that no option of the JWT family (alg, crit, zip, jku, jwk, kid, nested or encrypted tokens) has an effect.
    Raises ConfigurationError for a key or a lifetime that cannot be used.
    """

    def __init__(self, secret_key: str, lifetime_min: int, *, clock: Callable[[], float] = time.time) -> None:
        key_bytes = secret_key.encode()
        if len(key_bytes) < _MIN_KEY_BYTES:
            raise ConfigurationError([f"SECRET_KEY is too short: use at least {_MIN_KEY_BYTES} bytes."])
        if not 0 < lifetime_min <= _MAX_LIFETIME_MIN:
            raise ConfigurationError([f"ACCESS_TOKEN_EXPIRE_MINUTES must be 1 to {_MAX_LIFETIME_MIN}."])
        try:
            # A ready key: given a string, the library would guess whether it is JSON and holds other keys.
            self._key: Any = jwk.construct(key_bytes, _ALGORITHM)
        except JOSEError:
            raise ConfigurationError(["SECRET_KEY must be random text, not a certificate or key."]) from None
        self._lifetime_s = lifetime_min * 60
        self._clock = clock

    def issue(self, user_id: int, version: int) -> str:
        """A token for this reader. It dies with `version`: when the account's token version moves on."""
        issued_at = int(self._clock())
        claims = {
            "sub": str(user_id),
            "exp": issued_at + self._lifetime_s,
            "iat": issued_at,
            "typ": _TOKEN_TYPE,
            "ver": version,
        }
        return jws.sign(claims, self._key, algorithm=_ALGORITHM)

    def verify(self, token: str) -> TokenClaims:
        """Raises InvalidToken for everything that `issue` did not write or that has expired."""
        if not _COMPACT_FORM.fullmatch(token):
            raise InvalidToken
        try:
            payload = jws.verify(token, self._key, [_ALGORITHM])
            header: object = jws.get_unverified_header(token)
            claims = json.loads(payload, object_pairs_hook=_without_duplicates)
        except (JOSEError, ValueError, RecursionError) as error:
            raise InvalidToken from error
        if header != _HEADER or not isinstance(claims, dict):
            raise InvalidToken
        return self._checked(claims)  # pyright: ignore[reportUnknownArgumentType]

    def _checked(self, claims: dict[str, Any]) -> TokenClaims:
        if claims.keys() != _CLAIMS or claims["typ"] != _TOKEN_TYPE:
            raise InvalidToken
        subject, expires_at, issued_at, version = (claims[name] for name in ("sub", "exp", "iat", "ver"))
        if any(type(number) is not int or number < 0 for number in (expires_at, issued_at, version)):
            raise InvalidToken
        now = self._clock()
        if expires_at <= now or issued_at > now + _CLOCK_SKEW_S:
            raise InvalidToken
        if expires_at - issued_at > _MAX_LIFETIME_MIN * 60:
            raise InvalidToken
        if type(subject) is not str or not _USER_ID.fullmatch(subject):
            raise InvalidToken
        if int(subject) > _MAX_INT or version > _MAX_INT:
            raise InvalidToken
        return TokenClaims(int(subject), version)


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    unique = dict(pairs)
    if len(unique) != len(pairs):
        raise ValueError("a name occurs twice")
    return unique


def is_common_password(password: str) -> bool:
    """Whether the password is, apart from case, among the 3,000 that are tried first."""
    return password.casefold() in _common_passwords()


@cache
def _common_passwords() -> frozenset[str]:
    lines = files("backend.app.utils").joinpath("common_passwords.txt").read_text(encoding="utf-8").splitlines()
    return frozenset(line for line in lines if not line.startswith("# "))
