"""An answer that leaves in one write is, byte for byte, the one that uvicorn would have sent in several."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import Any

import pytest
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import ServerState

from wellhead.api.serving.connections import Connection

pytestmark = pytest.mark.anyio
Protocol = Callable[..., H11Protocol]
OURS: Protocol = partial(Connection, most=100)
GET = b"GET / HTTP/1.1\r\nhost: a\r\n\r\n"
LAST = b"GET /last HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n"


class Answers:
    """An ASGI app that answers in parts that are given, and remembers what was raised."""

    def __init__(self, *parts: dict[str, Any]) -> None:
        self._parts = parts
        self.raised: list[str] = []

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        try:
            for part in self._parts:
                await send({**part})
        except Exception as error:
            self.raised.append(type(error).__name__)
            raise


def head(status: int = 200, *headers: tuple[bytes, bytes]) -> dict[str, Any]:
    return {"type": "http.response.start", "status": status, "headers": list(headers)}


def body(content: bytes = b"", *, more: bool = False) -> dict[str, Any]:
    return {"type": "http.response.body", "body": content, "more_body": more}


def whole(content: bytes = b"content", status: int = 200, *headers: tuple[bytes, bytes]) -> tuple[dict[str, Any], ...]:
    return head(status, (b"content-length", b"%d" % len(content)), *headers), body(content)


@asynccontextmanager
async def served(app: Any, protocol: Protocol) -> AsyncIterator[int]:
    """Serve an app; without a date, which two answers may differ in."""
    config = uvicorn.Config(app, http=protocol, ws="none", lifespan="off", log_config=None)
    config.load()
    made = partial(protocol, config=config, server_state=ServerState(), app_state={})
    async with await asyncio.get_running_loop().create_server(made, "127.0.0.1", 0) as server:
        yield server.sockets[0].getsockname()[1]


async def heard(app: Any, protocol: Protocol, sent: bytes) -> bytes:
    """Return all that a server answers until it closes the connection."""
    async with served(app, protocol) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(sent)
        answered = await asyncio.wait_for(reader.read(), 10)
        writer.close()
        return answered


REQUESTS = {
    "one": LAST,
    "two, one after the other": GET + LAST,
    "three at once": GET + GET + LAST,
    "head": b"HEAD / HTTP/1.1\r\nhost: a\r\n\r\n" + LAST,
    "of an old client": b"GET / HTTP/1.0\r\n\r\n",
    "of an old client that would stay": b"GET / HTTP/1.0\r\nconnection: keep-alive\r\n\r\n",
    "that says that it stays": b"GET / HTTP/1.1\r\nhost: a\r\nconnection: Keep-Alive\r\n\r\n" + LAST,
    "that names several options": b"GET / HTTP/1.1\r\nhost: a\r\nconnection: x, close\r\n\r\n",
    "with a body that nobody reads": b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 4\r\n\r\nbody" + LAST,
    "that waits before its body": b"POST / HTTP/1.1\r\nhost: a\r\nexpect: 100-continue\r\ncontent-length: 4\r\n\r\nbody"
    + LAST,
    "with a body in chunks that nobody reads": b"POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n"
    b"4\r\nbody\r\n0\r\n\r\n" + LAST,
    "that would speak something else": b"GET / HTTP/1.1\r\nhost: a\r\nupgrade: h2c\r\n\r\n" + LAST,
    "for a tunnel": b"CONNECT a:1 HTTP/1.1\r\nhost: a\r\n\r\n" + LAST,
}
ANSWERS = {
    "whole": whole(),
    "whole, without content": whole(b""),
    "whole, a problem": whole(b"{}", 404, (b"content-type", b"application/problem+json")),
    "with values of all kinds": whole(b"x", 200, (b"etag", b'"1"'), (b"x", b"a \xe9\t!"), (b"empty", b"")),
    "that says that it is the last": whole(b"x", 200, (b"connection", b"close")),
    "in parts": (head(), body(b"a", more=True), body(b"b")),
    "in parts of known length": (head(200, (b"content-length", b"2")), body(b"a", more=True), body(b"b")),
    "without a length": (head(), body(b"content")),
    "without content": (head(204), body()),
    "that nothing changed": (head(304, (b"etag", b'"1"')), body()),
    "of a status without a name": whole(b"x", 418),
}


@pytest.mark.parametrize("request_", REQUESTS.values(), ids=REQUESTS)
@pytest.mark.parametrize("parts", ANSWERS.values(), ids=ANSWERS)
async def test_answers_are_those_of_uvicorn(request_: bytes, parts: tuple[dict[str, Any], ...]) -> None:
    ours, theirs = [await heard(Answers(*parts), protocol, request_) for protocol in (OURS, H11Protocol)]
    assert ours == theirs
    assert ours


REFUSED = {
    "a value with a line": whole(b"x", 200, (b"x", b"a\r\nset-cookie: b")),
    "a value with a zero byte": whole(b"x", 200, (b"x", b"a\0")),
    "a name with a blank": whole(b"x", 200, (b"x y", b"a")),
    "a name with a colon": whole(b"x", 200, (b"x: y\r\nz", b"a")),
    "a length that is too long": (head(200, (b"content-length", b"9")), body(b"x")),
    "a length that is too short": (head(200, (b"content-length", b"1")), body(b"xyz")),
    "two lengths": whole(b"x", 200, (b"content-length", b"2")),
    "two answers": (*whole(b"x"), *whole(b"y")),
    "no body": (head(200, (b"content-length", b"9")),),
    "nothing": (),
}


@pytest.mark.parametrize("request_", [GET, LAST], ids=["that stays", "that is the last"])
@pytest.mark.parametrize("parts", REFUSED.values(), ids=REFUSED)
async def test_what_uvicorn_refuses_is_refused(request_: bytes, parts: tuple[dict[str, Any], ...]) -> None:
    ours, theirs = Answers(*parts), Answers(*parts)
    assert await heard(ours, OURS, request_) == await heard(theirs, H11Protocol, request_)
    assert ours.raised == theirs.raised


async def heard_in_turn(app: Any, protocol: Protocol) -> bytes:
    """Return what two requests get, the second one sent when the first one has its answer."""
    answered = b""
    async with served(app, protocol) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for sent in (GET, LAST):
            writer.write(sent)
            with suppress(TimeoutError):
                while part := await asyncio.wait_for(reader.read(65536), 0.1):
                    answered += part
        writer.close()
    return answered


@pytest.mark.parametrize("parts", (ANSWERS | REFUSED).values(), ids=ANSWERS | REFUSED)
async def test_answers_to_requests_that_wait_for_one_another_are_those_of_uvicorn(
    parts: tuple[dict[str, Any], ...],
) -> None:
    ours, theirs = Answers(*parts), Answers(*parts)
    assert await heard_in_turn(ours, OURS) == await heard_in_turn(theirs, H11Protocol)
    assert ours.raised == theirs.raised


async def test_a_whole_answer_is_one_write(monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[bytes] = []
    made = Connection.connection_made

    def watch(self: Connection, transport: asyncio.Transport) -> None:
        made(self, transport)
        write = transport.write
        monkeypatch.setattr(transport, "write", lambda data: (written.append(bytes(data)), write(data))[1])

    monkeypatch.setattr(Connection, "connection_made", watch)
    async with served(Answers(*whole()), OURS) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for _ in range(2):
            writer.write(GET)
            await asyncio.wait_for(reader.readuntil(b"\r\n\r\ncontent"), 10)
        writer.close()
    assert len(written) == 2
    assert all(part.startswith(b"HTTP/1.1 200 OK\r\n") and part.endswith(b"\r\n\r\ncontent") for part in written)


async def test_a_stream_s_head_does_not_wait_for_its_body() -> None:
    go_on = asyncio.Event()

    async def app(_scope: Any, _receive: Any, send: Callable[[dict[str, Any]], Awaitable[None]]) -> None:
        await send(head())
        await go_on.wait()
        await send(body(b"late"))

    async with served(app, OURS) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(LAST)
        assert (await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), 10)).startswith(b"HTTP/1.1 200")
        go_on.set()
        assert b"late" in await asyncio.wait_for(reader.read(), 10)
        writer.close()
