"""Validating many data sources at once: those of one type share workers, so that a thousand take seconds.

A shared worker has up to sixteen validations at a time. If one of them blocks it, the worker is killed; what had not
reached out by then runs again, each in a worker of its own. What had is not repeated: a login that fails twice may
lock an account.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Self

from wellhead.errors import TypeRefusedError
from wellhead.guard.files import FileGuard
from wellhead.model.clear import in_clear
from wellhead.model.result import ValidationResult
from wellhead.model.source import DataSourceConfig
from wellhead.secrets.references import References
from wellhead.validation.handle import WorkerFailedError, WorkerHandle
from wellhead.validation.pool import WorkerPool
from wellhead.validation.run import KnownType, Run
from wellhead.validation.slots import Ticket
from wellhead.validation.unlocking import Unlock, unlock_secrets

AT_ONCE = 16
"""Validations that share a worker at a time."""
MAX_SILENCE = 1.0
"""Seconds after which a worker whose event loop says nothing is killed."""
_LOOK_SECONDS = 0.2
_LIFE_SECONDS = 600.0
"""Seconds that a shared worker may compute; each validation in it has its own deadline."""
_LANES = "lanes"


@dataclass(frozen=True, slots=True)
class Job:
    """One data source to validate.

    Attributes:
        key: What tells it from the others.
        config: The data source.
        unlock: Returns it with its stored secrets in clear.
        keep: Is given the result, before that is passed on.
    """

    key: Any
    config: DataSourceConfig
    unlock: Unlock
    keep: Callable[[ValidationResult], Awaitable[None]]


Outcome = tuple[Job, ValidationResult]


class Batch:
    """The validation of many data sources: an asynchronous iterator of pairs of a job and its result."""

    def __init__(
        self,
        jobs: Iterable[Job],
        *,
        pool: WorkerPool,
        files: FileGuard,
        describe: Callable[[str], KnownType],
        locate: Callable[[str], Mapping[str, Any]],
        references: References,
        seconds: float,
        defect: Callable[[str], Callable[[list[str]], None]],
    ) -> None:
        self._pool = pool
        self._files = files
        self._describe = describe
        self._locate = locate
        self._references = references
        self._seconds = seconds
        self._defect = defect
        self._waiting: dict[str, deque[Job]] = {}
        self._alone: deque[Job] = deque()
        self._left = 0
        for job in jobs:
            self._waiting.setdefault(job.config.type, deque()).append(job)
            self._left += 1
        self._outcomes: asyncio.Queue[Outcome] = asyncio.Queue()
        self._groups = ((_LANES, max(1, pool.workers // 2)),)
        self._lanes: set[asyncio.Task[None]] = set()
        self._add_lane(pool.slots.enter(self._groups))

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Outcome:
        """Return the next job that is done, and its result."""
        if self._left == 0:
            await self.aclose()
            raise StopAsyncIteration
        outcome = await self._outcomes.get()
        self._left -= 1
        return outcome

    async def aclose(self) -> None:
        """End what still runs."""
        for lane in self._lanes:
            lane.cancel()
        if self._lanes:
            await asyncio.wait(self._lanes)

    def _add_lane(self, ticket: Ticket) -> None:
        lane = asyncio.create_task(self._drive(ticket))
        self._lanes.add(lane)
        lane.add_done_callback(self._lanes.discard)

    def _add_lanes(self) -> None:
        """Take more workers, as long as there is enough to do for them and places are free."""
        wanted = sum(-(-len(jobs) // AT_ONCE) for jobs in self._waiting.values()) + len(self._alone)
        while wanted > 0 and (ticket := self._pool.slots.enter_at_once(self._groups)) is not None:
            self._add_lane(ticket)
            wanted -= 1

    async def _drive(self, ticket: Ticket) -> None:
        """Use one place for workers, one after the other, until nothing is left."""
        try:
            await ticket.turn()
            while self._alone or any(self._waiting.values()):
                if self._alone:
                    job = self._alone.popleft()
                    await self._serve(job.config.type, deque([job]), is_alone=True)
                else:
                    name = max(self._waiting, key=lambda name: len(self._waiting[name]))
                    await self._serve(name, self._waiting[name], is_alone=False)
        finally:
            ticket.leave()

    async def _serve(self, type_name: str, jobs: deque[Job], *, is_alone: bool) -> None:
        """Validate data sources of one type in one worker, until none is left or the worker is not to be used on."""
        known = self._describe(type_name)
        worker, code = await self._start(known)
        if worker is None:
            while jobs:
                await self._refuse(known, jobs.popleft(), code)
            return
        shared = _Shared(worker, is_watched=not is_alone)
        running: set[asyncio.Task[None]] = set()
        try:
            self._add_lanes()
            while True:
                while jobs and len(running) < AT_ONCE and shared.is_usable:
                    running.add(asyncio.create_task(self._validate(known, jobs.popleft(), shared, is_alone=is_alone)))
                if not running:
                    return
                _, running = await asyncio.wait(running, timeout=_LOOK_SECONDS, return_when=asyncio.FIRST_COMPLETED)
                shared.look()
        finally:
            for task in running:
                task.cancel()
            worker.close()
            await worker.gone()

    async def _start(self, known: KnownType) -> tuple[WorkerHandle | None, str | None]:
        """Start a worker; where there can be none, say with which code the validations end."""
        if known.validator is None:
            return None, None
        try:
            return await self._pool.start(self._locate(known.name), self._files, seconds=_LIFE_SECONDS), None
        except TypeRefusedError:
            return None, "plugin_error"
        except WorkerFailedError as error:
            return None, "plugin_error" if error.is_plugins_fault else "worker_unavailable"

    async def _validate(self, known: KnownType, job: Job, shared: _Shared, *, is_alone: bool) -> None:
        """Run one validation in a shared worker."""
        run = Run(known, job.config, defect=self._defect(known.name))
        runs_again = False
        try:
            async with asyncio.timeout(self._seconds):
                if await unlock_secrets(run, job.unlock, self._references):
                    shared.worker.give(run, in_clear(run.config), seconds=self._seconds)
                    await run.ended.wait()
                else:
                    run.end()
            runs_again = not (run.is_over or run.has_dialled or is_alone)
            run.fail(shared.why_lost)
        except TimeoutError:
            run.expire()
            shared.is_usable = False  # whatever held it up may go on in there
        finally:
            run.fail("worker_unavailable")  # which only counts where a defect of core came before
            if runs_again:
                self._alone.append(job)
                self._add_lanes()
            else:
                await self._finish(job, run)

    async def _refuse(self, known: KnownType, job: Job, code: str | None) -> None:
        """End a validation that cannot be run."""
        run = Run(known, job.config, defect=self._defect(known.name))
        if code is None:
            run.refuse()
        else:
            run.fail(code)
        await self._finish(job, run)

    async def _finish(self, job: Job, run: Run) -> None:
        result = run.result()
        try:
            await job.keep(result)
        finally:
            self._outcomes.put_nowait((job, result))


class _Shared:
    """A worker that validations share."""

    def __init__(self, worker: WorkerHandle, *, is_watched: bool) -> None:
        self.worker = worker
        self._is_watched = is_watched
        self.is_usable = True
        self.was_blocked = False

    @property
    def why_lost(self) -> str:
        """The code for what was lost with the worker."""
        if self.was_blocked:
            return "plugin_blocked"
        return "plugin_crashed" if self.worker.was_left_alone else "worker_unavailable"

    def look(self) -> None:
        """Kill the worker if its event loop is held up."""
        if self._is_watched and self.worker.is_alive and self.worker.silence > MAX_SILENCE:
            self.was_blocked = True
            self.worker.close()
        self.is_usable = self.is_usable and self.worker.is_alive
