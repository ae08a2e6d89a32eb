"""The faults of a soak. Each is brought about for real, says what proves that it was, and what it excuses."""

from __future__ import annotations

import asyncio
import contextlib
import random
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

import psutil

from support.service import SOURCES
from support.soak.breaking import send_and_leave, send_half_and_leave, send_slowly
from support.soak.caller import User
from support.soak.disks import fill, read_only
from support.soak.firing import LATE, ImpossibleError, NotFiredError, seen
from support.soak.load import Load
from support.soak.model import State
from support.soak.processes import kill
from support.soak.scene import PLAIN, SMALL, Scene, make_user
from support.soak.windows import Excuses
from support.team import command

_SECONDS = 1.0


_NONE = Excuses()


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault.

    Attributes:
        fire: Brings it about and ends it; returns what proves that it was.
        excuses: What it may do to requests.
    """

    fire: Callable[[Scene, Load, random.Random], Awaitable[str]]
    excuses: Excuses = _NONE

    @property
    def name(self) -> str:
        """Its name."""
        return self.fire.__name__


async def killed_worker(scene: Scene, load: Load, rng: random.Random) -> str:
    """Kill the youngest of the processes that answer: the oldest is to show how they grow old."""
    before = scene.processes.workers()
    await asyncio.to_thread(kill, before[-1])
    pids = {process.pid for process in before}
    new = await seen(lambda: [one.pid for one in scene.processes.workers() if one.pid not in pids], "no new worker")
    return f"{before[-1].pid} was killed, {new[0]} came"


async def killed_validation(scene: Scene, load: Load, rng: random.Random) -> str:
    """Kill the process of a validation that hangs."""
    async with _validating(scene, load) as answer:
        process = await _kill_one(scene.processes.validations, rng, "no validation runs")
        return f"{process.pid} was killed: {await answer}"


async def killed_forkserver(scene: Scene, load: Load, rng: random.Random) -> str:
    """Kill the process that validations are forked from."""
    async with _validating(scene, load) as answer:
        process = await _kill_one(scene.processes.parents, rng, "no process to fork from")
        return f"{process.pid} was killed: {await answer}"


async def stopped_worker(scene: Scene, load: Load, rng: random.Random) -> str:
    """Stop a process that answers for a moment."""
    process = rng.choice(scene.processes.workers())
    process.send_signal(signal.SIGSTOP)
    try:
        await seen(lambda: process.status() == psutil.STATUS_STOPPED, "the worker does not stop")
        await asyncio.sleep(_SECONDS * 1.5)
    finally:
        process.send_signal(signal.SIGCONT)
    await seen(lambda: process.status() != psutil.STATUS_STOPPED, "the worker does not go on")
    return f"{process.pid} stood still"


async def read_only_store(scene: Scene, load: Load, rng: random.Random) -> str:
    """Let nothing be made in the directory of a store."""
    store = scene.directory(PLAIN) / ".datasources"
    with read_only(store):
        code = await _refused(load, PLAIN, {"store_read_only"})
        await asyncio.sleep(_SECONDS)
    return code


async def moved_store(scene: Scene, load: Load, rng: random.Random) -> str:
    """Move the directory of a store away, and back."""
    store, away = scene.directory(PLAIN) / ".datasources", scene.directory(PLAIN) / ".away"
    for _ in range(8):  # each process that answers has the store open: one that has not cannot know that it was there
        await load.caller.ask(load.users[PLAIN, "editor"], "GET", SOURCES, expect={200}, fresh=True)
    store.rename(away)
    try:
        code = await _refused(load, PLAIN, {"store_unavailable"})
        await asyncio.sleep(_SECONDS)
    finally:
        if store.exists():
            load.caller.report.broke("a store is not made anew", f"{PLAIN} has another one")
            store.rename(scene.directory(PLAIN) / f".stray-{time.monotonic_ns()}")
        away.rename(store)
    return code


async def torn_record(scene: Scene, load: Load, rng: random.Random) -> str:
    """Cut a record's file short; mend it."""
    source = await load.make(scene.workspaces[PLAIN], "file")
    if source is None:
        raise NotFiredError("nothing was made to be torn")
    async with source.writing:
        source.is_meddled_with = True
        path = scene.directory(PLAIN) / ".datasources" / f"{source.id}.json"
        content, user, one = path.read_bytes(), load.users[PLAIN, "editor"], f"{SOURCES}/{source.id}"
        path.write_bytes(content[: rng.randrange(1, len(content) - 2)])
        torn = await load.caller.ask(user, "GET", one, expect={409})
        listed = await load.caller.ask(user, "GET", f"{SOURCES}?limit=200", expect={200})
        path.write_bytes(content)
        mended = await load.caller.ask(user, "GET", one, expect={200})
    if torn.code != "record_corrupt" or listed.status != 200 or mended.json()["description"] != source.latest.text:
        raise NotFiredError(f"torn: {torn.status} {torn.code}, listed: {listed.status}, mended: {mended.status}")
    return torn.code


async def full_disk(scene: Scene, load: Load, rng: random.Random) -> str:
    """Fill the small disk."""
    if not scene.has_small_disk:
        raise ImpossibleError("this user may not mount a file system")
    ballast = scene.directory(SMALL) / "ballast"
    filling = asyncio.create_task(fill(ballast))
    try:
        code = await _refused(load, SMALL, {"insufficient_storage"})
        await asyncio.sleep(_SECONDS)
    finally:
        filling.cancel()
        await asyncio.gather(filling, return_exceptions=True)
        ballast.unlink()
    return code


async def revoked_token(scene: Scene, load: Load, rng: random.Random) -> str:
    """Revoke a token: two seconds later it is good for nothing."""
    user = await asyncio.to_thread(make_user, scene.team, scene.hidden, PLAIN, "viewer")
    await load.caller.ask(user, "GET", SOURCES, expect={200})
    arguments = ("token", "revoke", user.token.split("_")[1], "--root", str(scene.team.root))
    await asyncio.to_thread(command, scene.team.config, *arguments)
    await asyncio.sleep(2.0)
    answers = [await load.caller.ask(user, "GET", SOURCES, expect={401}, fresh=True) for _ in range(4)]
    if {answer.status for answer in answers} - {0} != {401}:
        raise NotFiredError("the token is good still")
    return "it was refused after two seconds"


async def reloaded_plugins(scene: Scene, load: Load, rng: random.Random) -> str:
    """Let all processes look for plugins."""
    admin = load.users[PLAIN, "admin"]
    answer = await load.caller.ask(admin, "POST", "/api/v1/plugins/reload", expect={200})
    if answer.status != 200:
        raise NotFiredError(f"{answer.status} {answer.code}")
    return f"{len(answer.json()['items'])} types were found"


async def left_clients(scene: Scene, load: Load, rng: random.Random) -> str:
    """Leave in the middle of requests, and after a change was asked for: it may be made or not."""
    workspace = scene.workspaces[PLAIN]
    user = load.users[PLAIN, "editor"]
    for _ in range(5):
        await send_half_and_leave(load.caller, user)
    left = 0
    for _ in range(3):
        source = load.any_source(workspace)
        if source is None or source.writing.locked():
            continue
        async with source.writing:
            wanted = State(source.latest.revision + 1, load.text())
            source.maybe.add(wanted)
            await send_and_leave(load.caller, user, source, wanted)
            left += 1
    return f"five left in the middle of a request, {left} before the answer"


async def slow_body(scene: Scene, load: Load, rng: random.Random) -> str:
    """Send a body that does not come to its end."""
    status = await asyncio.wait_for(send_slowly(load.caller, load.users[PLAIN, "editor"]), LATE)
    if status != 408:
        raise NotFiredError(f"a slow body was answered with {status}")
    return "it was cut off with 408"


FAULTS = (
    Fault(killed_worker, Excuses({503: frozenset({"reload_unfinished"})}, breaks=True)),
    Fault(killed_validation, Excuses(spoils=True)),
    Fault(killed_forkserver, Excuses(spoils=True)),
    Fault(stopped_worker, Excuses({503: frozenset({"store_busy"})})),
    Fault(read_only_store, Excuses({503: frozenset({"store_read_only"})}, PLAIN)),
    Fault(moved_store, Excuses({503: frozenset({"store_unavailable"})}, PLAIN)),
    Fault(torn_record),
    Fault(full_disk, Excuses({507: frozenset({"insufficient_storage"})}, SMALL)),
    Fault(revoked_token),
    Fault(reloaded_plugins),
    Fault(left_clients),
    Fault(slow_body),
)


@asynccontextmanager
async def _validating(scene: Scene, load: Load) -> AsyncIterator[asyncio.Task[str]]:
    """Validate against a server that is silent, meanwhile; what is waited for is the verdict."""
    user: User = load.users[PLAIN, "editor"]
    document = scene.targets.document("silent", load.text(), "hangs")

    async def validate() -> str:
        path = f"{SOURCES}/validate?timeout=3"
        answer = await load.caller.ask(user, "POST", path, expect={200}, json=document)
        return str(answer.json()["status"]) if answer.status == 200 else f"{answer.status} {answer.code}"

    task = asyncio.create_task(validate())
    try:
        yield task
    finally:
        await asyncio.gather(task, return_exceptions=True)


async def _kill_one(find: Callable[[], list[psutil.Process]], rng: random.Random, complaint: str) -> psutil.Process:
    """Kill one of some processes, and return it; one that ends by itself before that does not count."""
    while True:
        process = rng.choice(await seen(find, complaint))
        with contextlib.suppress(psutil.NoSuchProcess):
            await asyncio.to_thread(kill, process)
            return process


async def _refused(load: Load, workspace: str, codes: set[str]) -> str:
    """Make data sources until one is refused for the reason that the fault gives."""
    end = time.monotonic() + LATE
    while time.monotonic() < end:
        answer = await load.try_making(load.workspaces[workspace], "file")
        if answer.code in codes:
            return answer.code
    raise NotFiredError(f"nothing was refused for {codes}")
