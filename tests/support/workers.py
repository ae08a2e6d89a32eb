"""What other processes do in tests: functions that a spawned process can import."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import time
from multiprocessing import forkserver, get_context
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import pytest

from support.probe import Probe, ProbeSource, probe_of
from wellhead.access.token import LocalToken
from wellhead.errors import RevisionMismatchError, WellheadError
from wellhead.secrets.key_file import FileKeys
from wellhead.storage.disk.locks import StoreLock
from wellhead.storage.selection import Selection

SPAWN = get_context("spawn")


def forking() -> Any:
    """Return the context for tests that need many processes: each is forked from one that has imported everything."""
    context = get_context("forkserver")
    context.set_forkserver_preload(["support.workers"])
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("PYTHONPATH", os.pathsep.join(sys.path))
        forkserver.ensure_running()
    return context


def together(target: Any, count: int, *arguments: Any) -> list[Any]:
    """Run a function in processes at once, each with a barrier of all and the arguments; return what they put."""
    barrier, queue = SPAWN.Barrier(count, timeout=60), SPAWN.Queue()
    processes = [SPAWN.Process(target=target, args=(barrier, queue, *arguments), daemon=True) for _ in range(count)]
    for process in processes:
        process.start()
    try:
        found = [queue.get(timeout=60) for _ in processes]
        for process in processes:
            process.join()
    finally:
        for process in processes:
            process.kill()
    return found


def started(target: Any, *arguments: Any, context: Any = SPAWN) -> tuple[BaseProcess, Any]:
    """Start a process; return it, and the end of a pipe that it writes to."""
    ours, theirs = context.Pipe()
    process = context.Process(target=target, args=(theirs, *arguments), daemon=True)
    process.start()
    theirs.close()
    return process, ours


def make_keys(barrier: Any, queue: Any, directory: Path, rounds: int) -> None:
    """Make a first key in each round, at the same moment as the others."""
    found = []
    for number in range(rounds):
        keys = FileKeys(directory / str(number) / "keys.json", may_create=lambda: True)
        barrier.wait()
        primary = keys.ring_for_writing().primary
        found.append((primary.id, primary.material.hex()))
    queue.put(found)


def make_tokens(barrier: Any, queue: Any, directory: Path, rounds: int) -> None:
    """Make a first token in each round, at the same moment as the others."""
    found = []
    for number in range(rounds):
        barrier.wait()
        found.append(LocalToken(directory / f"token{number}").read_or_make())
    queue.put(found)


def increment(barrier: Any, queue: Any, workspace: Path, record_id: str, times: int) -> None:
    """Count a data source's note up, as others do; put how often it was refused."""
    asyncio.run(_increment(barrier, queue, workspace, record_id, times))


async def _increment(barrier: Any, queue: Any, workspace: Path, record_id: str, times: int) -> None:
    probe = probe_of(workspace, lock_timeout=30.0)
    barrier.wait()
    refused = done = 0
    while done < times:
        config = await probe.service.get_config(record_id)
        changed = config.model_copy(update={"note": str(int(config.note or "0") + 1)})  # type: ignore[attr-defined]
        try:
            await probe.service.update_config(record_id, changed, expected=config.revision)
            done += 1
        except RevisionMismatchError:
            refused += 1
    queue.put(refused)


def take_name(barrier: Any, queue: Any, workspace: Path) -> None:
    """Save a data source of a name that others want at the same moment; put whether it was saved."""
    probe = probe_of(workspace, lock_timeout=30.0)
    barrier.wait()
    try:
        asyncio.run(probe.service.save_config(ProbeSource(name="wanted", host="h", password="x")))
    except Exception as error:  # noqa: BLE001  # the test looks at its name
        queue.put(type(error).__name__)
    else:
        queue.put("saved")


def write_until_killed(pipe: Any, workspace: Path) -> None:
    """Create, change and delete data sources, and say of each when it is acknowledged."""
    asyncio.run(_write_until_killed(pipe, workspace))


async def _write_until_killed(pipe: Any, workspace: Path) -> None:
    probe = probe_of(workspace)
    for number in range(1_000_000):
        secret = f"secret-{os.getpid()}-{number}"
        saved = await probe.service.save_config(ProbeSource(name=f"{os.getpid()}-{number}", host="h", password=secret))
        pipe.send(("saved", str(saved.id), secret))
        changed = saved.model_copy(update={"note": "changed"})
        await probe.service.update_config(str(saved.id), changed)
        pipe.send(("changed", str(saved.id), secret))
        if number % 3 == 0:
            pipe.send(("deleting", str(saved.id), secret))
            await probe.service.delete_config(str(saved.id))
            pipe.send(("deleted", str(saved.id), secret))


def obey(pipe: Any, workspace: Path) -> None:
    """Do what is told, one order after the other, and say what came of each."""
    probe = probe_of(workspace, lock_timeout=30.0)
    while True:
        order, *arguments = pipe.recv()
        try:
            pipe.send(("done", asyncio.run(_ORDERS[order](probe, *arguments))))
        except WellheadError as error:
            pipe.send((type(error).__name__, None))


async def _create(probe: Probe, name: str) -> str:
    return str((await probe.service.save_config(ProbeSource(name=name, host="h", password="x"))).id)


async def _update(probe: Probe, record_id: str, changes: dict[str, Any]) -> None:
    config = await probe.service.get_config(record_id)
    await probe.service.update_config(record_id, config.model_copy(update=changes))


async def _delete(probe: Probe, record_id: str) -> None:
    await probe.service.delete_config(record_id)


async def _list(probe: Probe) -> tuple[dict[str, Any], dict[str, Any]]:
    """List by the index, and by looking at all records; both must be in good state."""
    chosen = await probe.service.choose(Selection(limit=1000, states=("ok",)))
    items = [json.loads(item) for item in chosen.items] if chosen is not None else []
    stored = [item.as_document() for item in await probe.service.list_configs()]
    by_index, by_files = ({item["id"]: (item["name"], item["note"]) for item in found} for found in (items, stored))
    return by_index, by_files


_ORDERS: dict[str, Any] = {"create": _create, "update": _update, "delete": _delete, "list": _list}


def hold_lock(pipe: Any, directory: Path) -> None:
    """Hold the lock of a store until told otherwise."""
    descriptor = os.open(directory, os.O_RDONLY)
    with StoreLock(30.0).hold(descriptor):
        pipe.send("held")
        pipe.recv()
    pipe.send("released")


def count_under_lock(barrier: Any, queue: Any, directory: Path, times: int) -> None:
    """Count a number in a file up, which loses counts unless the lock excludes others."""
    descriptor, lock = os.open(directory, os.O_RDONLY), StoreLock(60.0)
    counter = directory / "counter"
    barrier.wait()
    for _ in range(times):
        with lock.hold(descriptor):
            counter.write_text(str(int(counter.read_text()) + 1))
    queue.put("done")


def take_turns(barrier: Any, queue: Any, directory: Path, times: int) -> None:
    """Take the lock again and again with a little work in it, and put how often others had it while this one waited."""
    descriptor, lock = os.open(directory, os.O_RDONLY), StoreLock(60.0)
    turns, waited = directory / "turns", []
    barrier.wait()
    for _ in range(times):
        asked = turns.stat().st_size
        with lock.hold(descriptor):
            waited.append(turns.stat().st_size - asked)
            with turns.open("ab") as file:
                file.write(b".")
                time.sleep(0.002)
        time.sleep(0.001)  # who writes then waits for the disk, without the lock
    queue.put(waited)


def stop(process: BaseProcess) -> None:
    """Stop a process as SIGSTOP does, and wait until it stands."""
    assert process.pid is not None
    os.kill(process.pid, signal.SIGSTOP)
    if sys.platform == "linux":
        os.waitid(os.P_PID, process.pid, os.WSTOPPED | os.WNOWAIT)
