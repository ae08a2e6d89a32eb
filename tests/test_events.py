"""`result_of`: the end of a validation, and its loose ends."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from pathlib import Path

import pytest

from support.api import csv_source
from wellhead.assembled import Wellhead
from wellhead.model.result import ValidationResult
from wellhead.validation.events import Event, result_of

pytestmark = pytest.mark.anyio


async def test_the_result_comes_after_all_checks(wellhead_parts: Wellhead, workspace: Path) -> None:
    (workspace / "sales.csv").write_text("a,b\n1,2\n", encoding="utf-8")
    document, _ = await wellhead_parts.catalog.create(csv_source())
    events = [event async for event in await wellhead_parts.catalog.stream_validation(document["id"])]
    result = await result_of(await wellhead_parts.catalog.stream_validation(document["id"]))
    assert isinstance(events[-1], ValidationResult)
    assert [check.name for check in result.checks] == [
        event.name for event in events[:-1] if not isinstance(event, ValidationResult)
    ]


async def test_a_validation_that_ends_without_a_result_is_a_defect_and_not_a_silence() -> None:
    async def nothing() -> AsyncGenerator[Event, None]:
        for event in list[Event]():
            yield event

    with pytest.raises(RuntimeError, match="ends with its result"):
        await result_of(nothing())
