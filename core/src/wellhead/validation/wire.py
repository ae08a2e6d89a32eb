"""How the processes of a validation talk: JSON objects, one a line, over sockets that can carry descriptors too.

Nothing that comes from a worker is trusted: a line has a limit, and is read as JSON and nothing else.
"""

from __future__ import annotations

import json
import socket
from collections import deque
from collections.abc import Iterator, Sequence
from typing import Any, Self

MAX_LINE = 64 * 1024
"""Bytes of one line that a worker may send."""
MAX_JOB_LINE = 1 << 20
"""Bytes of one line that a worker is sent: a data source has at most 64 KiB, which JSON may write six times as long."""
_CHUNK = 64 * 1024
_MAX_DESCRIPTORS = 8

Message = dict[str, Any]


class WireError(Exception):
    """What came is not what the other side says."""


def encode(message: Message) -> bytes:
    """Write a message as a line."""
    return json.dumps(message, separators=(",", ":")).encode("ascii") + b"\n"


def decode(line: bytes) -> Message:
    """Read a line.

    Raises:
        WireError: It is not a JSON object.
    """
    try:
        message = json.loads(line)
    except (ValueError, RecursionError):
        raise WireError("not JSON") from None
    if not isinstance(message, dict):
        raise WireError("not an object")
    return message


class Lines:
    """Puts lines together from what comes in pieces, with the descriptors that came along."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._pending = b""
        self.descriptors: deque[int] = deque()

    def receive(self, connection: socket.socket) -> bool:
        """Take in what a socket has; False where the other side has closed it."""
        data, descriptors, _, _ = socket.recv_fds(connection, _CHUNK, _MAX_DESCRIPTORS)
        self.descriptors.extend(descriptors)
        self._pending += data
        return bool(data)

    def feed(self, data: bytes) -> Self:
        """Take in what was received."""
        self._pending += data
        return self

    def __iter__(self) -> Iterator[Message]:
        """Go through the messages that are whole.

        Raises:
            WireError: A line is too long, or is no message.
        """
        while (end := self._pending.find(b"\n")) >= 0:
            line, self._pending = self._pending[:end], self._pending[end + 1 :]
            if len(line) > self._limit:
                raise WireError("too long")
            yield decode(line)
        if len(self._pending) > self._limit:
            raise WireError("too long")


def send(connection: socket.socket, message: Message, descriptors: Sequence[int] = ()) -> None:
    """Send a message, with descriptors; the socket must take it whole.

    Raises:
        OSError: The other side is gone, or does not listen.
    """
    data = encode(message)
    sent = socket.send_fds(connection, [data], list(descriptors)) if descriptors else connection.send(data)
    if sent < len(data):
        connection.sendall(data[sent:])
