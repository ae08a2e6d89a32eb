"""Rotations and first keys whose power is cut: a disk loses everything that was not synced.

The key ring and the store are on two file systems, of which one is cut and the other loses nothing. On one file system,
a sync of the store would bring the ring to disk as well, and hide that nobody waited for it.
"""

import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from support.power import Disk, disk_of
from support.probe import Probe, ProbeSource, probe_of
from wellhead import Secret
from wellhead.storage.key_service import KeyService
from wellhead.storage.live_keys import LiveKeys

pytestmark = pytest.mark.anyio
SOURCES = 8

SCRIPT = """
import asyncio, sys
from pathlib import Path
from support.probe import Probe, ProbeSource, probe_of
from wellhead.storage.key_service import KeyService
from wellhead.storage.live_keys import LiveKeys

def say(text):
    print(text, flush=True)

async def main(workspace, key_file, work):
    probe = probe_of(Path(workspace), key_file=Path(key_file))
    say("start")
    if work == "rotate":
        rotation = await KeyService(probe.store, LiveKeys(probe.keys)).rotate(report=lambda done, total: say(done))
        say("finished" if not rotation.left else "left")
    else:
        await probe.service.save_config(ProbeSource(name="first", host="h", password="first secret"))
        say("finished")

asyncio.run(main(*sys.argv[1:]))
"""


@dataclass(frozen=True, slots=True)
class Place:
    """A workspace and its key ring, one of them on a disk whose power is cut."""

    power: Disk
    workspace: Path
    key_file: Path

    def probe(self) -> Probe:
        return probe_of(self.workspace, key_file=self.key_file)

    def below(self, name: str) -> "Place":
        """Return a place of its own below this one, which is on the disk for good."""
        found = Place(self.power, self.workspace / name, self.key_file.parent / name / "keys.json")
        found.workspace.mkdir(parents=True)
        os.sync()
        return found


@pytest.fixture(params=["ring", pytest.param("store", marks=pytest.mark.slow)])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    """A place where the power of the ring, or of the store, is cut."""
    (tmp_path / "kept").mkdir()
    with disk_of(tmp_path) as power:
        cut, kept = power.path / "cut", tmp_path / "kept"
        ring, workspace = (cut, kept) if request.param == "ring" else (kept, cut)
        yield Place(power, workspace, ring / "keys.json")


def cut_after(place: Place, work: str, line: str, delay: float = 0.0) -> list[str]:
    """Start a piece of work, cut the power a moment after it says something, and return all that it said by then."""
    process = subprocess.Popen(
        [sys.executable, "-c", SCRIPT, str(place.workspace), str(place.key_file), work],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    with process:
        assert process.stdout is not None
        said = []
        for found in process.stdout:
            said.append(found.strip())
            if said[-1] == line:
                break
        assert said[-1:] == [line], said
        end = time.monotonic() + delay
        while time.monotonic() < end:
            pass
        process.kill()  # a machine without power runs no process; what it wrote and did not sync is lost all the same
        said += [rest.strip() for rest in process.stdout]
        process.wait()
        place.power.cut_power("lost")
    return said


async def fill(place: Place) -> None:
    """Fill a workspace with data sources that have a former revision each."""
    probe = place.probe()
    for number in range(SOURCES):
        saved: Any = await probe.service.save_config(ProbeSource(name=f"n{number}", host="h", password=f"one {number}"))
        changed = saved.model_copy(update={"password": Secret(f"two {number}")})
        await probe.service.update_config(str(saved.id), changed)
    probe.store.close()


async def check(place: Place, said: list[str]) -> None:
    """Hold that every secret opens, those of former revisions too, and that a rotation leaves nothing."""
    probe = place.probe()
    stored = await probe.service.list_configs()
    assert [item.state for item in stored] == ["ok"] * SOURCES
    keys = KeyService(probe.store, LiveKeys(probe.keys))
    if "finished" in said:
        assert [(use.state, use.records, use.revisions) for use in await keys.uses()] == [
            ("enabled", 0, 0),
            ("primary", SOURCES, SOURCES),
        ]
    assert (await keys.rotate()).left == []
    for item in stored:
        number = (item.name or "").removeprefix("n")
        assert (await probe.clear(item.id)).password.reveal() == f"two {number}"
        await probe.service.rollback(item.id, 1)
        assert (await probe.clear(item.id)).password.reveal() == f"one {number}"
    probe.store.close()


async def test_D_07_after_a_power_cut_in_a_rotation_all_opens_with_the_ring_on_disk(place: Place) -> None:
    for line, delay in (("start", 0.002), ("1", 0.0), ("4", 0.0), ("finished", 0.0)):
        round_ = place.below(line)
        await fill(round_)
        await check(round_, cut_after(round_, "rotate", line, delay))


async def test_D_03_D_08_after_a_power_cut_there_is_no_record_without_its_key(place: Place) -> None:
    random_ = random.Random(8)
    for number in range(4):
        round_ = place.below(str(number))
        line, delay = ("finished", 0.0) if number < 2 else ("start", random_.uniform(0, 0.03))
        said = cut_after(round_, "save", line, delay)
        probe = round_.probe()
        found = [item.state for item in await probe.service.list_configs()]
        assert found in ([], ["ok"])
        assert found == ["ok"] or "finished" not in said
        await probe.service.save_config(ProbeSource(name="next", host="h", password="later"))
        assert {item.state for item in await probe.service.list_configs()} == {"ok"}
        probe.store.close()
