"""The process that workers are forked from: started on demand, ended with the service, started again when it dies."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import resource
import signal
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any, Literal

import psutil
import pytest

import wellhead
from support.probe import open_descriptors
from support.rogue import serve, silent
from support.validating import last, outcomes, pool_for, service_for
from wellhead.errors import ValidationBusyError
from wellhead.guard.files import FileGuard
from wellhead.model.result import ValidationResult
from wellhead.validation.pool import WorkerPool
from wellhead.validation.service import DataSourceValidationService

pytestmark = pytest.mark.anyio


class Thing(wellhead.DataSourceConfig):
    """A type for tests."""

    type: Literal["thing"] = "thing"
    host: str = "127.0.0.1"
    port: int = 1
    path: str = ""


async def reads(config: Thing, context: wellhead.ValidationContext) -> None:
    stream = await context.connect(config.host, config.port)
    async with context.check("read"):
        async with context.check("begun"):
            pass
        await stream.read(1)


async def has_begun_to_read(events: Any) -> None:
    """Wait until the service knows that `read` has begun: it learns in order, so the check inside tells it."""
    assert [(await anext(events)).name for _ in range(3)] == ["resolve", "connect", "begun"]


async def well(config: Thing, context: wellhead.ValidationContext) -> None:
    async with context.check("one"):
        context.detail("pid", os.getpid())


async def opens(config: Thing, context: wellhead.ValidationContext) -> None:
    async with context.check("read"):
        with context.open(config.path) as file:
            context.detail("content", file.read().decode())


@pytest.fixture
def files(workspace: Path) -> Iterator[FileGuard]:
    """Opens files of the workspace."""
    made = FileGuard(workspace)
    yield made
    made.close()


async def opens_without_end(config: Thing, context: wellhead.ValidationContext) -> None:
    opened = 0
    with contextlib.suppress(wellhead.CheckFailedError, OSError):
        while True:
            context.open(config.path).close()
            opened += 1
            if opened == 100:
                context.detail("opened", opened)
            if opened > 100:
                context.detail("more", True)
                return


@pytest.fixture
async def pool() -> AsyncIterator[WorkerPool]:
    """A pool of its own, of which nothing is left."""
    before, descriptors = _children(), open_descriptors()
    made = pool_for(workers=2, waiting=1)
    yield made
    made.close()
    assert _children() == before
    assert open_descriptors() == descriptors


def _children() -> set[int]:
    return {process.pid for process in psutil.Process().children(recursive=True)}


def _workers_of(pool: WorkerPool) -> list[psutil.Process]:
    return psutil.Process(pool.server()._process.pid).children(recursive=True)


def make(files: FileGuard, pool: WorkerPool, validator: Any, **keywords: Any) -> DataSourceValidationService:
    return service_for(wellhead.DataSourceType(Thing, validator), files=files, pool=pool, **keywords)


async def test_each_validation_has_a_process_of_its_own(files: FileGuard, pool: WorkerPool) -> None:
    service = make(files, pool, well)

    pids = {(await service.validate(Thing(name="a"))).details["pid"] for _ in range(3)}

    assert len(pids) == 3
    assert os.getpid() not in pids


async def test_D_46_when_the_process_for_workers_is_killed_the_next_validation_has_a_new_one(
    files: FileGuard, pool: WorkerPool
) -> None:
    service = make(files, pool, well)
    await service.validate(Thing(name="a"))

    pool.server()._process.kill()

    assert (await service.validate(Thing(name="a"))).status == "passed"


async def test_D_46_what_was_running_when_it_was_killed_is_told_so(files: FileGuard, pool: WorkerPool) -> None:
    async with serve(silent) as server:
        events = make(files, pool, reads).start(Thing(name="a", port=server.port))
        await has_begun_to_read(events)

        pool.server()._process.kill()

        result = [event async for event in events][-1]
    assert isinstance(result, ValidationResult)
    assert outcomes(result)[-1] == ("read", "failed", "worker_unavailable")


async def test_D_46_one_that_was_stopped_is_ended_and_started_again(
    files: FileGuard, pool: WorkerPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("wellhead.validation.parent._START_SECONDS", 0.5)
    service = make(files, pool, well)
    os.kill(pool.server()._process.pid, signal.SIGSTOP)

    stopped = await service.validate(Thing(name="a"))
    monkeypatch.undo()

    assert last(stopped).code == "worker_unavailable"
    assert (await service.validate(Thing(name="a"))).status == "passed"


async def test_two_event_loops_one_after_the_other_use_one_process(files: FileGuard, pool: WorkerPool) -> None:
    service = make(files, pool, well)

    def validate() -> int:
        async def job() -> int:
            result = await service.validate(Thing(name="a"))
            assert result.status == "passed"
            return pool.server()._process.pid

        return asyncio.run(job())

    assert len({await asyncio.to_thread(validate) for _ in range(2)}) == 1


async def test_a_file_comes_as_a_descriptor(files: FileGuard, pool: WorkerPool, workspace: Path) -> None:
    (workspace / "a.txt").write_text("hello", encoding="utf-8")
    service = make(files, pool, opens)

    good, bad = [await service.validate(Thing(name="a", path=path)) for path in ("a.txt", "../a.txt")]

    assert good.details["content"] == "hello"
    assert outcomes(bad) == [("read", "failed", "file_unavailable")]


async def test_G_09_files_are_opened_a_hundred_times_and_no_more(
    files: FileGuard, pool: WorkerPool, workspace: Path
) -> None:
    (workspace / "a.txt").touch()

    result = await make(files, pool, opens_without_end).validate(Thing(name="a", path="a.txt"))

    assert result.details == {"opened": 100}
    assert result.status == "passed"


async def test_R_07_what_finds_no_place_waits_and_what_finds_none_there_is_refused(
    files: FileGuard, pool: WorkerPool
) -> None:
    async with serve(silent) as server:
        service = make(files, pool, reads, timeout=1)
        running = [service.start(Thing(name="a", port=server.port)) for _ in range(3)]

        with pytest.raises(ValidationBusyError):
            service.start(Thing(name="a", port=server.port))

        results = [[event async for event in events][-1] for events in running]
    assert [result.status for result in results] == ["timeout"] * 3  # type: ignore[union-attr]
    assert (await make(files, pool, well).validate(Thing(name="a"))).status == "passed"


async def test_who_stops_waiting_leaves_the_line(files: FileGuard, pool: WorkerPool) -> None:
    async with serve(silent) as server:
        service = make(files, pool, reads, timeout=30)
        running = [service.start(Thing(name="a", port=server.port)) for _ in range(2)]
        waiting = asyncio.create_task(make(files, pool, well).validate(Thing(name="a")))
        await asyncio.sleep(0)
        waiting.cancel()
        for events in running:
            await anext(events)
            await events.aclose()

        assert (await make(files, pool, well).validate(Thing(name="a"))).status == "passed"


SERVICE = """
import asyncio, sys
sys.path[:0] = [{tests!r}]
from test_pool import Thing, reads
from support.validating import pool_for, service_for
from wellhead.guard.files import FileGuard
import wellhead

async def main():
    files, pool = FileGuard({workspace!r}), pool_for()
    service = service_for(wellhead.DataSourceType(Thing, reads), files=files, pool=pool, timeout=60)
    events = service.start(Thing(name="a", port={port}))
    await anext(events)
    await anext(events)
    print(pool.server()._process.pid, flush=True)
    await asyncio.sleep(60)

asyncio.run(main())
"""


async def test_D_45_when_the_service_is_killed_its_workers_end_with_it(workspace: Path) -> None:
    async with serve(silent) as server:
        program = SERVICE.format(tests=str(Path(__file__).parent), workspace=str(workspace), port=server.port)
        process = await asyncio.to_thread(
            subprocess.Popen, [sys.executable, "-c", program], stdout=subprocess.PIPE, text=True
        )
        assert process.stdout is not None
        pid = int(await asyncio.to_thread(process.stdout.readline))
        family = [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
        assert len(family) == 2

        process.kill()

        left = await asyncio.to_thread(_left_of, family)
        process.wait()
        process.stdout.close()
    assert left == []


async def sleeps(config: Thing, context: wellhead.ValidationContext) -> None:
    async with context.check("one"):
        pass
    time.sleep(60)  # noqa: ASYNC251  # this is what it does wrong


async def test_D_45_a_worker_that_hears_nothing_ends_with_the_process_that_it_was_forked_from(
    files: FileGuard, pool: WorkerPool
) -> None:
    events = make(files, pool, sleeps).start(Thing(name="a"), timeout=60)
    await anext(events)
    workers = _workers_of(pool)

    pool.server()._process.kill()

    assert len(workers) == 1
    assert await asyncio.to_thread(_left_of, workers) == []
    await events.aclose()


async def test_D_45_a_worker_that_nobody_ends_does_so_itself_after_its_deadline(
    files: FileGuard, pool: WorkerPool
) -> None:
    events = make(files, pool, sleeps).start(Thing(name="a"), timeout=1)
    await anext(events)
    workers, parent = _workers_of(pool), psutil.Process(pool.server()._process.pid)

    parent.suspend()
    left = await asyncio.to_thread(_left_of, workers)
    parent.resume()

    assert len(workers) == 1
    assert left == []
    await events.aclose()


def _left_of(processes: list[psutil.Process]) -> list[psutil.Process]:
    """Return those that do not end; one that only waits to be buried, by whoever has inherited it, has ended."""
    end = time.monotonic() + 15
    while (left := [one for one in processes if _runs(one)]) and time.monotonic() < end:
        time.sleep(0.01)
    return left


def _runs(process: psutil.Process) -> bool:
    try:
        return process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


async def test_a_plugin_that_hangs_when_it_is_loaded_is_not_loaded_again(
    files: FileGuard, pool: WorkerPool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "hangs.py").write_text("import time\ntime.sleep(60)\n", encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    one = wellhead.DataSourceType(Thing, well, preload=["hangs"])
    service = service_for(one, files=files, pool=pool)
    await make(files, pool, well).validate(Thing(name="a"))  # the process itself has started
    with monkeypatch.context() as patched:
        patched.setattr("wellhead.validation.parent._START_SECONDS", 2)
        hung = await service.validate(Thing(name="a"))

    others = [await service.validate(Thing(name="a")) for _ in range(4)]  # to load it would take too long

    assert {last(result).code for result in (hung, *others)} == {"plugin_error"}
    assert (await make(files, pool, well).validate(Thing(name="a"))).status == "passed"


@contextlib.contextmanager
def no_descriptor_left() -> Iterator[None]:
    """Let this process open nothing more: what is open takes all that the limit allows."""
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    taken = [os.dup(0) for _ in range(64)]
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(taken) + 1, limits[1]))
    try:
        with contextlib.suppress(OSError):
            while True:
                taken.append(os.dup(0))
        yield
    finally:
        for descriptor in taken:
            os.close(descriptor)
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)


@pytest.mark.skipif(sys.platform != "linux", reason="counts descriptors")
async def test_D_17_without_a_descriptor_one_validation_fails_and_those_that_run_go_on(
    files: FileGuard, pool: WorkerPool
) -> None:
    async with serve(silent) as server:
        running = make(files, pool, reads, timeout=30).start(Thing(name="a", port=server.port))
        await has_begun_to_read(running)
        before = open_descriptors()

        with no_descriptor_left():
            refused = await make(files, pool, well).validate(Thing(name="b"))

        assert last(refused).code == "worker_unavailable"
        assert open_descriptors() == before
    results = [event async for event in running]  # the server is gone
    assert outcomes(results[-1])[-1] == ("read", "failed", "connection_lost")  # type: ignore[arg-type]


@pytest.mark.skipif(sys.platform != "linux", reason="counts descriptors")
async def test_D_17_without_a_descriptor_the_process_for_workers_is_not_started_and_later_it_is(
    files: FileGuard, pool: WorkerPool
) -> None:
    before = open_descriptors()

    with no_descriptor_left():
        refused = await make(files, pool, well).validate(Thing(name="a"))

    assert last(refused).code == "worker_unavailable"
    assert open_descriptors() == before
    assert (await make(files, pool, well).validate(Thing(name="a"))).status == "passed"


async def test_where_no_process_can_be_forked_the_plugin_is_not_blamed(
    files: FileGuard, pool: WorkerPool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = "import os\ndef fork():\n    raise BlockingIOError(11, 'no process left')\nos.fork = fork\n"
    (tmp_path / "forkless.py").write_text(source, encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    service = service_for(wellhead.DataSourceType(Thing, well, preload=["forkless"]), files=files, pool=pool)

    assert last(await service.validate(Thing(name="a"))).code == "worker_unavailable"
    assert pool.server()._gone == {}


async def test_a_service_that_closes_in_the_middle_ends_what_runs_and_starts_nothing_more(
    files: FileGuard, pool: WorkerPool
) -> None:
    async with serve(silent) as server:
        running = make(files, pool, reads, timeout=30).start(Thing(name="a", port=server.port))
        await has_begun_to_read(running)
        beginning = asyncio.create_task(make(files, pool, well).validate(Thing(name="b")))
        await asyncio.sleep(0)

        pool.close()

        results = [event async for event in running]
        assert outcomes(results[-1])[-1] == ("read", "failed", "worker_unavailable")  # type: ignore[arg-type]
        assert last(await beginning).code == "worker_unavailable"
        assert last(await make(files, pool, well).validate(Thing(name="c"))).code == "worker_unavailable"


async def test_a_file_that_nobody_waits_for_any_more_is_closed(
    files: FileGuard, pool: WorkerPool, workspace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (workspace / "a.txt").write_text("hello", encoding="utf-8")
    opening, opened, go_on = threading.Event(), threading.Event(), threading.Event()
    real = files.open_descriptor

    def slow(path: str) -> int:
        opening.set()
        go_on.wait()
        try:
            return real(path)
        finally:
            opened.set()

    monkeypatch.setattr(files, "open_descriptor", slow)
    await make(files, pool, well).validate(Thing(name="a"))
    before, threads = open_descriptors(), set(threading.enumerate())
    events = make(files, pool, opens, timeout=30).start(Thing(name="a", path="a.txt"))
    task = asyncio.create_task(anext(events))  # type: ignore[arg-type]
    await asyncio.to_thread(opening.wait)

    task.cancel()
    await asyncio.wait({task})
    go_on.set()
    await asyncio.to_thread(opened.wait)
    for thread in set(threading.enumerate()) - threads:
        if thread.name == "wellhead-check":
            await asyncio.to_thread(thread.join)
    await asyncio.sleep(0)

    assert open_descriptors() == before


async def test_whenever_a_validation_is_cancelled_nothing_is_left_of_it(files: FileGuard, pool: WorkerPool) -> None:
    async with serve(silent) as server:
        await make(files, pool, reads, timeout=0.5).validate(Thing(name="a", port=server.port))
        await _until(lambda: not _workers_of(pool))  # its process may end a moment after it
        before = (open_descriptors(), len(asyncio.all_tasks()))
        service = make(files, pool, reads, timeout=30)
        for steps in [*range(12), *random.Random(4).sample(range(12, 120), 25)]:  # the same each time
            task = asyncio.create_task(service.validate(Thing(name="a", port=server.port)))
            for _ in range(steps):
                await asyncio.sleep(0.0002 if steps > 12 else 0)
            task.cancel()
            await asyncio.wait({task})

        await _until(lambda: not _workers_of(pool) and (open_descriptors(), len(asyncio.all_tasks())) == before)
        assert not _workers_of(pool)
        assert (open_descriptors(), len(asyncio.all_tasks())) == before
    assert pool.slots.enter().has_place
    assert (await make(files, pool, well, timeout=60).validate(Thing(name="a"))).status == "passed"
    await _until(lambda: not pool.server()._gone)
    assert not pool.server()._gone


async def _until(is_so: Callable[[], bool]) -> None:
    """Wait for something to be so, at most so long that nobody doubts that it never will be."""
    end = time.monotonic() + 15
    while not is_so() and time.monotonic() < end:  # noqa: ASYNC110  # processes and descriptors set no event
        await asyncio.sleep(0.01)


async def test_a_process_for_workers_that_does_not_keep_up_is_not_ended_with_all_that_runs_in_it(
    files: FileGuard, pool: WorkerPool, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with serve(silent) as server:
        running = make(files, pool, reads, timeout=30).start(Thing(name="a", port=server.port))
        await has_begun_to_read(running)
        pid = pool.server()._process.pid
        os.kill(pid, signal.SIGSTOP)
        service = make(files, pool, well)

        full, tell = asyncio.Event(), pool.server().tell

        def watched(*message: Any) -> None:
            try:
                tell(*message)
            except BlockingIOError:
                full.set()
                raise

        monkeypatch.setattr(pool.server(), "tell", watched)
        while not full.is_set():
            task = asyncio.create_task(service.validate(Thing(name="b")))
            await asyncio.wait({task}, timeout=0.001)
            task.cancel()
            await asyncio.wait({task})
        waiting = asyncio.create_task(service.validate(Thing(name="c")))
        await asyncio.wait({waiting}, timeout=0.1)
        os.kill(pid, signal.SIGCONT)

        assert (await waiting).status == "passed"
        assert pool.server()._process.pid == pid
    results = [event async for event in running]  # the server is gone
    assert outcomes(results[-1])[-1] == ("read", "failed", "connection_lost")  # type: ignore[arg-type]


async def test_R_07_hundreds_at_once_go_through_one_worker_after_the_other(files: FileGuard) -> None:
    pool = pool_for(workers=1, waiting=300)
    service = make(files, pool, well)

    results = await asyncio.gather(*(service.validate(Thing(name="a")) for _ in range(200)))
    pool.close()

    assert {result.status for result in results} == {"passed"}
    assert len({result.details["pid"] for result in results}) == 200
