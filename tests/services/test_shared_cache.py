"""One value for all who ask at once, kept for a while, and no failure kept at all."""

import asyncio

import pytest

from backend.app.services.shared_cache import SharedCache

pytestmark = pytest.mark.anyio


class Maker:
    """Counts how often it was asked; waits until it may answer."""

    def __init__(self, *, ready: bool = True) -> None:
        self.calls = 0
        self.may_answer = asyncio.Event()
        self.failure: Exception | None = None
        if ready:
            self.may_answer.set()

    async def make(self) -> str:
        self.calls += 1
        await self.may_answer.wait()
        if self.failure:
            raise self.failure
        return f"value {self.calls}"


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


async def test_a_value_is_made_once() -> None:
    maker, cache = Maker(), SharedCache[str, str](4, 60)
    assert [await cache.get("k", maker.make) for _ in range(3)] == ["value 1"] * 3


async def test_all_who_ask_at_once_wait_for_one_value() -> None:
    maker, cache = Maker(ready=False), SharedCache[str, str](4, 60)
    asking = [asyncio.ensure_future(cache.get("k", maker.make)) for _ in range(5)]
    await asyncio.sleep(0)
    maker.may_answer.set()
    assert await asyncio.gather(*asking) == ["value 1"] * 5


async def test_one_who_gives_up_does_not_take_it_from_the_others() -> None:
    maker, cache = Maker(ready=False), SharedCache[str, str](4, 60)
    first, second = (asyncio.ensure_future(cache.get("k", maker.make)) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    maker.may_answer.set()
    assert await second == "value 1"
    assert first.cancelled()


async def test_what_nobody_waits_for_any_more_is_given_up_and_made_anew_for_the_next() -> None:
    maker, cache = Maker(ready=False), SharedCache[str, str](4, 60)
    ended = asyncio.Event()

    async def make() -> str:
        try:
            return await maker.make()
        except asyncio.CancelledError:
            ended.set()
            raise

    leaving = [asyncio.ensure_future(cache.get("k", make)) for _ in range(2)]
    await asyncio.sleep(0)
    for each in leaving:
        each.cancel()
    await asyncio.wait(leaving)
    following = asyncio.ensure_future(cache.get("k", make))
    await asyncio.wait_for(ended.wait(), 5)
    maker.may_answer.set()
    assert await following == "value 2"


async def test_a_failure_reaches_everybody_and_is_forgotten() -> None:
    maker, cache = Maker(), SharedCache[str, str](4, 60)
    maker.failure = ValueError("broken")
    failed = await asyncio.gather(*(cache.get("k", maker.make) for _ in range(2)), return_exceptions=True)
    assert [str(failure) for failure in failed] == ["broken"] * 2
    maker.failure = None
    assert await cache.get("k", maker.make) == "value 2"


async def test_a_value_expires() -> None:
    clock, maker = Clock(), Maker()
    cache = SharedCache[str, str](4, 60, clock=clock)
    await cache.get("k", maker.make)
    clock.now = 59
    assert await cache.get("k", maker.make) == "value 1"
    clock.now = 60
    assert await cache.get("k", maker.make) == "value 2"


async def test_the_value_that_was_not_used_for_longest_goes_first() -> None:
    maker, cache = Maker(), SharedCache[str, str](2, 60)
    for key in ("a", "b", "a", "c"):
        await cache.get(key, maker.make)
    assert await cache.get("a", maker.make) == "value 1"
    assert await cache.get("b", maker.make) == "value 4"
