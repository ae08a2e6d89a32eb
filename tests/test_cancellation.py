"""Whoever stops waiting, at whatever moment, leaves nothing behind: no error that nobody took, no lock, no file."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

from support.probe import open_descriptors
from wellhead.assembled import Wellhead
from wellhead.catalog.listing import ListQuery

pytestmark = pytest.mark.anyio

MOMENTS = 25
DOCUMENT = {"type": "postgres", "host": "db.test", "database": "d", "username": "u", "password": "p"}


async def create(parts: Wellhead, _source: str, moment: int) -> None:
    await parts.catalog.create({**DOCUMENT, "name": f"new {moment}"})


async def read(parts: Wellhead, source: str, _moment: int) -> None:
    await parts.catalog.read(source)


async def list_all(parts: Wellhead, _source: str, _moment: int) -> None:
    await parts.catalog.list(ListQuery())


async def patch(parts: Wellhead, source: str, moment: int) -> None:
    await parts.catalog.patch(source, {"description": f"at {moment}"})


async def check(parts: Wellhead, _source: str, _moment: int) -> None:
    await parts.check()


@pytest.mark.parametrize("work", [create, read, list_all, patch, check])
async def test_whoever_stops_waiting_leaves_nothing_behind(
    wellhead_parts: Wellhead, workspace: Path, work: Callable[[Wellhead, str, int], Coroutine[Any, Any, None]]
) -> None:
    document, _ = await wellhead_parts.catalog.create({**DOCUMENT, "name": "first"})
    await asyncio.gather(
        *(work(wellhead_parts, document["id"], MOMENTS + number) for number in range(8))
    )  # in all threads
    reported: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _loop, context: reported.append(context))
    before = open_descriptors()

    for moment in range(MOMENTS):
        waiting = asyncio.create_task(work(wellhead_parts, document["id"], moment))
        for _ in range(moment):
            await asyncio.sleep(0.0002)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        await wellhead_parts.catalog.read(document["id"])
    async with asyncio.timeout(30):
        await wellhead_parts.catalog.create({**DOCUMENT, "name": "last"})  # waits for what still goes on in a thread
    del waiting
    gc.collect()
    await asyncio.sleep(0)

    names = {found["name"] async for found in wellhead_parts.catalog.documents(ListQuery())}
    assert {"first", "last"} <= names
    assert not list((workspace / ".datasources").glob(".tmp-*"))
    assert open_descriptors() <= before
    assert reported == []
