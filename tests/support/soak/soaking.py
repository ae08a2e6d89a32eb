"""The soak itself: load, faults and samples at once, then the last look at everything."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from support.soak.caller import Caller
from support.soak.faults import FAULTS, Fault
from support.soak.firing import ImpossibleError, NotFiredError
from support.soak.journal import Journal
from support.soak.load import Load
from support.soak.report import Report
from support.soak.sampling import Sampler
from support.soak.scene import Scene, running_scene
from support.soak.windows import SETTLING, Windows

_AT_ONCE = 100
_FIRST = 3.0
"""Seconds of load without a fault."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What a soak does.

    Attributes:
        seconds: How long the load lasts; each fault fires at least once, however long that takes.
        rate: Requests of the load per second.
        workers: Processes that answer.
        seed: Decides what is done; not in which order it is answered.
    """

    seconds: float
    rate: float
    workers: int
    seed: int

    @property
    def warm_up(self) -> float:
        """Seconds of a process's life before it is to be level."""
        return min(120.0, self.seconds / 3)


def soak(plan: Plan, home: Path, tell: Callable[[str], None]) -> Report:
    """Run a soak below a directory, and tell how it goes."""
    report = Report()
    with running_scene(home, plan.workers) as scene:
        journal = asyncio.run(_Soak(plan, scene, report, tell).run())
        service = scene.team.service
        service.process.terminate()
        code = service.process.wait(60)
        if code != 0:
            report.broke("the service ends in order", f"exit code {code}")
        journal.compare(scene.team.root / ".audit", scene.asked, report)
        _look_at_files(scene, report)
    return report


class _Soak:
    """One run."""

    def __init__(self, plan: Plan, scene: Scene, report: Report, tell: Callable[[str], None]) -> None:
        self._plan, self._scene, self._report, self._tell = plan, scene, report, tell
        self._windows = Windows()
        self._rng = random.Random(plan.seed)
        self._journal = Journal()
        self._sampler = Sampler(scene.processes)
        self._began = time.monotonic()

    async def run(self) -> Journal:
        """Run it to its end; return the writes that were answered."""
        scene = self._scene
        caller = Caller(scene.team.service.url, self._report, self._windows, scene.hidden, scene.asked)
        rng = random.Random(self._plan.seed + 1)
        load = Load(caller, scene.users, scene.workspaces, scene.targets, self._journal, rng)
        helpers = [asyncio.create_task(work) for work in (self._sampler.run(), self._progress())]
        await load.warm_up()
        self._sampler.is_warm()
        faults = asyncio.create_task(self._faults(load))
        try:
            await self._drive(load, faults)
            await faults
            await asyncio.sleep(SETTLING)
            await self._last_look(load)
        finally:
            for task in (faults, *helpers):
                task.cancel()
            await asyncio.gather(faults, *helpers, return_exceptions=True)
            await caller.close()
        self._judge_slopes()
        return self._journal

    async def _drive(self, load: Load, faults: asyncio.Task[None]) -> None:
        """Start actions at their rate, whether or not those before have ended; a few at once at most."""
        running: set[asyncio.Task[None]] = set()
        due = self._began = time.monotonic()
        while time.monotonic() < self._began + self._plan.seconds or not faults.done():
            if len(running) < _AT_ONCE:
                task = asyncio.create_task(load.act())
                running.add(task)
                task.add_done_callback(running.discard)
                task.add_done_callback(self._acted)
            due = max(due + self._rng.expovariate(self._plan.rate), time.monotonic() - 1.0)
            await asyncio.sleep(max(0.0, due - time.monotonic()))
        await asyncio.gather(*running, return_exceptions=True)

    def _acted(self, task: asyncio.Task[None]) -> None:
        if not task.cancelled() and (error := task.exception()) is not None:
            self._report.broke("answers can be read", f"{type(error).__name__}: {error}")

    async def _faults(self, load: Load) -> None:
        """Fire the faults in rounds, each time in another order, until the time is over and all have fired."""
        rng = random.Random(self._plan.seed + 2)
        pause = min(8.0, max(0.3, self._plan.seconds / len(FAULTS) - 3.0))
        await asyncio.sleep(_FIRST)
        is_first = True
        while is_first or self._has_time():
            for fault in rng.sample(FAULTS, len(FAULTS)):
                if is_first or self._has_time():
                    await self._fire(fault, load, rng)
                    await asyncio.sleep(rng.uniform(0.5, 1.5) * pause)
            is_first = False

    def _has_time(self) -> bool:
        return time.monotonic() < self._began + self._plan.seconds

    async def _fire(self, fault: Fault, load: Load, rng: random.Random) -> None:
        try:
            with self._windows.opened(fault.excuses):
                proof = await fault.fire(self._scene, load, rng)
        except ImpossibleError as error:
            self._report.skipped[fault.name] = str(error)
        except NotFiredError as error:
            self._report.broke("each fault fires and shows", f"{fault.name}: {error}")
        else:
            self._report.fired[fault.name].append(proof)

    async def _last_look(self, load: Load) -> None:
        """Look at everything, now that no fault is on: what is listed, and each data source by itself."""
        for name, workspace in self._scene.workspaces.items():
            admin = self._scene.users[name, "admin"]
            if not await load.reads.walk(admin, workspace):
                self._report.broke("what was answered is there", f"{name} cannot be listed in the end")
            for source in workspace.sources.values():
                await load.reads.read(admin, source)
        kept = sum(
            source.is_there for workspace in self._scene.workspaces.values() for source in workspace.sources.values()
        )
        self._report.facts["data_sources"] = kept

    async def _progress(self) -> None:
        while True:
            await asyncio.sleep(1)
            report, passed = self._report, time.monotonic() - self._began
            fired = sum(len(proofs) for proofs in report.fired.values())
            self._tell(
                f"{passed:5.0f} s  {len(report.all_ms):7,} requests  {fired:4} faults  "
                f"{sum(report.violations.values()):4} violations"
            )

    def _judge_slopes(self) -> None:
        slopes = self._sampler.slopes(self._plan.warm_up)
        self._report.facts["processes"] = slopes
        if not any(found["process"] == "worker" for found in slopes):
            self._report.broke("processes are level", "no worker lived for long enough to tell")
        for found in slopes:
            for name, growth in found.items():
                if isinstance(growth, dict) and not growth["is_level"]:
                    self._report.broke("processes are level", f"{name} of {found['process']} {found['pid']}: {growth}")


def _look_at_files(scene: Scene, report: Report) -> None:
    """Search all files that the service has written for secrets, and its log for errors that nobody expected."""
    log = scene.team.service.log
    for path in (log, *scene.team.root.rglob("*")):
        with suppress(FileNotFoundError):
            if path.is_file() and scene.hidden.are_in(path.read_bytes()):
                report.broke("no secret is shown", f"the file {path.relative_to(log.parent)}")
    text = log.read_text()
    if "Traceback" in text:
        at = text.index("Traceback")
        report.broke("the log has no traceback", text[max(0, at - 500) : at + 3000])
