"""`Reader`: ids are told from names, and what is asked for is found."""

from __future__ import annotations

import pytest

from support.api import csv_source
from wellhead.assembled import Wellhead
from wellhead.catalog.listing import ListQuery
from wellhead.catalog.reader import Reader, is_source_id
from wellhead.errors import DataSourceNotFoundError
from wellhead.storage.selection import Selection

pytestmark = pytest.mark.anyio
ID = "5f3c2d1e-0a4b-4c5d-8e6f-7a8b9c0d1e2f"


@pytest.fixture
def reader(wellhead_parts: Wellhead) -> Reader:
    """A reader of an empty workspace."""
    return Reader(wellhead_parts.catalog.storage)


async def make(parts: Wellhead, name: str) -> str:
    document, _ = await parts.catalog.create(csv_source(name))
    return str(document["id"])


async def test_a_data_source_is_found_by_id_and_by_name_whatever_its_case(
    reader: Reader, wellhead_parts: Wellhead
) -> None:
    made = await make(wellhead_parts, "Sales")
    assert [(await reader.find(text)).id for text in (made, "Sales", "sALES")] == [made] * 3


async def test_a_name_that_looks_like_an_id_is_found_too(reader: Reader, wellhead_parts: Wellhead) -> None:
    made = await make(wellhead_parts, ID)
    assert (await reader.find(ID)).id == made


@pytest.mark.parametrize("text", [ID, "nothing"])
async def test_what_is_not_there_is_not_found(reader: Reader, text: str) -> None:
    with pytest.raises(DataSourceNotFoundError, match=text):
        await reader.find(text)


async def test_a_selection_leaves_out_what_is_deleted_while_it_is_read(
    reader: Reader, wellhead_parts: Wellhead
) -> None:
    made = {await make(wellhead_parts, name) for name in ("one", "two", "three")}
    documents = [document async for document in reader.documents(ListQuery())]
    assert {document["id"] for document in documents} == made
    gone = made.pop()
    await wellhead_parts.catalog.delete(gone)
    assert {stored.id for stored in await reader.select(ListQuery())} == made


async def test_a_summary_is_the_same_without_an_index(wellhead_parts: Wellhead) -> None:
    catalog, indexing = wellhead_parts.catalog, wellhead_parts.store.indexing
    made = [await make(wellhead_parts, name) for name in ("one", "two", "three")]
    await catalog.validate(made[0])
    for record_id in made[1:]:
        (wellhead_parts.settings.workspace / ".datasources" / f"{record_id}.json").write_bytes(b"{")
    queries = [ListQuery(), ListQuery(states=("corrupt",)), ListQuery(health=("failed",)), ListQuery(types=("gone",))]
    indexed = [(await catalog.summary(query)).as_document() for query in queries]
    assert [found["total"] for found in indexed] == [3, 2, 1, 0]
    assert {"type": None, "state": "corrupt", "health": "none", "count": 2} in indexed[0]["items"]
    indexing.file.rest()
    assert await catalog.storage.choose(Selection()) is None
    assert [(await catalog.summary(query)).as_document() for query in queries] == indexed


@pytest.mark.parametrize(
    "text", [ID.upper(), ID.replace("-", ""), f"{{{ID}}}", f"urn:uuid:{ID}", f" {ID}", "", "sales"]
)
def test_only_the_canonical_form_is_an_id(text: str) -> None:
    assert is_source_id(ID)
    assert not is_source_id(text)
