"""Accounts: sign up, log in, look, change, log out everywhere, leave."""

import asyncio
from weakref import WeakValueDictionary

from fastapi import APIRouter
from fastapi.exceptions import RequestValidationError

from backend.app.dependencies import CurrentReader, Db, Limiter, Passwords, Tokens
from backend.app.errors import (
    DatabaseUnavailable,
    EmailTaken,
    InvalidCredentials,
    InvalidToken,
    NotAuthenticated,
    RateLimited,
    RateLimitsUnavailable,
    TooBusy,
)
from backend.app.limited import CountsAsLogin, CountsAsPasswordCheck, CountsAsSignup
from backend.app.models.limits import ReaderLimits
from backend.app.models.user import (
    AccessToken,
    Login,
    Message,
    PasswordChange,
    Profile,
    SettingsChange,
    SignedIn,
    Signup,
    password_weakness,
)
from backend.app.problems import problem_responses

router = APIRouter(prefix="/api", tags=["accounts"])
_NEEDS_LOGIN = (NotAuthenticated, InvalidToken, DatabaseUnavailable)
_IS_COUNTED = (RateLimited, RateLimitsUnavailable)
_signing_up: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()


@router.post(
    "/auth/signup",
    status_code=201,
    dependencies=[CountsAsSignup],
    responses=problem_responses(EmailTaken, DatabaseUnavailable, TooBusy, *_IS_COUNTED, validates=True),
)
async def signup(form: Signup, db: Db, passwords: Passwords, tokens: Tokens) -> SignedIn:
    """Open an account and log in. An address belongs to one account, in whatever letter case it is written."""
    turn = _signing_up.setdefault(form.email.lower(), asyncio.Lock())
    waited = turn.locked()
    async with turn:
        # Who waited for another try with this address must not queue for a hash only to learn that it is taken.
        if waited and await db.find_credentials_by_email(form.email):
            raise EmailTaken
        password_hash = await passwords.hash(form.password)
        reader = await db.create_user(form.email, password_hash, form.name, form.programming_level, form.hardware)
    return SignedIn.with_token(reader, tokens.issue(reader.user_id, reader.token_version))


@router.post(
    "/auth/login",
    dependencies=[CountsAsLogin],
    responses=problem_responses(InvalidCredentials, DatabaseUnavailable, TooBusy, *_IS_COUNTED, validates=True),
)
async def login(form: Login, db: Db, passwords: Passwords, tokens: Tokens) -> SignedIn:
    """Get a token. The answer to an unknown address and to a wrong password is the same and takes as long."""
    found = await db.find_credentials_by_email(form.email)
    matches = await passwords.verify(form.password, found.password_hash if found else None)
    if found is None or not matches:
        raise InvalidCredentials
    return SignedIn.with_token(found.reader, tokens.issue(found.reader.user_id, found.reader.token_version))


@router.get("/auth/me", responses=problem_responses(*_NEEDS_LOGIN))
async def me(reader: CurrentReader) -> Profile:
    """The reader's own account."""
    return Profile.of(reader)


@router.post("/auth/logout", responses=problem_responses(*_NEEDS_LOGIN))
async def logout(reader: CurrentReader, db: Db) -> Message:
    """Log out everywhere: every token of this reader is invalid from now on."""
    await db.revoke_tokens(reader.user_id)
    return Message(message="You are logged out on all devices.")


@router.post(
    "/auth/password",
    dependencies=[CountsAsPasswordCheck],
    responses=problem_responses(*_NEEDS_LOGIN, InvalidCredentials, TooBusy, *_IS_COUNTED, validates=True),
)
async def change_password(
    form: PasswordChange, reader: CurrentReader, db: Db, passwords: Passwords, tokens: Tokens
) -> AccessToken:
    """Change the password. The answer is a new token; all others of this reader are invalid from now on."""
    weakness = password_weakness(form.new_password, reader.email)
    if weakness:
        raise RequestValidationError([{"type": "value_error", "loc": ("body", "new_password"), "msg": weakness}])
    found = await db.find_credentials(reader.user_id)
    if not await passwords.verify(form.current_password, found.password_hash if found else None):
        raise InvalidCredentials("The current password is wrong.")
    version = await db.set_password(reader.user_id, await passwords.hash(form.new_password))
    return AccessToken(access_token=tokens.issue(reader.user_id, version))


@router.delete("/auth/me", status_code=204, responses=problem_responses(*_NEEDS_LOGIN))
async def delete_account(reader: CurrentReader, db: Db) -> None:
    """Delete the account with everything that is stored for it. This cannot be undone."""
    await db.delete_user(reader.user_id)


@router.put("/user/settings", responses=problem_responses(*_NEEDS_LOGIN, validates=True))
async def update_settings(form: SettingsChange, reader: CurrentReader, db: Db) -> Profile:
    """Change name, programming level or hardware; what is not sent stays as it is."""
    return Profile.of(await db.update_settings(reader.user_id, form.name, form.programming_level, form.hardware))


@router.get("/user/limits", responses=problem_responses(*_NEEDS_LOGIN, RateLimitsUnavailable))
async def limits(reader: CurrentReader, limiter: Limiter) -> ReaderLimits:
    """What the reader may still do. Looking costs nothing."""
    return ReaderLimits.of(await limiter.quotas(reader))
