"""Many validations at once: they share workers, and one that misbehaves does not cost the others their results."""

from __future__ import annotations

import asyncio
import os
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import pytest

import wellhead
from support.probe import open_descriptors
from support.rogue import serve, silent
from support.validating import pool_for, service_for
from wellhead.errors import ValidationBusyError
from wellhead.guard.files import FileGuard
from wellhead.model.result import ValidationResult
from wellhead.model.secret import Secret
from wellhead.validation import shared_worker
from wellhead.validation.pool import WorkerPool
from wellhead.validation.service import DataSourceValidationService
from wellhead.validation.shared_worker import AT_ONCE
from wellhead.validation.unlocking import already
from wellhead.validation.waiting import AT_ONCE_TO_ONE, Job, Waiting

pytestmark = pytest.mark.anyio


class Thing(wellhead.DataSourceConfig):
    """A type for tests."""

    type: Literal["thing"] = "thing"
    host: str = "127.0.0.1"
    port: int = 1
    mood: str = "well"
    password: wellhead.Secret | None = None


class Other(Thing):
    """Another type."""

    type: Literal["other"] = "other"  # type: ignore[assignment]


class Moody(wellhead.Validator[Thing]):
    """Behaves as its data source says."""

    steps = ("one", "two")

    async def validate(self, config: Thing, context: wellhead.ValidationContext) -> None:
        async with context.check("one"):
            context.detail("pid", os.getpid())
        if config.mood in {"dials first", "reads"}:
            stream = await context.connect(config.host, config.port)
        async with context.check("two"):
            match config.mood:
                case "blocks" | "dials first":
                    time.sleep(60)  # noqa: ASYNC251  # this is what it does wrong
                case "crashes":
                    os._exit(1)
                case "reads":
                    await stream.read(1)
                case "fails":
                    raise wellhead.CheckFailedError("auth_failed")
                case "rests":
                    await asyncio.sleep(0.2)
                case "rests in turn":
                    await asyncio.sleep(0.03 * int(config.name.rpartition(" ")[2]))


def blocking(config: Thing, context: wellhead.ValidationContext) -> None:
    with context.check("one"):
        context.detail("threads", threading.active_count())
        time.sleep(0.2)


@pytest.fixture
def files(workspace: Path) -> Iterator[FileGuard]:
    """Opens files of the workspace."""
    made = FileGuard(workspace)
    yield made
    made.close()


def make(files: FileGuard, validator: Any = Moody, **keywords: Any) -> DataSourceValidationService:
    types = [wellhead.DataSourceType(model, validator) for model in (Thing, Other)]
    return service_for(*types, files=files, **keywords)


async def nobody(_result: ValidationResult) -> None:
    """Keep nothing."""


def jobs(*moods: str, model: type[Thing] = Thing, **fields: Any) -> list[Job]:
    made = [model(name=f"{mood} {number}", mood=mood, **fields) for number, mood in enumerate(moods)]
    return [Job(config.name, config, already(config), nobody) for config in made]


async def results_of(
    service: DataSourceValidationService, given: list[Job], **keywords: Any
) -> dict[str, ValidationResult]:
    return {job.key: result async for job, result in service.start_many(given, **keywords)}


async def test_those_of_one_type_share_processes(files: FileGuard, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shared_worker, "MAX_SILENCE", 60.0)
    pool = pool_for()

    results = await results_of(make(files, pool=pool), jobs(*["well"] * 40))

    pool.close()
    assert pool.started <= 3
    assert len(results) == 40
    assert {result.status for result in results.values()} == {"passed"}
    assert len({result.details["pid"] for result in results.values()}) <= 3


async def test_a_place_that_is_free_again_asks_for_no_process(
    files: FileGuard, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shared_worker, "MAX_SILENCE", 60.0)
    pool = pool_for()

    results = await results_of(make(files, pool=pool), jobs(*["rests in turn"] * (AT_ONCE_TO_ONE + 8)))

    pool.close()
    assert pool.started == AT_ONCE_TO_ONE / AT_ONCE
    assert {result.status for result in results.values()} == {"passed"}


async def test_a_process_that_waits_for_a_destination_is_kept(
    files: FileGuard, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shared_worker, "MAX_SILENCE", 60.0)
    pool = pool_for()
    busy = jobs(*["rests in turn"] * AT_ONCE_TO_ONE)
    held = jobs("well", model=Other, port=2) + jobs(*["rests"] * 8, model=Other)

    results = await results_of(make(files, pool=pool), busy + held)

    pool.close()
    assert pool.started == AT_ONCE_TO_ONE / AT_ONCE + 1
    assert {result.status for result in results.values()} == {"passed"}


def test_what_waits_for_its_destination_asks_for_no_process() -> None:
    waiting = Waiting(jobs(*["well"] * (AT_ONCE_TO_ONE + 8)))
    begun = [waiting.take(Thing.model_fields["type"].default) for _ in range(AT_ONCE_TO_ONE)]
    assert (waiting.ready(1000), waiting.is_held) == ({"thing": 0}, True)
    assert begun[0] is not None
    waiting.finish(begun[0])
    assert (waiting.ready(1000), waiting.is_held) == ({"thing": 1}, False)


async def test_types_do_not_share_a_process(files: FileGuard) -> None:
    both = jobs(*["well"] * 20) + jobs(*["fails"] * 20, model=Other)

    results = await results_of(make(files), both)

    pids = {(name.split()[0], result.details["pid"]) for name, result in results.items()}
    assert Counter(pid for _, pid in pids).most_common(1)[0][1] == 1


async def test_one_that_blocks_the_process_is_cut_off_and_the_others_run_again_alone(files: FileGuard) -> None:
    results = await results_of(make(files), jobs("blocks", *["rests"] * (AT_ONCE - 1)), timeout=3)

    assert Counter(result.status for result in results.values()) == {"passed": AT_ONCE - 1, "timeout": 1}
    assert results["blocks 0"].checks[-1].code == "deadline"  # alone, it is told what it does by itself
    assert len({result.details["pid"] for result in results.values()}) == AT_ONCE


async def test_what_had_dialled_when_the_process_was_cut_off_is_not_repeated(files: FileGuard) -> None:
    async with serve(silent) as server:
        both = jobs("dials first", port=server.port) + jobs("rests")
        results = await results_of(make(files), both, timeout=5)

        assert server.connections == 1
    assert [check.code for check in results["dials first 0"].errors] == ["plugin_blocked"]
    assert results["rests 0"].status == "passed"


async def test_one_that_crashes_the_process_takes_no_other_with_it(files: FileGuard) -> None:
    results = await results_of(make(files), jobs("crashes", *["rests"] * 5))

    assert Counter(result.status for result in results.values()) == {"passed": 5, "error": 1}
    assert [check.code for check in results["crashes 0"].errors] == ["plugin_crashed"]


async def test_those_that_do_not_answer_hold_nobody_up(files: FileGuard) -> None:
    pool = pool_for(workers=2)
    async with serve(silent) as server:
        mixed = [one for slow in jobs(*["reads"] * 10, port=server.port) for one in (slow, *jobs(*["well"] * 9))]
        batch = make(files, pool=pool).start_many(mixed, timeout=60)
        first = [await anext(batch) for _ in range(90)]
    rest = [outcome async for outcome in batch]  # the server is gone
    pool.close()

    assert {(job.config.mood, result.status) for job, result in first} == {("well", "passed")}
    assert [(job.config.mood, result.status) for job, result in rest] == [("reads", "failed")] * 10


async def test_plain_functions_share_processes_too(files: FileGuard) -> None:
    results = await results_of(make(files, blocking), jobs(*["well"] * 20))

    assert {result.status for result in results.values()} == {"passed"}
    assert max(result.details["threads"] for result in results.values()) > 1


async def test_a_type_without_a_validator_says_so_for_each(files: FileGuard) -> None:
    results = await results_of(make(files, None), jobs("well", "well"))

    assert [result.status for result in results.values()] == ["not_supported"] * 2


async def test_secrets_that_do_not_open_fail_where_they_are(files: FileGuard) -> None:
    sealed = Thing(name="sealed", password=Secret.from_reference("env:PG_MISSING"))

    results = await results_of(make(files), [*jobs("well"), Job("sealed", sealed, already(sealed), nobody)])

    assert [check.code for check in results["sealed"].errors] == ["secret_unavailable"]
    assert results["well 0"].status == "passed"


async def test_each_result_is_kept_before_it_is_passed_on(files: FileGuard) -> None:
    kept: list[str] = []
    config = Thing(name="a")

    async def keep(result: ValidationResult) -> None:
        kept.append(result.status)

    async for _ in make(files).start_many([Job("a", config, already(config), keep)]):
        assert kept == ["passed"]


async def test_nothing_to_do_is_done_at_once(files: FileGuard) -> None:
    assert await results_of(make(files), []) == {}


async def test_who_stops_listening_ends_all_of_them(files: FileGuard) -> None:
    async with serve(silent) as server:
        batch = make(files).start_many(jobs("well", *["dials first"] * 3, port=server.port), timeout=60)
        await anext(batch)
        while not server.connections:  # noqa: ASYNC110  # it runs in another thread
            await asyncio.sleep(0.01)

        await batch.aclose()

        assert await asyncio.to_thread(server.left.wait, 15)


async def test_R_07_a_batch_leaves_places_for_others_and_waits_for_its_own(files: FileGuard) -> None:
    pool = pool_for(workers=2, waiting=0)
    service = make(files, pool=pool)
    batch = service.start_many(jobs(*["rests"] * 60))

    single = await service.validate(Thing(name="a"))
    with pytest.raises(ValidationBusyError):
        service.start_many(jobs("well"))

    assert single.status == "passed"
    assert len([outcome async for outcome in batch]) == 60
    pool.close()


def test_a_pool_of_one_can_do_it_too(files: FileGuard) -> None:
    pool: WorkerPool = pool_for(workers=1)

    results = asyncio.run(results_of(make(files, pool=pool), jobs(*["well"] * 20)))

    assert len(results) == 20
    pool.close()


class Counting:
    """A server that counts how many are with it at once, and keeps them until as many are there as may be."""

    def __init__(self) -> None:
        self.now = 0
        self.most = 0
        self.enough = asyncio.Event()

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.now += 1
        self.most = max(self.most, self.now)
        if self.now == AT_ONCE_TO_ONE:
            await asyncio.sleep(0.2)  # time for those to come who should not
            self.enough.set()
        await self.enough.wait()
        self.now -= 1


class Visits(wellhead.Validator[Thing]):
    """Stays with the server until that has enough."""

    async def validate(self, config: Thing, context: wellhead.ValidationContext) -> None:
        stream = await context.connect(config.host, config.port)
        async with context.check("read"):
            await stream.read(1)


async def test_a_server_is_asked_by_so_many_at_once_and_no_more(files: FileGuard) -> None:
    counting = Counting()
    pool = pool_for(workers=16)
    async with serve(counting) as server:
        results = await results_of(make(files, Visits, pool=pool), jobs(*["well"] * 150, port=server.port), timeout=60)
    pool.close()

    assert {result.checks[-1].code for result in results.values()} == {"connection_lost"}
    assert counting.most == AT_ONCE_TO_ONE


async def test_who_stops_listening_has_nothing_begun_and_nothing_kept_any_more(files: FileGuard) -> None:
    kept: list[str] = []

    async def keep(result: ValidationResult) -> None:
        kept.append(result.status)

    pool = pool_for(workers=2)
    given = [Job(job.key, job.config, job.unlock, keep) for job in jobs(*["rests"] * 200)]
    batch = make(files, pool=pool).start_many(given, timeout=60)
    tasks = asyncio.all_tasks()
    await anext(batch)

    await batch.aclose()

    told = len(kept)
    assert asyncio.all_tasks() <= tasks
    assert pool.slots.enter_at_once() is not None
    await asyncio.sleep(0.5)  # more than one of them takes
    assert kept == ["passed"] * told
    pool.close()


async def test_a_defect_of_core_ends_a_batch_and_is_not_waited_out(
    files: FileGuard, monkeypatch: pytest.MonkeyPatch
) -> None:
    service = make(files)
    batch = service.start_many(jobs(*["well"] * 3))
    monkeypatch.setattr(batch, "_describe", {}.__getitem__)

    with pytest.raises(KeyError):
        await anext(batch)


async def test_whenever_a_batch_is_closed_nothing_is_left_of_it(files: FileGuard) -> None:
    pool = pool_for(workers=4)
    service = make(files, pool=pool)
    await results_of(service, jobs("well"))
    before, tasks = open_descriptors(), asyncio.all_tasks()

    for steps in [*range(8), 10, 20, 40, 80, 160, 320]:
        batch = service.start_many(jobs(*["rests"] * 60, *["fails"] * 20), timeout=30)
        for _ in range(steps):
            await asyncio.sleep(0.001 if steps > 8 else 0)
        await batch.aclose()
        assert asyncio.all_tasks() <= tasks

    assert [pool.slots.enter().has_place for _ in range(4)] == [True] * 4
    async with asyncio.timeout(15):
        while open_descriptors() != before:  # noqa: ASYNC110  # transports close their sockets later
            await asyncio.sleep(0)
    pool.close()
