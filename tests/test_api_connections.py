"""A client that does not read keeps no connection, though the service would end that itself once all is read."""

import asyncio
import socket
from contextlib import suppress
from functools import partial
from typing import Any

import pytest
import uvicorn
from uvicorn.server import ServerState

from wellhead.api.connections import Connection, end_those_that_wait

pytestmark = pytest.mark.anyio
_CONTENT = bytes(32 << 20)  # more than the kernel takes
_HEAD = b"GET / HTTP/1.1\r\nhost: a\r\n"


async def _large(_scope: Any, _receive: Any, send: Any) -> None:
    length = (b"content-length", b"%d" % len(_CONTENT))
    await send({"type": "http.response.start", "status": 200, "headers": [length]})
    await send({"type": "http.response.body", "body": _CONTENT})


@pytest.mark.parametrize("is_last", [True, False], ids=["the last answer", "an answer"])
async def test_a_client_that_does_not_read_an_answer_is_ended(is_last: bool) -> None:
    config = uvicorn.Config(_large, ws="none", lifespan="off", log_config=None)
    config.load()
    state = ServerState()
    made = partial(Connection, config=config, server_state=state, app_state={}, most=100)
    loop = asyncio.get_running_loop()
    async with await loop.create_server(made, "127.0.0.1", 0) as server, asyncio.timeout(10):
        ending = asyncio.create_task(end_those_that_wait(state.connections, 0.3))
        with socket.socket() as client:
            client.setblocking(False)
            await loop.sock_connect(client, server.sockets[0].getsockname())
            await loop.sock_sendall(client, _HEAD + (b"connection: close\r\n\r\n" if is_last else b"\r\n"))
            while not state.total_requests:
                await asyncio.sleep(0.01)
            assert state.connections
            while state.connections:
                await asyncio.sleep(0.01)
        ending.cancel()
        with suppress(asyncio.CancelledError):
            await ending
