"""Rotations and first keys that are killed, or fail, at each system call by which they write."""

import asyncio
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from support.probe import Probe, ProbeSource, names_in, probe_of
from support.strace import KILLED, killed_at, points_of, with_faults
from wellhead import Secret
from wellhead.storage.key_service import KeyService
from wellhead.storage.live_keys import LiveKeys

pytestmark = pytest.mark.anyio

# All in one thread, so that the system calls come in one order and can be counted.
SCRIPT = """
import asyncio, sys
from pathlib import Path
from support.probe import ProbeSource, probe_of
from wellhead.storage import live_keys
from wellhead.storage.files.store import FileRecordStore
from wellhead.storage.key_service import KeyService

async def inline(function, *arguments):
    return function(*arguments)

async def in_writer(self, function, *arguments):
    return function(*arguments)

asyncio.to_thread = live_keys.in_thread = inline
FileRecordStore._in_writer = in_writer

async def main(workspace, work):
    probe = probe_of(Path(workspace))
    keys = KeyService(probe.store, live_keys.LiveKeys(probe.keys))
    try:
        if work == "rotate":
            left = (await keys.rotate()).left
            print("done" if not left else "left")
        elif work == "add":
            await keys.add(primary=False)
            print("done")
        else:
            await probe.service.save_config(ProbeSource(name="first", host="h", password="first secret"))
            print("done")
    except Exception as error:
        print(type(error).__name__)

asyncio.run(main(*sys.argv[1:]))
"""
SECRETS = ["one", "two", "three"]


def key_service_of(probe: Probe) -> KeyService:
    return KeyService(probe.store, LiveKeys(probe.keys))


@pytest.fixture
async def filled(workspace: Path) -> Path:
    """A workspace with two data sources, one of them with two former revisions that have other secrets."""
    probe = probe_of(workspace)
    made: Any = await probe.service.save_config(ProbeSource(name="a", host="h", password=SECRETS[0]))
    for secret in SECRETS[1:]:
        changed = made.model_copy(update={"password": Secret(secret)})
        made = await probe.service.update_config(str(made.id), changed)
    await probe.service.save_config(ProbeSource(name="b", host="h", password="other"))
    probe.store.close()
    return workspace


def copy_of(workspace: Path, number: int) -> Path:
    """Copy a workspace, and its key ring where there is one."""
    copied = workspace.parent / f"copy{number}" / "workspace"
    shutil.copytree(workspace, copied)
    if (workspace.parent / "config").exists():
        shutil.copytree(workspace.parent / "config", copied.parent / "config")
    return copied


async def documents_of(probe: Probe) -> list[Any]:
    return [stored.as_document() for stored in await probe.service.list_configs()]


async def check_secrets(workspace: Path) -> None:
    """Hold that each secret of each revision opens with the key ring that is on disk."""
    probe = probe_of(workspace)
    stored = {item.name: item for item in await probe.service.list_configs()}
    assert {item.state for item in stored.values()} == {"ok"}
    for name, secret in (("a", SECRETS[-1]), ("b", "other")):
        assert (await probe.clear(stored[name].id)).password.reveal() == secret
    for number, secret in enumerate(SECRETS[:-1], start=1):
        await probe.service.rollback(stored["a"].id, number)
        assert (await probe.clear(stored["a"].id)).password.reveal() == secret
    probe.store.close()


async def check_rotation(workspace: Path, copied: Path, *, done: bool) -> None:
    """Hold that everything opens and is as before, and that a next rotation finishes this one before it makes a key."""
    probe = probe_of(copied)
    assert await documents_of(probe) == await documents_of(probe_of(workspace))
    keys = [key.state for key in probe.keys.ring().keys]
    assert keys in (["primary"], ["enabled", "primary"])
    used = await key_service_of(probe).uses()
    unfinished = any(use.records or use.revisions for use in used if use.state == "enabled")
    assert not (unfinished and done)
    finished = await key_service_of(probe).rotate()
    assert finished.left == []
    assert finished.is_new == (not unfinished)
    used = await key_service_of(probe).uses()
    assert [(use.state, use.records, use.revisions) for use in used if use.records] == [("primary", 2, 2)]
    probe.store.close()
    await check_secrets(copied)


async def check_first(workspace: Path, copied: Path, *, done: bool) -> None:
    """Hold that there is no record without its key, and that a next save works."""
    probe = probe_of(copied)
    found = [stored.state for stored in await probe.service.list_configs()]
    assert found in ([["ok"]] if done else [[], ["ok"]])
    await probe.service.save_config(ProbeSource(name="next", host="h", password="later"))
    assert {stored.state for stored in await probe.service.list_configs()} == {"ok"}
    probe.store.close()


async def check_added(workspace: Path, copied: Path, *, done: bool) -> None:
    """Hold that there is a ring or none, and that an addition works then."""
    path = copied.parent / "config" / "keys.json"
    before = len(json.loads(path.read_bytes())["keys"]) if path.exists() else 0
    assert before == 1 or not done
    probe = probe_of(copied)
    await key_service_of(probe).add(primary=False)
    assert len(probe.keys.ring().keys) == before + 1


async def kill_at(
    calls: Callable[[str], bool], workspace: Path, work: str, check: Callable[..., Any], *expected: str
) -> None:
    """Kill a piece of work at each of its system calls that are chosen, each time in a copy of the workspace."""
    points = await asyncio.to_thread(points_of, SCRIPT, copy_of(workspace, 0), work)
    assert set(expected) <= {point.call for point in points}
    for number, point in enumerate((point for point in points if calls(point.call)), 1):
        copied = copy_of(workspace, number)
        ended = await asyncio.to_thread(killed_at, point, SCRIPT, copied, work)
        assert ended.code == KILLED, point
        await check(workspace, copied, done=ended.out == "done")


def is_decisive(call: str) -> bool:
    """Tell whether a system call gives a file its name, or takes it away."""
    return call.startswith(("rename", "link"))


async def test_D_02_D_07_a_rotation_that_is_killed_loses_nothing_and_is_finished_by_the_next(filled: Path) -> None:
    await kill_at(is_decisive, filled, "rotate", check_rotation, "rename", "fsync", "flock")


@pytest.mark.slow
async def test_D_02_D_07_a_rotation_that_is_killed_at_any_system_call_is_finished_by_the_next(filled: Path) -> None:
    await kill_at(lambda call: not is_decisive(call), filled, "rotate", check_rotation)


@pytest.mark.parametrize(
    ("work", "check"), [("save", check_first), pytest.param("add", check_added, marks=pytest.mark.slow)]
)
async def test_D_02_D_08_a_first_key_that_is_killed_is_there_whole_or_not_at_all(
    workspace: Path, work: str, check: Callable[..., Any]
) -> None:
    await kill_at(is_decisive, workspace, work, check, "link", "fsync")


@pytest.mark.slow
@pytest.mark.parametrize(("work", "check"), [("save", check_first), ("add", check_added)])
async def test_D_02_D_08_a_first_key_that_is_killed_at_any_system_call_is_there_whole_or_not_at_all(
    workspace: Path, work: str, check: Callable[..., Any]
) -> None:
    await kill_at(lambda call: not is_decisive(call), workspace, work, check)


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        ("fsync:error=EIO:when=2", "KeyRingError"),  # the ring itself; the first one holds that the old one is there
        ("fsync:error=ENOSPC:when=2", "KeyRingError"),
        ("fsync:error=EIO:when=3", "KeyRingError"),  # its directory: nothing is sealed with what may be lost
        ("fsync:error=EIO:when=4+", "left"),  # the records
        ("fsync:error=ENOSPC:when=4+", "left"),
        ("fsync:error=EIO:when=5", "left"),  # the directory of the store: all is done, and perhaps not for good
        ("rename,renameat,renameat2:error=EROFS:when=1", "KeyRingError"),
        ("rename,renameat,renameat2:error=EROFS:when=2+", "left"),
    ],
)
async def test_D_07_D_09_D_10_a_rotation_that_meets_errors_of_the_disk_says_so_and_loses_nothing(
    filled: Path, fault: str, told: str
) -> None:
    copied = copy_of(filled, 0)
    ended = await asyncio.to_thread(with_faults, [fault], SCRIPT, copied, "rotate")
    assert ended.out == told
    if told == "KeyRingError":
        keys = {
            json.loads(path.read_bytes())["encryption"]["key_id"]
            for path in (copied / ".datasources").glob("????????-*.json")
        }
        assert keys == {probe_of(filled).keys.ring().primary.id}
    assert not [name for name in names_in(copied / ".datasources") if name.startswith(".tmp")]
    assert names_in(copied.parent / "config") == [".keys.json.lock", "keys.json"]
    await check_rotation(filled, copied, done=False)


@pytest.mark.parametrize("error", [pytest.param("EIO", marks=pytest.mark.slow), "ENOSPC"])
@pytest.mark.parametrize("when", [1, pytest.param(2, marks=pytest.mark.slow)])
async def test_D_08_D_10_without_a_first_key_on_disk_no_record_is_written(
    workspace: Path, error: str, when: int
) -> None:
    copied = copy_of(workspace, 0)
    await asyncio.to_thread(with_faults, [], SCRIPT, copied, "add")
    shutil.rmtree(copied.parent / "config")
    (copied.parent / "config").mkdir(mode=0o700)
    probe = probe_of(copied)
    await probe.store.make_workspace_id()
    ended = await asyncio.to_thread(with_faults, [f"fsync:error={error}:when={when}"], SCRIPT, copied, "save")
    assert ended.out == "KeyRingError"
    assert await documents_of(probe) == []
    await check_first(workspace, copied, done=False)
