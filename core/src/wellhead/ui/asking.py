"""Asking the operations of the API, in this process: each passes the same gate as a request from outside."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Mapping, MutableMapping
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from wellhead.ui.visits import Visit

Message = MutableMapping[str, Any]
App = Callable[[MutableMapping[str, Any], Callable[[], Awaitable[Message]], Callable[[Message], Awaitable[None]]], Any]
Query = Iterable[tuple[str, str]]

API = "/api/v1"
_NDJSON = {"accept": "application/x-ndjson"}
_AHEAD = 64
_OK = range(200, 300)


@dataclass(frozen=True, slots=True)
class Answer:
    """What an operation answered.

    Attributes:
        status: The HTTP status.
        headers: The header fields, by their names in small letters.
        content: The body.
    """

    status: int
    headers: Mapping[str, str]
    content: bytes

    @property
    def is_ok(self) -> bool:
        """Whether it did what it was asked for."""
        return self.status in _OK

    @property
    def document(self) -> dict[str, Any]:
        """The body, which is a JSON object."""
        found: dict[str, Any] = json.loads(self.content)
        return found


class RefusedError(Exception):
    """An operation did not do what it was asked for; the problem document says why."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(f"status {answer.status}")
        self.answer = answer


class BrokenOffError(Exception):
    """A stream ended before its end: what answered has failed meanwhile. The log of the service says why."""


class Operations:
    """The operations of the API, asked on behalf of whoever visits the page."""

    def __init__(self, app: App) -> None:
        """Ask an app.

        Args:
            app: The API, with all that a request passes on its way in (ASGI).
        """
        self._app = app

    async def ask(
        self,
        visit: Visit,
        method: str,
        path: str,
        *,
        query: Query = (),
        document: Any = None,
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Ask an operation, and return its answer, whatever it is.

        Args:
            visit: Who asks.
            method: The HTTP method.
            path: The path below `/api/v1`.
            query: Names and values of the query.
            document: The body, for JSON; none if None.
            headers: More header fields.
        """
        start: Message = {}
        chunks: list[bytes] = []

        async def send(message: Message) -> None:
            if message["type"] == "http.response.start":
                start.update(message)
            else:
                chunks.append(message.get("body", b""))

        await self._app(*_request(visit, method, path, query=query, document=document, headers=headers), send)
        return Answer(start["status"], _texts(start["headers"]), b"".join(chunks))

    async def read(self, visit: Visit, path: str, *, query: Query = ()) -> dict[str, Any]:
        """Read something.

        Raises:
            RefusedError: It cannot be read.
        """
        answer = await self.ask(visit, "GET", path, query=query)
        if not answer.is_ok:
            raise RefusedError(answer)
        return answer.document

    async def lines(
        self, visit: Visit, path: str, *, query: Query = (), document: Any = None
    ) -> AsyncGenerator[dict[str, Any], None]:
        """Ask for a stream of JSON lines by POST, and yield each as it comes; whoever stops reading ends it.

        Raises:
            RefusedError: There is no stream, but a problem.
            BrokenOffError: The stream ended before its end.
        """
        messages: asyncio.Queue[Message | None] = asyncio.Queue(_AHEAD)
        request = _request(visit, "POST", path, query=query, document=document, headers=_NDJSON)
        is_read = True

        async def answer() -> None:
            try:
                await self._app(*request, messages.put)
            finally:
                if is_read:  # else there may be no room for it, and nobody who makes some
                    await messages.put(None)

        work = asyncio.create_task(answer())
        try:
            async with aclosing(_lines(messages)) as lines:
                async for line in lines:
                    yield line
            await work
        finally:
            is_read = False
            work.cancel()
            await asyncio.gather(work, return_exceptions=True)


async def begun(lines: AsyncGenerator[dict[str, Any], None]) -> AsyncGenerator[dict[str, Any], None]:
    """Return a stream that has begun, so that it is known whether there is one before anything is answered.

    Raises:
        RefusedError: There is no stream, but a problem.
    """
    first = await anext(lines, None)

    async def all_of_it() -> AsyncGenerator[dict[str, Any], None]:
        async with aclosing(lines):
            if first is not None:
                yield first
            async for line in lines:
                yield line

    return all_of_it()


async def _lines(messages: asyncio.Queue[Message | None]) -> AsyncGenerator[dict[str, Any], None]:
    start = await messages.get()
    if start is None:
        return
    rest, is_whole = b"", False
    while (message := await messages.get()) is not None:
        rest += message.get("body", b"")
        is_whole = not message.get("more_body", False)
        if start["status"] in _OK:
            *whole, rest = rest.split(b"\n")
            for line in whole:
                yield json.loads(line)
    if start["status"] not in _OK:
        raise RefusedError(Answer(start["status"], _texts(start["headers"]), rest))
    if not is_whole:
        raise BrokenOffError


def _request(
    visit: Visit, method: str, path: str, *, query: Query, document: Any, headers: Mapping[str, str] | None
) -> tuple[MutableMapping[str, Any], Callable[[], Awaitable[Message]]]:
    """Make the two first arguments of an ASGI call."""
    body = b"" if document is None else json.dumps(document).encode()
    fields = {
        "host": visit.request.headers["host"],
        "authorization": f"Bearer {visit.token}",
        "x-request-id": visit.request.state.request_id,
        **({} if document is None else {"content-type": "application/json", "content-length": str(len(body))}),
        **(headers or {}),
    }
    outer = visit.request.scope
    scope = {
        **{name: outer.get(name) for name in ("http_version", "scheme", "client", "server")},
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "method": method,
        "path": API + path,
        "raw_path": (API + path).encode(),
        "root_path": "",
        "query_string": urlencode(list(query)).encode(),
        "headers": [(name.encode(), value.encode("latin-1")) for name, value in fields.items()],
        "state": {},
    }
    parts = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive() -> Message:
        return parts.pop() if parts else await visit.request.receive()  # so that it ends when the browser goes away

    return scope, receive


def _texts(headers: Iterable[tuple[bytes, bytes]]) -> dict[str, str]:
    return {name.decode("latin-1"): value.decode("latin-1") for name, value in headers}
