"""How much of what each reader may have: the limits, whose they are, and what is left of them.

Knows settings and subjects: a reader by id, everybody else by network. Where requests are counted is
`limit_windows`' business, what a refusal looks like on the wire that of `problems`. A limit counts within a moving
window (the last 60 minutes, not the hour of the clock), so that no edge lets twice as many through.
"""

import hashlib
from dataclasses import dataclass, replace
from math import ceil
from typing import Literal

import structlog
from limits import RateLimitItem, RateLimitItemPerDay, RateLimitItemPerHour, RateLimitItemPerMinute

from backend.app.errors import Quota, RateLimited, Unavailable
from backend.app.models.domain import Hit, Reader
from backend.app.services.limit_windows import Windows
from backend.app.services.telemetry import Telemetry, Unheard
from backend.app.utils.config import Settings

ReaderLimit = Literal["questions", "translations", "personalizations"]
"""What each signed-in reader has a share of."""

_EVERYBODY = "everybody"
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Limit:
    """So many in so long a window, what it is called on the wire, and what a reader beyond it is told."""

    name: str
    item: RateLimitItem
    refusal: str | None = None

    def quota(self, hit: Hit) -> Quota:
        remaining = max(self.item.amount - hit.used, 0)
        return Quota(self.name, self.item.amount, remaining, self.item.get_expiry(), ceil(hit.frees_in_s))


@dataclass(frozen=True, slots=True)
class _Entry:
    limit: Limit
    subject: str
    hit: Hit


class Allowance:
    """Leave to do one thing now. It is counted already; `quota` is what is left of the limit that is nearest."""

    def __init__(self, windows: Windows, entries: list[_Entry]) -> None:
        self._windows = windows
        self._entries = entries
        self.quota = min((each.limit.quota(each.hit) for each in entries), key=lambda quota: quota.remaining)

    async def refund(self) -> None:
        """Count it no longer: for a request that we could not serve. Never raises, and a second time does nothing;
        where the windows cannot be reached the request stays counted."""
        entries, self._entries = self._entries, []
        if entries:
            remaining = self.quota.remaining + 1
            resets_in_s = self.quota.resets_in_s if remaining < self.quota.limit else 0
            self.quota = replace(self.quota, remaining=remaining, resets_in_s=resets_in_s)
        await _take_back(self._windows, entries)


async def _take_back(windows: Windows, entries: list[_Entry]) -> None:
    try:
        for each in entries:
            await windows.take_back(each.limit.item, each.subject, each.hit)
    except Unavailable as unavailable:
        _log.warning("refund_lost", code=unavailable.code)


class RateLimiter:
    """Counts and refuses. Every method that asks for leave raises RateLimited, and an Unavailable when what was used
    cannot be known: what costs money or tries passwords is then refused, everything else never asks here."""

    def __init__(self, settings: Settings, windows: Windows, telemetry: Telemetry | None = None) -> None:
        self._windows = windows
        self._telemetry = telemetry or Unheard()
        self._secret = settings.secret_key.get_secret_value().encode()[:64]
        self._own = _reader_limits(settings)
        anonymous = settings.rate_limit_anonymous_questions_per_hour
        self._network = Limit("questions", RateLimitItemPerHour(anonymous, namespace="anonymous"))
        all_anonymous = settings.rate_limit_all_anonymous_questions_per_hour
        self._anonymous = Limit("anonymous", RateLimitItemPerHour(all_anonymous, namespace="all-anonymous"))
        logins = settings.rate_limit_logins_per_minute
        self._logins = Limit("logins", RateLimitItemPerMinute(logins, namespace="logins"))
        logins_of_network = settings.rate_limit_logins_per_address_per_minute
        self._logins_of_network = Limit("logins", RateLimitItemPerMinute(logins_of_network, namespace="logins-from"))
        signups = settings.rate_limit_signups_per_address_per_hour
        self._signups = Limit("signups", RateLimitItemPerHour(signups, namespace="signups"))

    async def admit_reader(self, name: ReaderLimit, reader: Reader) -> Allowance:
        """Take one of the reader's own share."""
        return await self._admit((self._own[name], _reader(reader)))

    async def admit_question(self, reader: Reader | None, network: str) -> Allowance:
        """Take one question: a reader's own, or one of the network's and of what all anonymous readers have."""
        if reader:
            return await self.admit_reader("questions", reader)
        return await self._admit((self._network, self._hidden(network)), (self._anonymous, _EVERYBODY))

    async def admit_login(self, email: str, network: str) -> Allowance:
        """Take one try for this address from this network: whoever guesses elsewhere locks nobody out here. Refund
        a try that was right."""
        own = self._hidden(f"{network} {email.lower()}")
        return await self._admit((self._logins, own), (self._logins_of_network, self._hidden(network)))

    async def admit_signup(self, network: str) -> Allowance:
        """Take one new account for this network: each has questions of its own."""
        return await self._admit((self._signups, self._hidden(network)))

    async def quota(self, name: ReaderLimit, reader: Reader) -> Quota:
        """What is left of one of the reader's shares."""
        limit = self._own[name]
        return limit.quota(await self._windows.look(limit.item, _reader(reader)))

    async def quotas(self, reader: Reader) -> list[Quota]:
        """What is left of each of the reader's shares."""
        return [await self.quota(name, reader) for name in self._own]

    async def _admit(self, *asked: tuple[Limit, str]) -> Allowance:
        """All or nothing: what one limit refuses, none counts."""
        entries: list[_Entry] = []
        for limit, subject in asked:
            hit = await self._windows.hit(limit.item, subject)
            if hit.entry is None:
                await _take_back(self._windows, entries)
                self._telemetry.happened("rate_limited", limit.name)
                raise RateLimited(limit.refusal, limit.quota(hit))
            entries.append(_Entry(limit, subject, hit))
        return Allowance(self._windows, entries)

    def _hidden(self, subject: str) -> str:
        """A name for addresses that tells nobody which they are, wherever it is stored; the same in each process."""
        return hashlib.blake2b(subject.encode(), key=self._secret, digest_size=16).hexdigest()


def _reader_limits(settings: Settings) -> dict[ReaderLimit, Limit]:
    questions = settings.rate_limit_questions_per_hour
    translations = settings.rate_limit_translations_per_day
    personalizations = settings.rate_limit_personalizations_per_day
    return {
        "questions": Limit("questions", RateLimitItemPerHour(questions, namespace="questions")),
        "translations": Limit(
            "translations",
            RateLimitItemPerDay(translations, namespace="translations"),
            f"Daily limit reached ({translations} chapters/day)",
        ),
        "personalizations": Limit(
            "personalizations",
            RateLimitItemPerDay(personalizations, namespace="personalizations"),
            "Daily limit reached. Try again tomorrow.",
        ),
    }


def _reader(reader: Reader) -> str:
    return str(reader.user_id)
