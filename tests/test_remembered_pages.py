"""Pages that are remembered are those that the index would give, whoever writes."""

import asyncio
import os
import random
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from support.probe import Probe, ProbeSource, probe_of
from wellhead import Secret
from wellhead.storage.index import indexing
from wellhead.storage.index.file import INDEX_NAME
from wellhead.storage.index.remembered_pages import RememberedPages, mark_of
from wellhead.storage.selection import Chosen, Selection
from wellhead.storage.store import Entry
from wellhead.storage.stored import StoredDataSource

pytestmark = pytest.mark.anyio
ALL = Selection()


class FixedJudge:
    """A judge whose basis the test chooses."""

    number = 7

    def basis(self, _type_name: str, *, sealed: bool) -> int:
        return self.number + sealed

    def judged(self, entry: Entry) -> StoredDataSource:
        raise NotImplementedError


@pytest.fixture
async def probe(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Probe]:
    """A store with two records that counts as large and as swept, and whose first page is remembered."""
    monkeypatch.setattr(indexing, "LOOKED_AT_ALWAYS", -1)
    probe = probe_of(workspace)
    probe.store.indexing.has_sweeper = True
    for name in ("one", "two"):
        await probe.service.save_config(ProbeSource(name=name, host="h", password=Secret("x")))
    await remembered(probe)
    yield probe
    probe.store.close()


async def remembered(probe: Probe) -> None:
    """List until the page is remembered."""
    async with asyncio.timeout(20):
        while True:
            chosen = await probe.service.choose(ALL)
            if chosen is await probe.service.choose(ALL):
                return
            await asyncio.sleep(0.01)


async def is_remembered(probe: Probe) -> bool:
    return await probe.service.choose(ALL) is await probe.service.choose(ALL)


async def names(probe: Probe) -> int:
    chosen = await probe.service.choose(ALL)
    assert chosen is not None
    return chosen.total


async def test_a_page_that_is_the_same_is_not_looked_up_again(probe: Probe, monkeypatch: pytest.MonkeyPatch) -> None:
    before = await probe.service.choose(ALL)
    monkeypatch.setattr(probe.store._reads, "choose", None)
    assert await probe.service.choose(ALL) is before


async def test_what_another_process_writes_is_listed_at_once_however_soon_it_comes(probe: Probe) -> None:
    other, chance = probe_of(probe.directory.parent), random.Random(7)
    for number in range(3, 30):
        await other.service.save_config(ProbeSource(name=f"number {number}", host="h"))
        for _ in range(chance.randrange(4)):
            assert await names(probe) == number
            await asyncio.sleep(chance.random() / 100)
        assert await names(probe) == number
    other.store.close()


async def test_an_index_that_was_made_anew_is_another_one(probe: Probe) -> None:
    await probe.store.rebuild_index()
    assert not await is_remembered(probe)
    await remembered(probe)


async def test_where_the_keys_are_gone_the_page_says_so(probe: Probe, tmp_path: Path) -> None:
    (tmp_path / "config" / "keys.json").rename(tmp_path / "away.json")
    chosen = await probe.service.choose(ALL)
    assert chosen is not None
    assert all(b'"secret_unavailable"' in item for item in chosen.items)


async def test_where_nobody_sweeps_or_the_store_is_small_nothing_is_remembered(
    probe: Probe, monkeypatch: pytest.MonkeyPatch
) -> None:
    probe.store.indexing.has_sweeper = False
    assert not await is_remembered(probe)
    probe.store.indexing.has_sweeper = True
    assert await is_remembered(probe)
    monkeypatch.setattr(indexing, "LOOKED_AT_ALWAYS", 250)
    await probe.service.save_config(ProbeSource(name="three", host="h"))
    await asyncio.sleep(0.03)
    await names(probe)
    assert not await is_remembered(probe)


async def test_a_list_by_state_is_looked_up_as_the_states_of_all_may_change(probe: Probe) -> None:
    by_state = Selection(states=("ok",))
    await probe.service.choose(by_state)
    assert await probe.service.choose(by_state) is not await probe.service.choose(by_state)


def test_a_mark_is_given_only_where_a_change_would_be_seen(tmp_path: Path) -> None:
    directory = os.open(tmp_path, os.O_RDONLY)
    index, log = tmp_path / INDEX_NAME, tmp_path / f"{INDEX_NAME}-wal"
    index.touch()
    assert mark_of(directory) is None
    log.touch()
    assert mark_of(directory) is None, "it may change within the same tick of the clock"
    os.utime(log, ns=(0, time.time_ns() - 1_000_000_001))
    before = mark_of(directory)
    assert before is not None
    os.utime(log, ns=(0, time.time_ns() - 2_000_000_001))
    assert mark_of(directory) not in {None, before}
    os.close(directory)


def test_pages_are_few_and_small_and_of_one_basis(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wellhead.storage.index.remembered_pages.mark_of", lambda _directory: (1,))
    pages, judge = RememberedPages(), FixedJudge()
    for number in range(1, 40):
        pages.keep(Selection(limit=number), (1,), {("probe", False): 7}, Chosen([b"x"], 1, None))
    pages.keep(Selection(limit=100), (1,), {}, Chosen([b"x" * 300_000], 1, None))
    found = [number for number in range(1, 101) if pages.find(0, Selection(limit=number), judge)]
    assert found == list(range(24, 40))
    judge.number = 8
    assert pages.find(0, Selection(limit=39), judge) is None
