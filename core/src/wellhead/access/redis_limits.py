"""Buckets in Redis, which all workers and machines of a service share; without Redis, each worker's own share."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable

import structlog
from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from wellhead.access.limits import Key, LocalBuckets
from wellhead.access.rates import Rate, Standing

PREFIX = "wellhead:limits:"
_TIMEOUT = 1.0
_CONNECTIONS = 16
_AGAIN_AFTER = 5.0

_SCRIPT = """
local clock = redis.call('TIME')
local now = tonumber(clock[1]) * 1000000 + tonumber(clock[2])
local interval, window = tonumber(ARGV[1]), tonumber(ARGV[2])
local start = math.max(tonumber(redis.call('GET', KEYS[1]) or now), now)
local taken = start + interval
local wait = taken - now - window
if wait > 0 then
    return {math.ceil(start - now), math.ceil(wait)}
end
redis.call('SET', KEYS[1], string.format('%.0f', taken), 'PX', math.ceil((taken - now) / 1000) + 1)
return {math.ceil(taken - now), 0}
"""
"""`standing_after`, in microseconds of the clock of Redis; what is kept goes by itself when the bucket is full."""


class RedisBuckets:
    """Buckets that all workers share. A key in Redis is a hash: it tells nobody who acted."""

    def __init__(
        self,
        url: str,
        local: LocalBuckets,
        *,
        prefix: str = PREFIX,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Keep buckets in Redis.

        Args:
            url: Where it is, such as `redis://127.0.0.1:6379/0`.
            local: What is used while it is out of reach.
            prefix: What all keys begin with.
            monotonic: Gives this instant, in seconds.

        Raises:
            ValueError: The address is none.
        """
        pool = BlockingConnectionPool.from_url(
            url,
            max_connections=_CONNECTIONS,
            timeout=_TIMEOUT,
            socket_timeout=_TIMEOUT,
            socket_connect_timeout=_TIMEOUT,
            retry=Retry(NoBackoff(), 0),
        )
        self._redis = Redis.from_pool(pool)
        self._script = self._redis.register_script(_SCRIPT)
        self._local = local
        self._prefix = prefix
        self._monotonic = monotonic
        self._again_at = 0.0
        self._is_out = False
        self._log = structlog.get_logger("wellhead.access")

    async def take(self, key: Key, rate: Rate) -> Standing:
        """Take one action from a bucket, if that is permitted, and return how it stands."""
        if self._monotonic() < self._again_at:
            return await self._local.take(key, rate)
        name = self._prefix + hashlib.sha256("\0".join(key).encode()).hexdigest()[:32]
        interval, window = round(rate.interval * 1e6), rate.window * 1_000_000
        try:
            full_in, wait = await self._script(keys=[name], args=[interval, window])
        except (RedisError, OSError):
            self._lost()
            return await self._local.take(key, rate)
        self._found()
        return Standing(rate, full_in / 1e6, wait / 1e6)

    async def close(self) -> None:
        """Close the connections."""
        await self._redis.aclose()

    def _lost(self) -> None:
        self._again_at = self._monotonic() + _AGAIN_AFTER
        if not self._is_out:
            self._is_out = True
            self._log.warning("limits_redis_unreachable", remedy="Each worker keeps to its share until it is back.")

    def _found(self) -> None:
        if self._is_out:
            self._is_out = False
            self._log.info("limits_redis_back")
