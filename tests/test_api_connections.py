"""Connections end with their clients, with those that read nothing too, and leave nothing behind."""

import asyncio
import gc
import socket
import time
import weakref
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from functools import partial
from typing import Any

import pytest
import uvicorn
from uvicorn.server import ServerState

from wellhead.api.serving.connections import Connection, end_those_that_wait

pytestmark = pytest.mark.anyio
_CONTENT = bytes(32 << 20)  # more than the kernel takes
_HEAD = b"GET / HTTP/1.1\r\nhost: a\r\n"


async def _large(_scope: Any, _receive: Any, send: Any) -> None:
    length = (b"content-length", b"%d" % len(_CONTENT))
    await send({"type": "http.response.start", "status": 200, "headers": [length]})
    await send({"type": "http.response.body", "body": _CONTENT})


@asynccontextmanager
async def _served(app: Any) -> AsyncIterator[tuple[Any, ServerState]]:
    """Serve an app; give the address, and what is known of its connections."""
    config = uvicorn.Config(app, ws="none", lifespan="off", log_config=None)
    config.load()
    state = ServerState()
    made = partial(Connection, config=config, server_state=state, app_state={}, most=100)
    async with await asyncio.get_running_loop().create_server(made, "127.0.0.1", 0) as server, asyncio.timeout(10):
        yield server.sockets[0].getsockname(), state


async def _until(is_so: Callable[[], bool]) -> None:
    while not is_so():  # noqa: ASYNC110  # nobody tells
        await asyncio.sleep(0.01)


@pytest.mark.parametrize("is_last", [True, False], ids=["the last answer", "an answer"])
async def test_a_client_that_does_not_read_an_answer_is_ended(is_last: bool) -> None:
    loop = asyncio.get_running_loop()
    async with _served(_large) as (address, state):
        ending = asyncio.create_task(end_those_that_wait(state.connections, 0.3))
        with socket.socket() as client:
            client.setblocking(False)
            await loop.sock_connect(client, address)
            await loop.sock_sendall(client, _HEAD + (b"connection: close\r\n\r\n" if is_last else b"\r\n"))
            await _until(lambda: state.total_requests == 1)
            assert state.connections
            await _until(lambda: not state.connections)
        ending.cancel()
        with suppress(asyncio.CancelledError):
            await ending


async def test_a_connection_that_has_ended_is_no_garbage() -> None:
    async def app(_scope: Any, _receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"1")]})
        await send({"type": "http.response.body", "body": b"x"})

    async with _served(app) as (address, state):
        gc.collect()
        gc.disable()
        try:
            reader, writer = await asyncio.open_connection(*address)
            writer.write(_HEAD + b"\r\n")
            assert (await reader.readuntil(b"\r\n\r\nx")).startswith(b"HTTP/1.1 200 ")
            (connection,) = map(weakref.ref, state.connections)
            writer.close()
            await _until(lambda: connection() is None)
        finally:
            gc.enable()


async def test_a_request_that_came_while_the_process_was_busy_is_answered() -> None:
    async def short(_scope: Any, _receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
        await send({"type": "http.response.body", "body": b"ok"})

    loop = asyncio.get_running_loop()
    async with _served(short) as (address, state):
        with socket.create_connection(address) as client:
            await _until(lambda: bool(state.connections))
            ending = asyncio.create_task(end_those_that_wait(state.connections, 0.1))
            await asyncio.sleep(0)  # it looks in 0.05 seconds

            def be_busy() -> None:
                client.sendall(_HEAD + b"\r\n")
                time.sleep(0.2)

            loop.call_later(0.01, be_busy)
            time.sleep(0.06)  # noqa: ASYNC251  # both are due at once
            client.setblocking(False)
            assert (await loop.sock_recv(client, 100)).startswith(b"HTTP/1.1 200")
            ending.cancel()
            with suppress(asyncio.CancelledError):
                await ending
