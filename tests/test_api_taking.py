"""Connections are taken one at a time; of those who share a socket, who has fewer is first."""

import asyncio
import errno
import socket
import ssl
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path

import pytest

from support.certificates import make_certificates
from wellhead.api.serving import taking
from wellhead.api.serving.taking import take_connections

pytestmark = pytest.mark.anyio


class Kept(asyncio.Protocol):
    """A connection that is there until its client goes, and sends back what it is sent."""

    def __init__(self, kept: set[object]) -> None:
        self._kept = kept

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._kept.add(self)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        assert isinstance(self._transport, asyncio.WriteTransport)
        self._transport.write(data)

    def connection_lost(self, exc: Exception | None) -> None:  # as asyncio calls it
        self._kept.discard(self)


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    """A socket of this machine that listens."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP) as found:
        found.bind(("127.0.0.1", 0))
        found.setblocking(False)  # so that each that shares it is
        found.listen()
        yield found


@asynccontextmanager
async def taken(
    listener: socket.socket, *, is_shared: bool = False, tls: ssl.SSLContext | None = None, seconds: float = 10
) -> AsyncIterator[set[object]]:
    """Take connections of a socket, as one of those who do; give those that there are."""
    kept: set[object] = set()
    with listener.dup() as own:  # a descriptor of its own, as each worker has
        task = asyncio.create_task(
            take_connections(own, lambda: Kept(kept), kept, is_shared=is_shared, tls=tls, seconds=seconds)
        )
        await asyncio.sleep(0)
        try:
            yield kept
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


async def until(is_so: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not is_so():  # noqa: ASYNC110  # nobody tells
            await asyncio.sleep(0.005)


def connected(listener: socket.socket, to: ExitStack, count: int) -> None:
    """Connect clients that stay as long as the stack."""
    for _ in range(count):
        to.enter_context(socket.create_connection(listener.getsockname()))


async def test_who_has_fewer_connections_is_first(listener: socket.socket) -> None:
    async with taken(listener, is_shared=True) as many, taken(listener, is_shared=True) as few:
        with ExitStack() as clients:
            connected(listener, clients, 1)
            await until(lambda: len(few) + len(many) == 1)
            many.update(object() for _ in range(10))
            before = len(few)
            connected(listener, clients, 10)
            await until(lambda: len(few) + len(many) == 21)
            assert len(few) - before > 5  # more than half
        await until(lambda: not few)


async def test_a_burst_is_shared(listener: socket.socket) -> None:
    async with taken(listener, is_shared=True) as one, taken(listener, is_shared=True) as other:
        with ExitStack() as clients:
            connected(listener, clients, 16)
            await until(lambda: len(one) + len(other) == 16)
            assert 4 <= len(one) <= 12
        await until(lambda: not one and not other)


def encryption(directory: Path) -> tuple[ssl.SSLContext, str]:
    """Return what encrypts connections, and who is to be trusted for it."""
    made = make_certificates()
    (directory / "pair.pem").write_text(made.server.certificate + made.server.key)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(directory / "pair.pem")
    return context, made.ca


async def test_a_client_that_speaks_no_tls_ends_and_the_next_one_is_taken(
    listener: socket.socket, tmp_path: Path
) -> None:
    context, ca = encryption(tmp_path)
    async with taken(listener, tls=context, seconds=0.3) as kept:
        for begun in (b"GET / HTTP/1.1\r\n\r\n", b""):  # one that speaks plainly, and one that is silent
            reader, writer = await asyncio.open_connection(*listener.getsockname())
            writer.write(begun)
            assert b"HTTP" not in await asyncio.wait_for(reader.read(), 10)
            writer.close()
        trusted = ssl.create_default_context(cadata=ca)
        reader, writer = await asyncio.open_connection(
            *listener.getsockname(), ssl=trusted, server_hostname="localhost"
        )
        writer.write(b"hello")
        assert await asyncio.wait_for(reader.readexactly(5), 10) == b"hello"
        assert len(kept) == 1
        writer.close()
        await until(lambda: not kept)


async def test_who_has_not_begun_yet_does_not_begin_after_the_end(listener: socket.socket, tmp_path: Path) -> None:
    context, _ = encryption(tmp_path)
    async with taken(listener, tls=context) as kept:
        reader, writer = await asyncio.open_connection(*listener.getsockname())
        writer.write(b"\x16\x03")  # half a greeting
        await asyncio.sleep(0.1)  # it is taken, and waits for the other half
    began = asyncio.get_running_loop().time()
    assert await asyncio.wait_for(reader.read(), 20) == b""
    assert asyncio.get_running_loop().time() - began < 5  # seconds; it would wait ten for it
    writer.close()
    assert not kept


async def test_without_descriptors_it_waits_and_goes_on(
    listener: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(taking, "_AGAIN_SECONDS", 0.01)
    failures = [OSError(errno.EMFILE, "no descriptors"), ConnectionAbortedError(errno.ECONNABORTED, "gone")]
    loop = asyncio.get_running_loop()
    accept = loop.sock_accept

    async def fail_first(found: socket.socket) -> object:
        if failures:
            raise failures.pop()
        return await accept(found)

    monkeypatch.setattr(loop, "sock_accept", fail_first)
    async with taken(listener) as kept:
        with ExitStack() as clients:
            connected(listener, clients, 1)
            await until(lambda: len(kept) == 1)
        await until(lambda: not kept)
    assert failures == []
