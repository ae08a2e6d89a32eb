"""What a validation tells while it runs: each check as it ends; last, the result."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing

from wellhead.model.result import Check, ValidationResult

Event = Check | ValidationResult


async def result_of(events: AsyncGenerator[Event, None]) -> ValidationResult:
    """Wait for the result of a validation."""
    async with aclosing(events):
        async for event in events:
            if isinstance(event, ValidationResult):
                return event
    raise RuntimeError("a validation always ends with its result")
