"""`Writer`: a patch is applied again while others save in between, for a time; the rest is saved once or not at all."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from support.api import csv_source
from wellhead.assembled import Wellhead
from wellhead.catalog.lookup import Lookup
from wellhead.catalog.validations import Validations
from wellhead.catalog.writer import Writer
from wellhead.errors import RevisionMismatchError, ValidationFailedError
from wellhead.storage.tries import LEAST, SECONDS

pytestmark = pytest.mark.anyio
ALL: dict[str, Any] = {"expected": None, "verify": False, "timeout": None}


class Rival:
    """Somebody else, who saves before each try of ours, and takes their time for it."""

    def __init__(self, parts: Wellhead, *, seconds: float = 0.0, times: int = 1_000_000) -> None:
        self._storage = parts.catalog.storage
        self._save = self._storage.update
        self._seconds = seconds
        self._left = times
        self.tries = 0
        self.now = 0.0

    async def update(self, source_id: str, config: Any, *, expected: int | None = None) -> Any:
        """Save a change of the rival's first, then do what was asked for."""
        self.tries += 1
        self.now += self._seconds
        if self._left:
            self._left -= 1
            stored: Any = await self._storage.get_config(source_id)
            await self._save(source_id, stored.model_copy(update={"description": f"change {self.tries}"}))
        return await self._save(source_id, config, expected=expected)


Contest = Callable[..., tuple[Writer, Rival]]


@pytest.fixture
def contest(wellhead_parts: Wellhead, monkeypatch: pytest.MonkeyPatch) -> Contest:
    """Make a writer whose tries are watched by a rival."""

    def make(**rivalry: Any) -> tuple[Writer, Rival]:
        rival = Rival(wellhead_parts, **rivalry)
        catalog = wellhead_parts.catalog
        monkeypatch.setattr(catalog.storage, "update", rival.update)
        lookup = Lookup(catalog.registry, catalog.storage)
        validations = Validations(lookup, catalog.storage, catalog.validation)
        return Writer(lookup, catalog.storage, validations, monotonic=lambda: rival.now), rival

    return make


@pytest.fixture
async def source(wellhead_parts: Wellhead, workspace: Path) -> str:
    """A data source that validates."""
    (workspace / "sales.csv").write_text("a,b\n1,2\n", encoding="utf-8")
    document, _ = await wellhead_parts.catalog.create(csv_source())
    return str(document["id"])


async def test_a_patch_is_applied_to_what_somebody_saved_in_between(contest: Contest, source: str) -> None:
    writer, rival = contest(times=2)
    document, revision = await writer.patch(source, {"labels": {"team": "x"}}, **ALL)
    assert (document["labels"], document["description"]) == ({"team": "x"}, "change 2")
    assert (revision, rival.tries) == (4, 3)


async def test_quick_tries_go_on_for_longer_than_any_count(contest: Contest, source: str) -> None:
    writer, rival = contest(times=120, seconds=0.01)
    document, _ = await writer.patch(source, {"labels": {"team": "x"}}, **ALL)
    assert document["labels"] == {"team": "x"}
    assert rival.tries == 121


@pytest.mark.parametrize(
    ("seconds", "tries"),
    [(SECONDS / 5, 5), (SECONDS * 0.6, LEAST), (SECONDS * 100, LEAST)],
)
async def test_tries_end_by_time_but_not_before_the_third(
    contest: Contest, source: str, seconds: float, tries: int
) -> None:
    writer, rival = contest(seconds=seconds)
    with pytest.raises(RevisionMismatchError):
        await writer.patch(source, {"labels": {"team": "x"}}, **ALL)
    assert rival.tries == tries


async def test_with_verify_each_try_validates_what_would_be_saved(contest: Contest, source: str) -> None:
    writer, rival = contest(times=1)
    document, _ = await writer.patch(source, {"labels": {"team": "x"}}, **{**ALL, "verify": True})
    assert (document["health"]["status"], document["health"]["revision"]) == ("passed", 3)
    assert rival.tries == 2


@pytest.mark.parametrize(("patch", "expected"), [({"revision": 1}, None), ({}, 1)])
async def test_a_patch_for_one_revision_is_tried_once(
    contest: Contest, source: str, patch: dict[str, Any], expected: int | None
) -> None:
    writer, rival = contest(times=1)
    with pytest.raises(RevisionMismatchError):
        await writer.patch(source, {**patch, "labels": {"team": "x"}}, **{**ALL, "expected": expected})
    assert rival.tries == 1


async def test_a_replacement_is_tried_once(contest: Contest, source: str) -> None:
    writer, rival = contest(times=1)
    with pytest.raises(RevisionMismatchError):
        await writer.replace(source, csv_source(labels={"team": "x"}), **ALL)
    assert rival.tries == 1


async def test_what_does_not_validate_is_not_saved(contest: Contest, wellhead_parts: Wellhead, source: str) -> None:
    writer, rival = contest(times=0)
    with pytest.raises(ValidationFailedError):
        await writer.patch(source, {"path": "missing.csv"}, **{**ALL, "verify": True})
    assert rival.tries == 0
    assert (await wellhead_parts.catalog.read(source)).revision == 1
