"""Power cuts, on a file system of the test's own: what was acknowledged is there afterwards."""

import asyncio
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support.power import Disk, Journal, disk_of
from support.probe import Probe, ProbeSource, probe_of
from support.workers import started, write_until_killed
from wellhead import Secret

pytestmark = pytest.mark.anyio


@pytest.fixture(params=["lost", "flushed"])
def journal(request: pytest.FixtureRequest) -> Journal:
    """What becomes of the journal."""
    found: Journal = request.param
    return found


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    """A disk whose power can be cut, with a workspace on it."""
    with disk_of(tmp_path) as disk:
        (disk.path / "workspace").mkdir()
        yield disk


def probe_on(disk: Disk) -> Probe:
    return probe_of(disk.path / "workspace")


def cut(disk: Disk, probe: Probe, journal: Journal) -> Probe:
    """Cut the power, and open the workspace as a new process does."""
    probe.store.close()
    disk.cut_power(journal)
    return probe_on(disk)


async def password_of(probe: Probe, source_id: object) -> str:
    clear: Any = await probe.clear(source_id)
    return str(clear.password.reveal())


async def numbers(probe: Probe, source_id: object) -> list[int]:
    return [found.record.revision for found in await probe.service.history(str(source_id))]


async def test_a_cut_really_takes_away_what_was_not_synced(disk: Disk) -> None:
    (disk.path / "written").write_bytes(b"not synced")
    disk.cut_power("lost")
    assert not (disk.path / "written").exists()


async def test_D_03_D_08_a_data_source_that_was_acknowledged_is_there_with_its_key(
    disk: Disk, journal: Journal
) -> None:
    probe = probe_on(disk)
    made = await probe.service.save_config(ProbeSource(name="n", host="h", password="x"))
    probe = cut(disk, probe, journal)
    assert await password_of(probe, made.id) == "x"


async def test_D_04_D_06_a_change_that_was_acknowledged_is_there_with_its_history(disk: Disk, journal: Journal) -> None:
    probe = probe_on(disk)
    made: Any = await probe.service.save_config(ProbeSource(name="n", host="h", password="one"))
    for number, secret in enumerate(("two", "three"), 2):
        made = await probe.service.update_config(str(made.id), made.model_copy(update={"password": Secret(secret)}))
        probe = cut(disk, probe, journal)
        assert await password_of(probe, made.id) == secret
        assert await numbers(probe, made.id) == list(range(number - 1, 0, -1))
    await probe.service.rollback(str(made.id), 1)
    probe = cut(disk, probe, journal)
    assert await password_of(probe, made.id) == "one"
    assert await numbers(probe, made.id) == [3, 2, 1]


async def test_D_04_a_purge_that_was_acknowledged_stays_done(disk: Disk, journal: Journal) -> None:
    probe = probe_on(disk)
    made: Any = await probe.service.save_config(ProbeSource(name="n", host="h", password="leaked"))
    await probe.service.update_config(str(made.id), made.model_copy(update={"password": Secret("new")}))
    await probe.service.purge_history(str(made.id))
    probe = cut(disk, probe, journal)
    assert [found.is_purged for found in await probe.service.history(str(made.id))] == [True]


async def test_D_05_a_data_source_that_was_deleted_stays_deleted_with_its_history(disk: Disk, journal: Journal) -> None:
    probe = probe_on(disk)
    made: Any = await probe.service.save_config(ProbeSource(name="n", host="h", password="x"))
    await probe.service.update_config(str(made.id), made.model_copy(update={"note": "new"}))
    await probe.service.delete_config(str(made.id))
    probe = cut(disk, probe, journal)
    assert await probe.service.list_configs() == []
    assert [path.name for path in probe.directory.iterdir() if str(made.id) in path.name] == []


@pytest.mark.parametrize("seed", [0, *(pytest.param(seed, marks=pytest.mark.slow) for seed in range(1, 4))])
async def test_D_03_D_04_D_05_a_cut_at_any_moment_leaves_what_was_acknowledged(
    disk: Disk, journal: Journal, seed: int
) -> None:
    workspace = disk.path / "workspace"
    process, pipe = started(write_until_killed, workspace)
    events = [pipe.recv()]
    await asyncio.sleep(random.Random(seed).uniform(0.05, 0.3))
    process.kill()  # a process that is dead has told nothing that the disk does not have
    process.join()
    disk.cut_power(journal)
    try:
        while True:
            events.append(pipe.recv())
    except EOFError:
        pipe.close()
    known = {source_id: (event, secret) for event, source_id, secret in events}
    assert known
    probe = probe_on(disk)
    stored = {item.id: item for item in await probe.service.list_configs()}
    assert {item.state for item in stored.values()} <= {"ok"}
    for source_id, (event, secret) in known.items():
        if event == "deleted":
            assert source_id not in stored
        elif event != "deleting" or source_id in stored:
            assert await password_of(probe, source_id) == secret
            revision = stored[source_id].revision or 0
            assert await numbers(probe, source_id) == list(range(revision - 1, 0, -1))
            assert event == "saved" or revision == 2
    probe.store.close()
