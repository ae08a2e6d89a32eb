"""A change with its history, and a rollback, that are killed or fail at each system call by which they write."""

import asyncio
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from support.probe import Probe, ProbeSource, names_in, probe_of
from support.strace import KILLED, killed_at, points_of, with_faults
from wellhead import Secret

pytestmark = pytest.mark.anyio
SECRETS = {1: "one", 2: "two", 3: "two", 4: "three"}
"""The password of each revision; the fourth is made by the script."""

SCRIPT = """
import asyncio, sys
from pathlib import Path
from support.probe import probe_of
from wellhead import Secret
from wellhead.secrets.key_file import FileKeys

FileKeys._wait_for_the_disk = lambda self: None  # it is not the key ring that fails here

async def main(workspace, work, config_id):
    probe = probe_of(Path(workspace))
    config = await probe.service.get_config(config_id)
    try:
        if work == "rollback":
            await probe.service.rollback(config_id, 1)
        elif work == "purge":
            await probe.service.purge_history(config_id)
        elif work == "delete":
            await probe.service.delete_config(config_id)
        else:
            changed = config.model_copy(update={"note": "4", "password": Secret("three")})
            await probe.service.update_config(config_id, changed)
    except Exception as error:
        print(type(error).__name__)
    else:
        print("done")

asyncio.run(main(*sys.argv[1:]))
"""


@pytest.fixture
async def config_id(workspace: Path) -> str:
    """A data source in its third revision, with two former ones."""
    probe = probe_of(workspace)
    made: Any = await probe.service.save_config(ProbeSource(name="n", host="h", note="1", password="one"))
    for changes in ({"note": "2", "password": Secret("two")}, {"note": "3"}):
        made = await probe.service.update_config(str(made.id), made.model_copy(update=changes))
    probe.store.close()
    return str(made.id)


def copy_of(workspace: Path, number: int) -> Path:
    """Copy a workspace; its key ring lies beside it."""
    copied = workspace.parent / f"copy{number}" / "workspace"
    shutil.copytree(workspace.parent / "config", copied.parent / "config")
    shutil.copytree(workspace, copied)
    return copied


async def numbers(probe: Probe, config_id: str) -> list[int]:
    return [found.record.revision for found in await probe.service.history(config_id)]


async def check(workspace: Path, config_id: str, secrets: dict[int, str], *, done: bool) -> None:
    """Hold that the old or the new state is there, whole, with all that came before, and that work goes on."""
    probe = probe_of(workspace)
    stored = await probe.service.read(config_id)
    assert stored.state == "ok"
    assert stored.revision in ({4} if done else {3, 4})
    clear: Any = await probe.service.reveal(stored)
    assert clear.password.reveal() == secrets[stored.revision]
    assert await numbers(probe, config_id) == list(range(stored.revision - 1, 0, -1))
    changed = stored.config.model_copy(update={"note": "later"})  # type: ignore[union-attr]
    await probe.service.update_config(config_id, changed)
    for revision in (2, stored.revision):
        restored = await probe.service.rollback(config_id, revision)
        clear = await probe.service.reveal(restored)
        assert clear.password.reveal() == secrets[revision]
    assert await numbers(probe, config_id) == list(range((restored.revision or 0) - 1, 0, -1))
    probe.store.close()


async def check_change(copied: Path, config_id: str, work: str, *, done: bool) -> None:
    secrets = SECRETS if work == "update" else {**SECRETS, 4: "one"}
    await check(copied, config_id, secrets, done=done)
    leftovers = [name for name in names_in(copied / ".datasources") if name.startswith(".tmp")]
    assert len(leftovers) <= 2


async def check_deletion(copied: Path, config_id: str, _work: str, *, done: bool) -> None:
    probe = probe_of(copied)
    found = [stored.state for stored in await probe.service.list_configs()]
    assert found in ([[]] if done else [[], ["ok"]])
    assert found == [] or await numbers(probe, config_id) == [2, 1]


async def check_purge(copied: Path, config_id: str, _work: str, *, done: bool) -> None:
    probe = probe_of(copied)
    purged = [found.is_purged for found in await probe.service.history(config_id)]
    assert purged in ([[True, True]] if done else [[True, True], [False, False]])
    assert (await probe.service.purge_history(config_id)).changed == (0 if purged[0] else 2)


CHECKS = {"update": check_change, "rollback": check_change, "delete": check_deletion, "purge": check_purge}


async def kill_at(calls: Callable[[str], bool], workspace: Path, config_id: str, work: str) -> None:
    """Kill a piece of work at each of its system calls that are chosen, each time in a copy of the workspace."""
    points = await asyncio.to_thread(points_of, SCRIPT, copy_of(workspace, 0), work, config_id)
    assert {"openat", "fsync", "flock"} < {point.call for point in points}
    for number, point in enumerate((point for point in points if calls(point.call)), 1):
        copied = copy_of(workspace, number)
        ended = await asyncio.to_thread(killed_at, point, SCRIPT, copied, work, config_id)
        assert ended.code == KILLED, point
        await CHECKS[work](copied, config_id, work, done=ended.out == "done")


def is_decisive(call: str) -> bool:
    """Tell whether a system call gives a file its name, or takes it away."""
    return call.startswith(("rename", "link", "unlink"))


@pytest.mark.parametrize(
    "work", [pytest.param(each, marks=() if each == "update" else pytest.mark.slow) for each in CHECKS]
)
async def test_D_01_D_02_what_is_killed_while_it_changes_files_leaves_the_old_or_the_new_state(
    workspace: Path, config_id: str, work: str
) -> None:
    await kill_at(is_decisive, workspace, config_id, work)


@pytest.mark.slow
@pytest.mark.parametrize("work", CHECKS)
async def test_D_01_D_02_what_is_killed_at_any_system_call_leaves_the_old_or_the_new_state(
    workspace: Path, config_id: str, work: str
) -> None:
    await kill_at(lambda call: not is_decisive(call), workspace, config_id, work)


RENAME = "rename,renameat,renameat2"
FAULTS = [
    ("fsync:error=EIO:when=1", "StorageIOError"),
    ("fsync:error=EIO:when=2", "StorageIOError"),
    ("fsync:error=ENOSPC:when=1", "InsufficientStorageError"),
    ("fsync:error=ENOSPC:when=2", "InsufficientStorageError"),
    ("fsync:error=EDQUOT:when=2", "InsufficientStorageError"),
    ("fsync:error=EIO:when=3", "DurabilityUnknownError"),
    (f"{RENAME}:error=EXDEV:when=1", "StorageIOError"),
    (f"{RENAME}:error=EROFS:when=1", "StoreReadOnlyError"),
    (f"{RENAME}:error=EIO:when=2", "StorageIOError"),
    (f"{RENAME}:error=EBUSY:when=2", "StorageIOError"),
    ("flock:error=ENOLCK:when=1", "StoreUnavailableError"),
]


@pytest.mark.parametrize("work", ["update", pytest.param("rollback", marks=pytest.mark.slow)])
@pytest.mark.parametrize(("fault", "told"), FAULTS)
async def test_D_09_D_10_D_12_D_19_an_error_of_the_disk_is_told_and_leaves_a_consistent_pair(
    workspace: Path, config_id: str, work: str, fault: str, told: str
) -> None:
    ended = await asyncio.to_thread(with_faults, [fault], SCRIPT, workspace, work, config_id)
    assert ended.out == told
    assert not [name for name in names_in(workspace / ".datasources") if name.startswith(".tmp")]
    unknown = told == "DurabilityUnknownError"
    assert (await probe_of(workspace).service.read(config_id)).revision == (4 if unknown else 3)
    await check_change(workspace, config_id, work, done=unknown)


async def test_D_20_where_taking_the_temporary_files_away_fails_too_the_first_error_is_told(
    workspace: Path, config_id: str
) -> None:
    faults = ["fsync:error=EIO:when=2", "unlinkat:error=EACCES"]
    ended = await asyncio.to_thread(with_faults, faults, SCRIPT, workspace, "update", config_id)
    assert ended.out == "StorageIOError"
    assert len([name for name in names_in(workspace / ".datasources") if name.startswith(".tmp")]) == 2
    await check_change(workspace, config_id, "update", done=False)


async def test_D_43_a_disk_that_fails_to_read_the_history_is_told_and_harms_neither(
    workspace: Path, config_id: str
) -> None:
    history = workspace / ".datasources" / f"{config_id}.history.jsonl"
    before = history.read_bytes()
    faults = ["read:error=EIO"]
    ended = await asyncio.to_thread(with_faults, faults, SCRIPT, workspace, "update", config_id, only=history)
    assert ended.out == "RecordUnreadableError"
    assert history.read_bytes() == before
    await check_change(workspace, config_id, "update", done=False)


LISTED = """
import asyncio, sys
from pathlib import Path
from support.probe import probe_of
found = asyncio.run(probe_of(Path(sys.argv[1])).service.list_configs())
print(sorted((stored.state, stored.name) for stored in found))
"""


async def test_D_43_a_disk_that_fails_to_read_one_record_hides_no_other(workspace: Path, config_id: str) -> None:
    await probe_of(workspace).service.save_config(ProbeSource(name="other", host="h"))
    record = workspace / ".datasources" / f"{config_id}.json"
    ended = await asyncio.to_thread(with_faults, ["read:error=EIO"], LISTED, workspace, only=record)
    assert ended.out == "[('ok', 'other'), ('unreadable', None)]"
    assert (await probe_of(workspace).service.read(config_id)).state == "ok"
