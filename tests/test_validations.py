"""`Validations`: what is kept as health, and what is not."""

from __future__ import annotations

from pathlib import Path

import pytest

from support.api import csv_source
from wellhead.assembled import Wellhead
from wellhead.catalog.lookup import Lookup
from wellhead.catalog.validations import Validations
from wellhead.validation.events import result_of

pytestmark = pytest.mark.anyio


@pytest.fixture
def validations(wellhead_parts: Wellhead) -> Validations:
    """The validations of a workspace."""
    catalog = wellhead_parts.catalog
    return Validations(Lookup(catalog.registry, catalog.storage), catalog.storage, catalog.validation)


@pytest.fixture
async def source(wellhead_parts: Wellhead, workspace: Path) -> str:
    """A data source that validates."""
    (workspace / "sales.csv").write_text("a,b\n1,2\n", encoding="utf-8")
    document, _ = await wellhead_parts.catalog.create(csv_source())
    return str(document["id"])


async def test_a_result_of_what_is_stored_is_kept(
    validations: Validations, wellhead_parts: Wellhead, source: str
) -> None:
    result = await result_of(await validations.of_stored(source, None, timeout=None))
    (kept,) = await wellhead_parts.catalog.health(source)
    assert result.success
    assert (kept["status"], kept["revision"]) == ("passed", 1)


async def test_a_result_of_changes_that_are_only_tried_is_not_kept(
    validations: Validations, wellhead_parts: Wellhead, source: str
) -> None:
    result = await result_of(await validations.of_stored(source, {"path": "missing.csv"}, timeout=None))
    assert not result.success
    assert await wellhead_parts.catalog.health(source) == []


async def test_what_cannot_be_kept_is_still_told(
    validations: Validations, wellhead_parts: Wellhead, workspace: Path, source: str
) -> None:
    stored = await wellhead_parts.catalog.read(source)
    result = await result_of(await validations.of_new(csv_source(), timeout=None))
    (workspace / ".datasources").rename(workspace / "gone")
    await validations.keep(stored, result)
    (workspace / "gone").rename(workspace / ".datasources")
    assert await wellhead_parts.catalog.health(source) == []


async def test_one_of_many_that_cannot_be_read_has_its_state_for_a_result(
    validations: Validations, wellhead_parts: Wellhead, workspace: Path, source: str
) -> None:
    other, _ = await wellhead_parts.catalog.create(csv_source("other"))
    (workspace / ".datasources" / f"{other['id']}.json").write_text("{", encoding="utf-8")
    chosen = [await wellhead_parts.catalog.read(one) for one in (source, other["id"])]
    found = {outcome.id: outcome.status async for outcome in validations.of_many(chosen, timeout=None)}
    assert found == {source: "passed", other["id"]: "corrupt"}
