"""Servers that misbehave, whatever protocol is spoken."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from wellhead.testing.certificates import Pair
from wellhead.testing.servers import scripts
from wellhead.testing.servers.running import RunningServer, Upgrade, serve


@contextmanager
def silent(*, tls: Pair | None = None, upgrade: Upgrade | None = None) -> Iterator[RunningServer]:
    """Accept connections, and never answer."""
    with serve(scripts.silent, tls=tls, upgrade=upgrade) as server:
        yield server


@contextmanager
def closing(data: bytes = b"", *, wait_first: bool = False) -> Iterator[RunningServer]:
    """Close each connection: at once, or after some bytes.

    Args:
        data: What it says before that, such as the first half of a message.
        wait_first: Whether it waits until the client has said something.
    """
    script = scripts.closing_after(data, wait_first=wait_first) if data or wait_first else scripts.closing
    with serve(script) as server:
        yield server


@contextmanager
def resetting() -> Iterator[RunningServer]:
    """Reset each connection (TCP RST) when the client has said something."""
    with serve(scripts.resetting) as server:
        yield server


@contextmanager
def dripping(data: bytes = b"\0", *, seconds: float = 1.0) -> Iterator[RunningServer]:
    """Send one byte a second, for 60 seconds.

    Args:
        data: The bytes that it sends, over and over.
        seconds: The time between two of them.
    """
    with serve(scripts.dripping(data, seconds=seconds)) as server:
        yield server


@contextmanager
def endless(head: bytes = b"", again: bytes = b"\0", *, wait_first: bool = True) -> Iterator[RunningServer]:
    """Send a message that does not end: 64 MiB, for at most 60 seconds.

    Args:
        head: How the message begins, such as a length that promises gigabytes.
        again: What follows, over and over.
        wait_first: Whether it waits until the client has said something.
    """
    with serve(scripts.endless(head, again, wait_first=wait_first)) as server:
        yield server


@contextmanager
def echoing() -> Iterator[RunningServer]:
    """Answer with what it received, passwords included."""
    with serve(scripts.echoing) as server:
        yield server
