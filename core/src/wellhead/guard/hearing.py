"""Keeps the first bytes that a server sends, whoever reads them, so that its kind can be told when a check fails."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import SupportsIndex

_KEPT = 256


class FirstBytes:
    """The first bytes of a conversation."""

    def __init__(self) -> None:
        self.heard = b""
        self._handshake: asyncio.BaseProtocol | None = None

    def hear(self, data: bytes) -> None:
        """Keep what is heard, as far as it is the first."""
        self.heard += data[: _KEPT - len(self.heard)]

    def watch_handshake(self, transport: asyncio.BaseTransport) -> None:
        """Find out, as soon as TLS is being started, what reads the answers: afterwards the transport has forgotten."""

        def find() -> None:
            self._handshake = transport.get_protocol()

        asyncio.get_running_loop().call_soon(find)

    def hear_handshake(self) -> None:
        """Keep what came in place of a TLS handshake.

        asyncio has no public way to it; the last that was received is in its buffer, and a handshake with a server
        that speaks no TLS fails at the first.
        """
        self.hear(bytes(getattr(self._handshake, "_ssl_buffer", b"")[:_KEPT]).rstrip(b"\0"))

    def forget(self) -> None:
        """Begin anew: another conversation begins on the same connection."""
        self.heard = b""


class HearingReader(asyncio.StreamReader):
    """A reader that keeps the first bytes."""

    def __init__(self, first: FirstBytes, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(loop=loop)
        self._first = first

    def feed_data(self, data: Iterable[SupportsIndex]) -> None:
        """Take in what was received."""
        self._first.hear(bytes(data))
        super().feed_data(data)


class HearingProtocol(asyncio.Protocol):
    """Stands before a driver's protocol until the first data have come, and then steps out of the way."""

    def __init__(self, driver: asyncio.Protocol, transport: asyncio.Transport, first: FirstBytes) -> None:
        self._driver = driver
        self._transport = transport
        self._first = first

    def data_received(self, data: bytes) -> None:
        """Keep the first data, and leave all others to the driver."""
        self._first.hear(data)
        self._transport.set_protocol(self._driver)
        self._driver.data_received(data)

    def eof_received(self) -> bool | None:
        """Tell the driver that nothing more will come."""
        return self._driver.eof_received()

    def connection_lost(self, error: Exception | None) -> None:
        """Tell the driver that the connection is gone."""
        self._driver.connection_lost(error)

    def pause_writing(self) -> None:
        """Tell the driver to wait."""
        self._driver.pause_writing()

    def resume_writing(self) -> None:
        """Tell the driver to go on."""
        self._driver.resume_writing()
