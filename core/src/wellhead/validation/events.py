"""What a validation tells while it runs: each check as it ends; last, the result."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from contextlib import aclosing, contextmanager
from contextvars import ContextVar

from wellhead.model.result import Check, ValidationResult

Event = Check | ValidationResult
Gone = Callable[[], Awaitable[None]]
"""Returns once nobody waits any more for what is done."""

_GONE: ContextVar[Gone | None] = ContextVar("wellhead_nobody_waits", default=None)


class AbandonedError(Exception):
    """Nobody waits any more for the result of a validation, so it was ended."""


@contextmanager
def abandoned_when(gone: Gone) -> Iterator[None]:
    """End validations whose result is waited for in this task as soon as nobody waits for this task any more."""
    before = _GONE.set(gone)
    try:
        yield
    finally:
        _GONE.reset(before)


async def result_of(events: AsyncGenerator[Event, None]) -> ValidationResult:
    """Wait for the result of a validation.

    Raises:
        AbandonedError: Nobody waits for it any more; see `abandoned_when`.
    """
    gone = _GONE.get()
    if gone is None:
        return await _result_in(events)
    result, going = asyncio.ensure_future(_result_in(events)), asyncio.ensure_future(gone())
    try:
        await asyncio.wait((result, going), return_when=asyncio.FIRST_COMPLETED)
        if not result.done():
            raise AbandonedError
        return result.result()
    finally:
        for task in (result, going):
            task.cancel()
        await asyncio.gather(result, going, return_exceptions=True)


async def _result_in(events: AsyncGenerator[Event, None]) -> ValidationResult:
    async with aclosing(events):
        async for event in events:
            if isinstance(event, ValidationResult):
                return event
    raise RuntimeError("a validation always ends with its result")
