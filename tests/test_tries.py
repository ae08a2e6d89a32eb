"""`Tries`: a change is tried again while others save in between, for a time, whatever the change is."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from support.probe import Probe, probe_of, saved
from wellhead.errors import RevisionMismatchError
from wellhead.storage.records import Record
from wellhead.storage.tries import LEAST, SECONDS

pytestmark = pytest.mark.anyio


class Rival:
    """Somebody else, who saves before each write of ours, and takes their time for it."""

    def __init__(self, workspace: Path, *, seconds: float) -> None:
        self._seconds = seconds
        self.tries = 0
        self.now = 0.0
        self.probe = probe_of(workspace, monotonic=lambda: self.now)
        self._replace = self.probe.store.replace

    def begin(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Save before each write from now on."""
        monkeypatch.setattr(self.probe.store, "replace", self._interfere)

    async def _interfere(self, record: Record, *, expected: int, **more: Any) -> None:
        self.tries += 1
        self.now += self._seconds
        await self._replace(replace(record, description=f"change {self.tries}"), expected=expected)
        await self._replace(record, expected=expected, **more)


async def change(probe: Probe, source: Any) -> Any:
    return await probe.service.update_config(str(source.id), source.model_copy(update={"note": "three"}))


async def roll_back(probe: Probe, source: Any) -> Any:
    return await probe.service.rollback(str(source.id), 1)


async def two_revisions(probe: Probe) -> Any:
    made = await saved(probe, note="one")
    return await probe.service.update_config(str(made.id), made.model_copy(update={"note": "two"}))


@pytest.mark.parametrize("act", [change, roll_back])
@pytest.mark.parametrize(
    ("seconds", "tries"), [(SECONDS / 5, 5), (SECONDS * 0.6, LEAST), (SECONDS * 100, LEAST)], ids=str
)
async def test_tries_end_by_time_but_not_before_the_third(
    workspace: Path, act: Any, seconds: float, tries: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    rival = Rival(workspace, seconds=seconds)
    source = await two_revisions(rival.probe)
    rival.begin(monkeypatch)
    with pytest.raises(RevisionMismatchError):
        await act(rival.probe, source)
    assert rival.tries == tries
