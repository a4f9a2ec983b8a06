"""Password hashing (its cost, its queue, what it keeps of a password) and the list of refused passwords."""

import asyncio
import subprocess
import sys
from collections.abc import Iterator

import bcrypt
import pytest

from backend.app.errors import TooBusy
from backend.app.utils.auth import BCRYPT_ROUNDS, PasswordHasher, is_common_password

pytestmark = pytest.mark.anyio
CHEAP = 4


@pytest.fixture(name="passwords")
def _passwords() -> Iterator[PasswordHasher]:
    hasher = PasswordHasher(rounds=CHEAP)
    yield hasher
    hasher.close()


@pytest.mark.parametrize(
    "password",
    [
        "correct horse battery",
        "  spaces around  ",
        "پاسورڈ" * 10 + "اردو",  # 64 letters, 128 bytes
        "🤖🦾" * 32,
        "x" * 128,
        "𒀀" * 128,  # 512 bytes
        "e\u0301tudiant",  # decomposed: stays as it was typed
    ],
)
async def test_a_password_of_any_script_verifies_against_its_own_hash(
    passwords: PasswordHasher, password: str
) -> None:
    password_hash = await passwords.hash(password)
    assert password_hash.startswith("$bcrypt-sha256$")
    assert len(password_hash) < 255
    assert await passwords.verify(password, password_hash)


@pytest.mark.parametrize(
    ("password", "other"),
    [
        ("a" * 72 + "b", "a" * 72 + "c"),
        ("a" * 72, "a" * 73),
        ("ا" * 36 + "ب", "ا" * 36 + "پ"),  # 72 bytes, then another letter
        ("ا" * 63 + "ب", "ا" * 63 + "پ"),
        ("x" * 127 + "1", "x" * 127 + "2"),
        ("Password-1", "password-1"),
        ("trailing space ", "trailing space"),
        ("e\u0301tudiant", "\u00e9tudiant"),
        ("\uff50assword-long", "password-long"),
        ("before\tafter", "before after"),
    ],
)
async def test_passwords_that_differ_anywhere_do_not_verify_each_other(
    passwords: PasswordHasher, password: str, other: str
) -> None:
    assert not await passwords.verify(other, await passwords.hash(password))


async def test_the_same_password_is_hashed_with_another_salt_each_time(passwords: PasswordHasher) -> None:
    assert await passwords.hash("same password") != await passwords.hash("same password")


async def test_nobody_logs_in_without_a_stored_hash(passwords: PasswordHasher) -> None:
    for guess in ("", "None", "null", "correct horse battery"):
        assert not await passwords.verify(guess, None)


async def test_an_unknown_user_costs_one_verification_at_the_full_cost(monkeypatch: pytest.MonkeyPatch) -> None:
    hasher = PasswordHasher(rounds=5)
    stored = await hasher.hash("right password")
    settings: list[bytes] = []
    hashpw = bcrypt.hashpw

    def recorded(password: bytes, salt: bytes) -> bytes:
        settings.append(salt[:7])
        return hashpw(password, salt)

    monkeypatch.setattr(bcrypt, "hashpw", recorded)
    assert not await hasher.verify("wrong password", stored)
    assert not await hasher.verify("wrong password", None)
    hasher.close()
    assert settings == [b"$2b$05$", b"$2b$05$"]


def test_the_default_cost_is_twelve() -> None:
    assert BCRYPT_ROUNDS == 12


async def test_beyond_the_queue_a_hash_is_refused_at_once() -> None:
    hasher = PasswordHasher(rounds=11, threads=1, queue=3)
    await hasher.verify("after this the thread is free", None)
    admitted = [asyncio.create_task(hasher.hash(f"password {n}")) for n in range(4)]
    await asyncio.sleep(0)
    for _ in range(50):
        with pytest.raises(TooBusy) as refused:
            await hasher.hash("one too many")
    assert not any(task.done() for task in admitted), "no refusal waited for a hash"
    assert refused.value.retry_after_s > 0
    assert len(set(await asyncio.gather(*admitted))) == 4
    assert await hasher.hash("there is room again")
    hasher.close()


async def test_a_caller_who_leaves_gives_the_place_back() -> None:
    hasher = PasswordHasher(rounds=11, threads=1, queue=1)
    await hasher.verify("after this the thread is free", None)
    running = asyncio.create_task(hasher.hash("runs"))
    await asyncio.sleep(0)
    for _ in range(5):
        waiting = asyncio.create_task(hasher.hash("waits, then its client leaves"))
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
    assert not running.done()
    assert await running
    hasher.close()


async def test_the_event_loop_turns_while_a_password_is_hashed(passwords: PasswordHasher) -> None:
    slow = PasswordHasher(rounds=10, threads=1)
    hashing = asyncio.create_task(slow.hash("takes some eighty milliseconds"))
    turns = 0
    while not hashing.done():
        await asyncio.sleep(0)
        turns += 1
    slow.close()
    assert turns > 20


@pytest.mark.parametrize(
    "password", ["password", "Password1", "PASSWORD", "12345678", "qwertyuiop", "iloveyou", "football"]
)
def test_the_passwords_that_are_tried_first_are_known_in_any_case(password: str) -> None:
    assert is_common_password(password)


@pytest.mark.parametrize(
    "password",
    ["correct horse battery", "# Passwords that are refused", "", "پاسورڈپاسورڈ", "# From the frequency list"],
)
def test_other_passwords_are_not_taken_for_common_ones(password: str) -> None:
    assert not is_common_password(password)


def test_neither_importing_nor_hashing_lets_a_warning_or_a_log_line_out() -> None:
    code = (
        "import asyncio; from backend.app.utils.auth import PasswordHasher\n"
        "async def main():\n"
        "    hasher = PasswordHasher(rounds=4)\n"
        "    assert await hasher.verify('a password', await hasher.hash('a password'))\n"
        "    hasher.close()\n"
        "asyncio.run(main())"
    )
    ran = subprocess.run([sys.executable, "-W", "always", "-c", code], capture_output=True, text=True, timeout=60)
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "", "")
