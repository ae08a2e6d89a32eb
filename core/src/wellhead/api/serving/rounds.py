"""Reloads of all workers, as the supervisor leads them: one round after the other."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterable
from contextlib import suppress

READY, RELOAD, DONE, FAILED = b".", b"r", b"d", b"f"
"""What is said on the line between a worker and the supervisor.

A worker says that it answers (`READY`), that a request wants a reload (`RELOAD`), and how its own went (`DONE`,
`FAILED`). The supervisor says that it is time for one (`RELOAD`), and to those that wanted one how it went (`DONE`,
`FAILED`), in the order in which they did.
"""


class Rounds:
    """Has all workers look for plugins when one of them wants it, and tells it when all have.

    What is wanted while a round goes on is for the next one: workers that are done already would miss it.
    """

    def __init__(self, lines: Callable[[], Iterable[tuple[socket.socket, bool]]]) -> None:
        """Lead rounds.

        Args:
            lines: Returns the lines of the workers, each with whether that worker answers already.
        """
        self._lines = lines
        self._wanted: list[socket.socket] = []
        self._told: list[socket.socket] = []
        self._pending: set[socket.socket] = set()
        self._has_failed = False

    def heard(self, line: socket.socket, message: bytes) -> None:
        """Take in what a worker says."""
        if message == READY and line in self._pending:
            _say(line, RELOAD)  # it has begun before or after what was installed; nobody knows
        elif message == RELOAD:
            self._wanted.append(line)
        elif message in {DONE, FAILED}:
            self._has_failed |= message == FAILED
            self._pending.discard(line)
        self._go_on()

    def ended(self, line: socket.socket) -> None:
        """Wait no more for a worker that is gone: the one that comes in its place finds what is installed."""
        self._pending.discard(line)
        self._wanted = [other for other in self._wanted if other is not line]
        self._told = [other for other in self._told if other is not line]
        self._go_on()

    def _go_on(self) -> None:
        if self._pending:
            return
        for line in self._told:
            _say(line, FAILED if self._has_failed else DONE)
        self._told, self._wanted, self._has_failed = self._wanted, [], False
        if not self._told:
            return
        lines = list(self._lines())
        self._pending = {line for line, _ in lines}
        for line, answers in lines:
            if answers:
                _say(line, RELOAD)


def _say(line: socket.socket, message: bytes) -> None:
    with suppress(OSError):  # its worker is gone, which is heard soon
        line.sendall(message)
