"""`Lookup`: the type that a document names, and the data source that it may change."""

from __future__ import annotations

from typing import Any

import pytest

from support.api import csv_source
from support.probe import NO_ID
from wellhead.assembled import Wellhead
from wellhead.catalog.lookup import Lookup
from wellhead.errors import DataSourceNotFoundError, InputError, RevisionMismatchError

pytestmark = pytest.mark.anyio


@pytest.fixture
def lookup(wellhead_parts: Wellhead) -> Lookup:
    """What finds the types that are installed."""
    return Lookup(wellhead_parts.catalog.registry, wellhead_parts.catalog.storage)


def test_a_type_is_found_by_its_name(lookup: Lookup) -> None:
    assert lookup.type_of({"type": "csv"}).name == "csv"


@pytest.mark.parametrize(
    ("document", "code", "hint"),
    [
        ({}, "required", None),
        ({"type": None}, "required", None),
        ({"type": 5}, "wrong_type", None),
        ({"type": "postgre"}, "unknown_type", "Did you mean 'postgres'?"),
        ({"type": "q"}, "unknown_type", None),
    ],
)
def test_a_type_that_is_not_found_is_told_with_those_that_are(
    lookup: Lookup, document: dict[str, Any], code: str, hint: str | None
) -> None:
    with pytest.raises(InputError) as caught:
        lookup.type_of(document)
    (problem,) = caught.value.problems
    assert (problem.pointer, problem.code, problem.hint) == ("/type", code, hint)
    assert {"csv", "postgres"} <= set(problem.allowed or ())


async def test_what_is_changed_comes_with_its_type(lookup: Lookup, wellhead_parts: Wellhead) -> None:
    document, revision = await wellhead_parts.catalog.create(csv_source())
    stored, known = await lookup.changeable(document["id"], {"revision": revision}, expected=revision)
    assert (stored.id, known.name) == (document["id"], "csv")


@pytest.mark.parametrize(("document", "expected"), [({}, 2), ({"revision": 2}, None)])
async def test_a_change_for_another_revision_is_refused(
    lookup: Lookup, wellhead_parts: Wellhead, document: dict[str, Any], expected: int | None
) -> None:
    made, _ = await wellhead_parts.catalog.create(csv_source())
    with pytest.raises(RevisionMismatchError) as caught:
        await lookup.changeable(made["id"], document, expected=expected)
    assert caught.value.stored == 1


async def test_what_is_not_there_cannot_be_changed(lookup: Lookup) -> None:
    with pytest.raises(DataSourceNotFoundError):
        await lookup.changeable(NO_ID, {})
