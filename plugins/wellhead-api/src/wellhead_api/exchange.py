"""Sending a request with aiohttp over a connection that core has made and guarded.

aiohttp neither dials nor speaks TLS here. It follows no redirect, keeps no cookie, inflates nothing and takes nothing
from its surroundings (proxies, `~/.netrc`); and what it reads is counted.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping

import aiohttp
from aiohttp.client_proto import ResponseHandler
from yarl import URL

import wellhead
from wellhead_api.answers import JSON, Answer

MAX_BYTES = 1 << 20
NoAnswerError = aiohttp.ClientError


def address_of(url: str, path: str | None = None) -> URL:
    """Return an address as aiohttp reads it, with a path put behind it."""
    address = URL(url, encoded=True)
    if path is None:
        return address
    query = f"?{address.raw_query_string}" if address.raw_query_string and "?" not in path else ""
    return URL(f"{address.origin()}{address.raw_path.rstrip('/')}{path}{query}", encoded=True)


async def ask(
    stream: wellhead.Stream, method: str, url: URL, headers: Mapping[str, str], *, form: str | None = None
) -> Answer:
    """Send one request over the stream, and return what comes back.

    Raises:
        CheckFailedError: `response_too_large`: the headers have no end.
        aiohttp.ClientError: There was no answer, or it is not HTTP.
    """
    handler = CountingHandler()
    session = aiohttp.ClientSession(
        connector=GuardedConnector(stream, handler),
        cookie_jar=aiohttp.DummyCookieJar(),
        timeout=aiohttp.ClientTimeout(total=None),  # there is one deadline, and core ends it
        auto_decompress=False,
        trust_env=False,
    )
    async with session:
        started = time.perf_counter()
        try:
            async with session.request(method, url, headers=headers, data=form, allow_redirects=False) as response:
                return await read(response, handler, seconds=time.perf_counter() - started)
        except aiohttp.ClientError:
            if handler.is_full:
                raise wellhead.CheckFailedError("response_too_large") from None
            raise
        finally:
            stream.close()  # now, or aiohttp would wait for a server that does not say goodbye


async def read(response: aiohttp.ClientResponse, handler: CountingHandler, *, seconds: float) -> Answer:
    """Read an answer; its body only where it is JSON, and one that can be looked at."""
    content_type = response.content_type if "Content-Type" in response.headers else "none"
    is_compressed = response.headers.get("Content-Encoding", "identity").lower() != "identity"
    body = None
    if JSON.fullmatch(content_type) and not is_compressed and response.method != "HEAD":
        try:
            body = await response.read()
        except aiohttp.ClientPayloadError:
            if not handler.is_full:
                raise
    return Answer(
        status=response.status,
        content_type=content_type,
        is_compressed=is_compressed,
        is_too_large=handler.is_full,
        body=None if handler.is_full else body,
        seconds=seconds,
    )


class CountingHandler(ResponseHandler):
    """Reads an answer, and ends the connection when it is too large, headers and interim answers included."""

    def __init__(self) -> None:
        super().__init__(loop=asyncio.get_running_loop())
        self._bytes_left = MAX_BYTES
        self.failure: BaseException | None = None

    @property
    def is_full(self) -> bool:
        """True where the server sent more than is read."""
        return self._bytes_left < 0

    def data_received(self, data: bytes) -> None:
        """Pass on what has come, as long as it is not too much."""
        self._bytes_left -= len(data)
        if not self.is_full:
            super().data_received(data)
        elif self.transport is not None:
            self.transport.abort()

    def connection_lost(self, exc: BaseException | None) -> None:
        """Keep why the connection ended: aiohttp does not, where it tries again."""
        self.failure = exc
        super().connection_lost(exc)


class GuardedConnector(aiohttp.BaseConnector):
    """Dials nothing, but gives aiohttp the one connection that there is."""

    def __init__(self, stream: wellhead.Stream, handler: CountingHandler) -> None:
        super().__init__(force_close=True)
        self._stream = stream
        self._handler = handler
        self._is_taken = False

    async def _create_connection(self, *_request: object) -> ResponseHandler:
        if self._is_taken:  # aiohttp tries again where a server closes the connection, and forgets what it said
            raise self._handler.failure or aiohttp.ServerDisconnectedError()
        self._is_taken = True
        self._stream.hand_over(self._handler)
        return self._handler
