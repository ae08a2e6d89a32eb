"""Clients that break off: requests over sockets of their own, not sent to the end or not waited for."""

from __future__ import annotations

import asyncio
import json
import time
from contextlib import suppress
from urllib.parse import urlsplit

from support.service import SOURCES
from support.soak.caller import Answer, Caller, User
from support.soak.model import Source, State


async def send_half_and_leave(caller: Caller, user: User) -> None:
    """Send half of a create, and leave."""
    head = _head(caller, user, "POST", SOURCES, length=1000)
    _, writer = await _connect(caller)
    writer.write(head + b'{"name": "half')
    await writer.drain()
    await _leave(writer)


async def send_and_leave(caller: Caller, user: User, source: Source, wanted: State) -> None:
    """Send a change, and leave before the answer."""
    body = json.dumps({"description": wanted.text}).encode()
    condition = f'If-Match: "{source.latest.revision}"\r\n'
    head = _head(caller, user, "PATCH", f"{SOURCES}/{source.id}", length=len(body), more=condition)
    _, writer = await _connect(caller)
    writer.write(head + body)
    await writer.drain()
    await _leave(writer)


async def send_slowly(caller: Caller, user: User) -> int:
    """Send the beginning of a body and no more, and return the status of the answer; 0 if there is none."""
    began, request_id = time.monotonic(), caller.request_id()
    head = _head(caller, user, "POST", SOURCES, length=1000, request_id=request_id)
    reader, writer = await _connect(caller)
    try:
        writer.write(head + b'{"name": ')
        await writer.drain()
        line = await reader.readline()
        rest = await reader.read()
    finally:
        await _leave(writer)
    status = int(line.split()[1]) if line else 0
    caller.took_in(Answer(status, rest, request_id, began), user.workspace, {408}, "a slow body")
    return status


async def _connect(caller: Caller) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    place = urlsplit(caller.url)
    return await asyncio.open_connection(place.hostname, place.port)


async def _leave(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with suppress(OSError):
        await writer.wait_closed()


def _head(
    caller: Caller, user: User, method: str, path: str, *, length: int, more: str = "", request_id: str | None = None
) -> bytes:
    lines = (
        f"{method} {path} HTTP/1.1\r\nHost: {urlsplit(caller.url).netloc}\r\nConnection: close\r\n"
        f"Authorization: Bearer {user.token}\r\nX-Request-Id: {request_id or caller.request_id()}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {length}\r\n{more}\r\n"
    )
    return lines.encode()
