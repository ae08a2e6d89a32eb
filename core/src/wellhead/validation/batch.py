"""Validating many data sources at once: those of one type share workers, so that a thousand take seconds.

A shared worker has up to sixteen validations at a time. If one of them blocks it, the worker is killed; what had not
reached out by then runs again, each in a worker of its own. What had is not repeated: a login that fails twice may
lock an account.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Self

from wellhead.errors import TypeRefusedError
from wellhead.guard.files import FileGuard
from wellhead.model.clear import in_clear
from wellhead.model.result import ValidationResult
from wellhead.secrets.references import References
from wellhead.validation.pool import WorkerPool
from wellhead.validation.run import KnownType, Run
from wellhead.validation.shared_worker import AT_ONCE, SharedWorker
from wellhead.validation.slots import Groups, Ticket
from wellhead.validation.unlocking import unlock_secrets
from wellhead.validation.waiting import Job, Waiting
from wellhead.validation.watching import Watchers
from wellhead.validation.worker import Worker, WorkerFailedError

_LOOK_SECONDS = 0.2
_LIFE_SECONDS = 600.0
"""Seconds that a shared worker may compute; each validation in it has its own deadline."""
_LANES = "lanes"


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
        watchers: Watchers,
        groups: Groups = (),
    ) -> None:
        self._pool = pool
        self._files = files
        self._describe = describe
        self._locate = locate
        self._references = references
        self._seconds = seconds
        self._defect = defect
        self._watchers = watchers
        self._waiting = Waiting(jobs)
        self._left = self._waiting.total
        self._changed = asyncio.Event()
        self._outcomes: asyncio.Queue[Outcome | BaseException] = asyncio.Queue()
        self._is_closed = False
        self._groups: Groups = ((_LANES, max(1, pool.workers // 2)), *groups)
        self._lanes: set[asyncio.Task[None]] = set()
        self._arriving: set[asyncio.Task[None] | None] = set()
        """Those of the lanes that have no worker: each will take some of what waits."""
        self._shared: set[SharedWorker] = set()
        self._starting: Counter[str] = Counter()
        """How many workers are being started, by the type that they are for."""
        self._add_lane(pool.slots.enter(self._groups))

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Outcome:
        """Return the next job that is done, and its result."""
        if self._left == 0:
            await self.aclose()
            raise StopAsyncIteration
        outcome = await self._outcomes.get()
        if isinstance(outcome, BaseException):  # a defect of core: what has begun nowhere would be waited for in vain
            await self.aclose()
            raise outcome
        self._left -= 1
        return outcome

    async def aclose(self) -> None:
        """End what still runs; nothing more begins."""
        self._is_closed = True
        for lane in self._lanes:
            lane.cancel()
        if self._lanes:
            await asyncio.wait(self._lanes)

    def _add_lane(self, ticket: Ticket) -> None:
        lane = asyncio.create_task(self._drive(ticket))
        self._lanes.add(lane)
        self._arriving.add(lane)
        lane.add_done_callback(self._end_lane)
        lane.add_done_callback(lambda _: ticket.leave())  # also of one that was cancelled before it began

    def _end_lane(self, lane: asyncio.Task[None]) -> None:
        self._lanes.discard(lane)
        self._arriving.discard(lane)
        if not lane.cancelled() and (defect := lane.exception()) is not None:
            self._outcomes.put_nowait(defect)

    def _let_others_begin(self) -> None:
        """Let what can begin do so in the workers that have room for it, and in more of them, as places are free."""
        wanted = self._waiting.alone
        for name, number in self._ready().items():
            left = number
            for shared in self._shared:
                if left > 0 and shared.room and shared.type_name == name:
                    shared.wake()
                    left -= shared.room
            wanted += max(0, -(-left // AT_ONCE))
        if wanted:
            self._changed.set()
        wanted -= len(self._arriving)
        while (
            wanted > 0 and not self._is_closed and (ticket := self._pool.slots.enter_at_once(self._groups)) is not None
        ):
            self._add_lane(ticket)
            wanted -= 1

    async def _drive(self, ticket: Ticket) -> None:
        """Use one place for workers, one after the other, until nothing is left to begin."""
        await ticket.turn()
        while not self._waiting.is_empty:
            if (job := self._waiting.take_alone()) is not None:
                await self._serve(job.config.type, job)
            elif (name := self._next_type()) is not None:
                await self._serve(name)
            else:  # whatever waits is for destinations that are asked by enough
                self._changed.clear()
                await self._changed.wait()

    def _ready(self) -> dict[str, int]:
        return self._waiting.ready(AT_ONCE * self._pool.workers)

    def _next_type(self) -> str | None:
        """Return the type that is most in need of a worker; None if none can begin."""
        ready = self._ready()
        name = max(ready, key=lambda each: (ready[each] - AT_ONCE * self._starting[each], ready[each]), default=None)
        return name if name is not None and ready[name] else None

    async def _serve(self, type_name: str, only: Job | None = None) -> None:
        """Validate data sources of one type in one worker, until none can begin or the worker is not to be used on."""
        known = self._describe(type_name)
        worker, code = await self._start(known)
        if worker is None:
            while (job := only or self._waiting.take(type_name)) is not None:
                await self._refuse(known, job, code)
                if only is not None:
                    return
            return
        lane = asyncio.current_task()
        self._arriving.discard(lane)
        shared = SharedWorker(worker, type_name, is_alone=only is not None)
        self._shared.add(shared)
        try:
            if only is not None:
                shared.begin(self._validate(known, only, shared))
            while True:
                while shared.room and (job := self._waiting.take(type_name)) is not None:
                    shared.begin(self._validate(known, job, shared))
                self._let_others_begin()
                if not shared.running and not (shared.is_usable and self._waiting.is_held):
                    return
                await shared.woken(_LOOK_SECONDS)
                shared.look()
        finally:
            self._shared.discard(shared)
            self._pool.killed += await shared.end()
            self._arriving.add(lane)

    async def _start(self, known: KnownType) -> tuple[Worker | None, str | None]:
        """Start a worker; where there can be none, say with which code the validations end."""
        if known.validator is None:
            return None, None
        self._starting[known.name] += 1
        try:
            return await self._pool.start(self._locate(known.name), self._files, seconds=_LIFE_SECONDS), None
        except TypeRefusedError:
            return None, "plugin_error"
        except WorkerFailedError as error:
            return None, "plugin_error" if error.is_plugins_fault else "worker_unavailable"
        finally:
            self._starting[known.name] -= 1

    async def _validate(self, known: KnownType, job: Job, shared: SharedWorker) -> None:
        """Run one validation in a shared worker."""
        run = Run(known, job.config, defect=self._defect(known.name))
        runs_again = False
        is_cancelled = False
        try:
            async with asyncio.timeout(self._seconds):
                if await unlock_secrets(run, job.unlock, self._references):
                    shared.worker.give(run, in_clear(run.config), seconds=self._seconds)
                    await run.ended.wait()
                else:
                    run.end()
            runs_again = not (run.is_over or run.has_dialled or shared.is_alone)
            run.fail(shared.why_lost)
        except TimeoutError:
            run.expire()
            shared.is_overdue = True
            shared.is_usable = False  # whatever held it up may go on in there
        except asyncio.CancelledError:  # nobody waits for it: how it would have ended is not known, and not to be kept
            is_cancelled = True
            raise
        finally:
            run.fail("worker_unavailable")  # which only counts where a defect of core came before
            if is_cancelled:
                self._waiting.finish(job)
            elif runs_again:
                self._waiting.put_back(job)
                self._waiting.finish(job)
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
        self._watchers.ended(run)
        try:
            await job.keep(result)
        finally:
            self._waiting.finish(job)
            self._outcomes.put_nowait((job, result))
