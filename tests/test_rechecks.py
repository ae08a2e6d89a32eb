"""Re-checks: what is due is validated again, by one process, and no more often than wanted."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncGenerator
from datetime import timedelta
from pathlib import Path

import pytest

from wellhead import clock
from wellhead.assembled import Wellhead
from wellhead.catalog.catalog import Catalog
from wellhead.catalog.listing import ListQuery
from wellhead.catalog.rechecks import WORK, Rechecks
from wellhead.storage.files.store import FileRecordStore

pytestmark = pytest.mark.anyio

HOUR = 3600.0


async def make_csv(parts: Wellhead, workspace: Path, name: str = "sales") -> str:
    (workspace / f"{name}.csv").write_text("a,b\n1,2\n", encoding="utf-8")
    document, _ = await parts.catalog.create({"type": "csv", "name": name, "path": f"{name}.csv"})
    return str(document["id"])


async def catalogs(parts: Wellhead) -> AsyncGenerator[Catalog, None]:
    yield parts.catalog


async def names_due(parts: Wellhead, *, after: float) -> set[str | None]:
    rechecks = Rechecks(seconds=HOUR)
    now = clock.now() + timedelta(seconds=after)
    return {found["name"] async for found in parts.catalog.documents(ListQuery()) if rechecks.is_due(found, now)}


async def test_what_was_never_validated_is_due_an_interval_after_its_change(
    wellhead_parts: Wellhead, workspace: Path
) -> None:
    await make_csv(wellhead_parts, workspace)

    assert await names_due(wellhead_parts, after=0.89 * HOUR) == set()
    assert await names_due(wellhead_parts, after=1.11 * HOUR) == {"sales"}


async def test_data_sources_become_due_one_after_the_other(wellhead_parts: Wellhead, workspace: Path) -> None:
    for number in range(30):
        await make_csv(wellhead_parts, workspace, f"file-{number}")

    numbers = [len(await names_due(wellhead_parts, after=share * HOUR)) for share in (0.9, 1.0, 1.1)]

    assert numbers[0] < numbers[1] < numbers[2]


async def test_a_look_validates_what_is_due_and_keeps_the_result(wellhead_parts: Wellhead, workspace: Path) -> None:
    source = await make_csv(wellhead_parts, workspace)

    await Rechecks(seconds=1e-6).look(wellhead_parts.catalog)

    assert (await wellhead_parts.catalog.read(source)).as_document()["health"]["status"] == "passed"
    assert len(await wellhead_parts.catalog.health(source)) == 1
    assert await names_due(wellhead_parts, after=0.89 * HOUR) == set()


async def test_what_is_not_due_is_left_alone(wellhead_parts: Wellhead, workspace: Path) -> None:
    source = await make_csv(wellhead_parts, workspace)

    await Rechecks(seconds=HOUR).look(wellhead_parts.catalog)

    assert await wellhead_parts.catalog.health(source) == []


async def test_a_work_is_done_by_one_process_until_that_ends(wellhead_parts: Wellhead, workspace: Path) -> None:
    source = await make_csv(wellhead_parts, workspace)
    other = FileRecordStore(workspace)
    assert await other.lead(WORK)

    await Rechecks(seconds=1e-6).look(wellhead_parts.catalog)
    assert await wellhead_parts.catalog.health(source) == []

    other.close()
    await Rechecks(seconds=1e-6).look(wellhead_parts.catalog)
    assert len(await wellhead_parts.catalog.health(source)) == 1


async def test_who_leads_keeps_leading_unless_the_lock_is_removed(workspace: Path) -> None:
    (workspace / ".datasources").mkdir(mode=0o700)
    one, other = FileRecordStore(workspace), FileRecordStore(workspace)

    assert [await one.lead(WORK), await one.lead(WORK), await other.lead(WORK)] == [True, True, False]
    os.unlink(workspace / ".datasources" / f".{WORK}.lock")  # noqa: PTH108  # as an administrator might
    assert [await other.lead(WORK), await one.lead(WORK)] == [True, False]

    one.close()
    other.close()


async def test_where_there_is_no_store_there_is_nothing_to_lead(workspace: Path) -> None:
    store = FileRecordStore(workspace)

    assert not await store.lead(WORK)

    assert not (workspace / ".datasources").exists()
    store.close()


async def test_it_goes_on_until_it_is_cancelled(
    wellhead_parts: Wellhead, workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("wellhead.catalog.rechecks._LEAST_LOOK", 0.01)
    source = await make_csv(wellhead_parts, workspace)
    task = asyncio.create_task(Rechecks(seconds=0.02).run(lambda: catalogs(wellhead_parts)))

    async with asyncio.timeout(30):
        while len(await wellhead_parts.catalog.health(source)) < 2:  # noqa: ASYNC110  # the store has no event to wait for
            await asyncio.sleep(0.05)

    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
