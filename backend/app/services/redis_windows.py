"""The door to Redis: the windows of all processes that share one server.

Knows the client library and the script that makes counting and entering one step. The server's clock counts, so that
machines whose clocks differ agree. A key lives as long as its window.
"""

from typing import Any
from uuid import uuid4

from limits import RateLimitItem
from redis.asyncio import BlockingConnectionPool, Redis
from redis.exceptions import RedisError

from backend.app.errors import RateLimitsUnavailable
from backend.app.models.domain import Hit

TIMEOUT_S = 2.0
_CONNECTIONS = 8
_PREFIX = "textbook:"
_SECONDS_TO_MICROS = 1_000_000

# KEYS: the window. ARGV: its seconds, the limit, the name of the entry ("" only looks).
# Answers whether it entered, how many are in the window, and in how many microseconds the oldest leaves it.
_WINDOW = """
local clock = redis.call('TIME')
local now = clock[1] * 1000000 + clock[2]
local length = ARGV[1] * 1000000
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - length)
local used = redis.call('ZCARD', KEYS[1])
local entered = 0
if ARGV[3] ~= '' and used < tonumber(ARGV[2]) then
  redis.call('ZADD', KEYS[1], now, ARGV[3])
  redis.call('EXPIRE', KEYS[1], ARGV[1])
  used = used + 1
  entered = 1
end
local oldest = redis.call('ZRANGE', KEYS[1], 0, 0, 'WITHSCORES')
return {entered, used, oldest[2] and oldest[2] + length - now or 0}
"""


class RedisWindows:
    """Sorted sets of moments, one for each window. One round trip for each call."""

    def __init__(self, url: str) -> None:
        """Connects at the first call."""
        limits = {"timeout": TIMEOUT_S, "socket_timeout": TIMEOUT_S, "socket_connect_timeout": TIMEOUT_S}
        pool: Any = BlockingConnectionPool
        # The library's types are incomplete, hence Any
        self._redis: Any = Redis.from_pool(pool.from_url(url, max_connections=_CONNECTIONS, **limits))
        self._window: Any = self._redis.register_script(_WINDOW)

    async def hit(self, item: RateLimitItem, subject: str) -> Hit:
        return await self._run(item, subject, uuid4().hex)

    async def take_back(self, item: RateLimitItem, subject: str, hit: Hit) -> None:
        try:
            await self._redis.zrem(_PREFIX + item.key_for(subject), hit.entry)
        except RedisError as error:
            raise RateLimitsUnavailable from error

    async def look(self, item: RateLimitItem, subject: str) -> Hit:
        return await self._run(item, subject, "")

    async def ping(self) -> None:
        """Raises RateLimitsUnavailable when the server does not answer."""
        try:
            await self._redis.ping()
        except RedisError as error:
            raise RateLimitsUnavailable from error

    async def close(self) -> None:
        await self._redis.aclose()

    async def _run(self, item: RateLimitItem, subject: str, entry: str) -> Hit:
        arguments = [item.get_expiry(), item.amount, entry]
        try:
            entered, used, frees_in_us = await self._window(keys=[_PREFIX + item.key_for(subject)], args=arguments)
        except RedisError as error:
            raise RateLimitsUnavailable from error
        return Hit(entry if entered else None, used, frees_in_us / _SECONDS_TO_MICROS)
