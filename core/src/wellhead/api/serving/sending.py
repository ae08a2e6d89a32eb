"""Sending an answer that is there as a whole in one write, without the many steps of h11 for one that comes in parts.

h11 reads the requests. Where one is read to its end and nothing comes after it, what follows is a new conversation to
it, so that it need not be told of the answer; all other answers take its way.
"""

from __future__ import annotations

import re
from http import HTTPStatus
from typing import Any, Protocol

import h11
from uvicorn.protocols.http.h11_impl import RequestResponseCycle

from wellhead.api.gate import Message, Scope, Send

_STATUS_LINES = {
    status.value: f"HTTP/1.1 {status.value} {status.phrase}\r\n".encode("ascii")
    for status in HTTPStatus
    if status >= HTTPStatus.OK
}
_FIELDS = re.compile(rb"(?:[!#$%&'*+.^_`|~0-9A-Za-z-]+: [\x21-\x7e\x80-\xff](?:[\t\x20-\x7e\x80-\xff]*)\r\n)+")
"""Header fields as they may be sent (RFC 9110, 5.1 and 5.5)."""
_OTHERWISE = {"HEAD", "CONNECT"}
"""Methods whose answers have no body, or end HTTP."""
_NOTHING = (b"", False)


class Conversation(Protocol):
    """A connection, as far as the sending of an answer has to do with it."""

    cycle: RequestResponseCycle
    conn: h11.Connection

    def begin_anew(self) -> None:
        """Know nothing of what was read and answered before."""


class Sending:
    """Sends the answer to one request (ASGI): in one write if it can, as uvicorn does if not."""

    __slots__ = ("_connection", "_cycle", "_head", "_scope", "_send")

    def __init__(self, connection: Conversation, scope: Scope, send: Send) -> None:
        """Send an answer.

        Args:
            connection: The connection, on which the request was the last to come.
            scope: The request.
            send: uvicorn's way.
        """
        self._connection = connection
        self._cycle = connection.cycle
        self._scope = scope
        self._send = send
        self._head: Message | None = None

    async def send(self, message: Message) -> None:
        """Send a part; a head whose body is known to follow at once is kept back until then."""
        head, self._head = self._head, None
        if head is None:
            if self._may_be_whole(message):
                self._head = message
                return
        elif (content := self._whole(head, message)) is not None:
            self._write(content)
            return
        else:
            await self._send(head)
        await self._send(message)

    async def end(self) -> None:
        """Send a head that nothing followed."""
        if self._head is not None:
            await self._send(self._head)

    def _may_be_whole(self, message: Message) -> bool:
        return (
            message["type"] == "http.response.start"
            and message["status"] in _STATUS_LINES
            and self._scope["method"] not in _OTHERWISE
            and self._scope["http_version"] == "1.1"
            and any(name == b"content-length" for name, _ in message["headers"])
        )

    def _whole(self, head: Message, message: Message) -> bytes | None:
        """Return all that is to be written; None where that is for uvicorn to do, or to refuse."""
        cycle, body = self._cycle, message.get("body", b"")
        if message.get("more_body") or not cycle.keep_alive or cycle.disconnected or cycle.flow.write_paused:
            return None
        is_read = cycle.conn.their_state is h11.DONE and cycle.conn.trailing_data == _NOTHING
        if not is_read or cycle.waiting_for_100_continue or cycle.response_started:
            return None
        headers = cycle.default_headers + head["headers"]
        lengths = [value for name, value in headers if name == b"content-length"]
        if lengths != [b"%d" % len(body)] or not _is_kept(self._scope["headers"]) or not _is_kept(headers):
            return None
        fields = b"".join([b"%b: %b\r\n" % header for header in headers])
        if fields.count(b"\n") != len(headers) or not _FIELDS.fullmatch(fields):  # a value may hold what is a field
            return None
        return b"".join((_STATUS_LINES[head["status"]], fields, b"\r\n", body))

    def _write(self, content: bytes) -> None:
        cycle = self._cycle
        self._connection.begin_anew()
        cycle.transport.write(content)
        cycle.response_started = cycle.response_complete = True
        cycle.message_event.set()
        cycle.on_response()


def _is_kept(headers: Any) -> bool:
    """Tell whether a connection stays open, as far as headers say."""
    return all(name != b"connection" or value.lower() == b"keep-alive" for name, value in headers)
