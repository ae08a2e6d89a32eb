"""Buckets in Redis: shared by all workers, and what happens while Redis is out of reach."""

import asyncio
import os
import secrets
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import closing

import pytest
from redis import Redis
from redis.exceptions import RedisError
from structlog.testing import capture_logs

from wellhead.access.limits import LocalBuckets
from wellhead.access.rates import Rate
from wellhead.access.redis_limits import RedisBuckets

URL = "redis://127.0.0.1:6379/0"
KEY = ("read", "team", "anna")
pytestmark = pytest.mark.anyio


@pytest.fixture
def prefix() -> Iterator[str]:
    """A beginning of keys that no other test has; what is there of it is removed."""
    prefix = f"wellhead-test:{secrets.token_hex(8)}:"
    with closing(Redis.from_url(URL)) as redis:
        try:
            redis.ping()
        except RedisError:
            assert not os.environ.get("WELLHEAD_REQUIRE_SERVICES"), "there is no Redis"
            pytest.skip("there is no Redis on 127.0.0.1:6379")
        yield prefix
        for key in redis.scan_iter(f"{prefix}*"):
            redis.delete(key)


@pytest.fixture
async def workers(prefix: str) -> AsyncIterator[list[RedisBuckets]]:
    """The buckets of three workers."""
    workers = [RedisBuckets(URL, LocalBuckets(3), prefix=prefix) for _ in range(3)]
    yield workers
    for worker in workers:
        await worker.close()


async def test_R_03_all_workers_together_permit_as_many_as_the_rate_says(workers: list[RedisBuckets]) -> None:
    takes = [workers[number % 3].take(KEY, Rate(10, 60)) for number in range(40)]
    standings = await asyncio.gather(*takes)
    permitted = [standing for standing in standings if not standing.retry_after]
    assert sorted(standing.remaining for standing in permitted) == list(range(10))
    assert {standing.retry_after for standing in standings if standing.retry_after} <= {5, 6}


async def test_R_06_who_waits_as_long_as_told_is_permitted(workers: list[RedisBuckets]) -> None:
    rate = Rate(1, 1)
    assert not (await workers[0].take(KEY, rate)).retry_after
    refused = await workers[1].take(KEY, rate)
    assert refused.retry_after == 1
    await asyncio.sleep(refused.retry_after)
    assert not (await workers[2].take(KEY, rate)).retry_after


async def test_R_04_what_is_kept_goes_by_itself_and_names_nobody(workers: list[RedisBuckets], prefix: str) -> None:
    await workers[0].take(KEY, Rate(10, 60))
    with closing(Redis.from_url(URL, decode_responses=True)) as redis:
        (key,) = redis.scan_iter(f"{prefix}*")
        assert 0 < redis.pttl(key) <= 6001
    assert not any(part in key for part in KEY)


async def test_without_redis_each_worker_keeps_to_its_share_and_says_so_once() -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        url = f"redis://127.0.0.1:{closed.getsockname()[1]}/0"
        buckets = RedisBuckets(url, LocalBuckets(2))
        with capture_logs() as logs:
            standings = [await buckets.take(KEY, Rate(4, 60)) for _ in range(3)]
        await buckets.close()
    assert [bool(standing.retry_after) for standing in standings] == [False, False, True]
    assert [line["event"] for line in logs] == ["limits_redis_unreachable"]


async def test_a_redis_that_hangs_holds_nobody_up_for_long() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        buckets = RedisBuckets(f"redis://127.0.0.1:{silent.getsockname()[1]}/0", LocalBuckets())
        loop = asyncio.get_running_loop()
        started = loop.time()
        for _ in range(20):
            assert not (await buckets.take(KEY, Rate(100, 60))).retry_after
        assert loop.time() - started < 5
        await buckets.close()


async def test_redis_is_used_again_when_it_is_back(prefix: str) -> None:
    now = 100.0
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    buckets = RedisBuckets(f"redis://127.0.0.1:{port}/0", LocalBuckets(), prefix=prefix, monotonic=lambda: now)
    with capture_logs() as logs:
        await buckets.take(KEY, Rate(4, 60))
        async with await asyncio.start_server(_to_redis, "127.0.0.1", port):
            await buckets.take(KEY, Rate(4, 60))
            assert len(logs) == 1, "it is not asked again at once"
            now += 10
            assert (await buckets.take(KEY, Rate(4, 60))).remaining == 3
            await buckets.close()
    assert [line["event"] for line in logs] == ["limits_redis_unreachable", "limits_redis_back"]


async def _to_redis(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Pass on what comes to the real Redis, and back."""
    there, back = await asyncio.open_connection("127.0.0.1", 6379)

    async def pass_on(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        while chunk := await source.read(4096):
            sink.write(chunk)
        sink.close()

    await asyncio.gather(pass_on(reader, back), pass_on(there, writer))
