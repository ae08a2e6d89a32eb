"""Whether a fault has fired: waiting for what shows it, and saying that it has not."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable
from typing import TypeVar

import psutil

LATE = 30.0
"""Seconds after which what was to be seen will not come."""

_Found = TypeVar("_Found")


class NotFiredError(Exception):
    """A fault could not be brought about, or did not show."""


class ImpossibleError(Exception):
    """A fault cannot be brought about on this machine."""


async def seen(find: Callable[[], _Found], complaint: str) -> _Found:
    """Wait until something is found."""
    end = time.monotonic() + LATE
    while time.monotonic() < end:
        with contextlib.suppress(psutil.NoSuchProcess):
            if found := await asyncio.to_thread(find):
                return found
        await asyncio.sleep(0.02)
    raise NotFiredError(complaint)
