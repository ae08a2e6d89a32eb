"""The process that workers are forked from, as the service sees it."""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import socket
import subprocess
import sys
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from typing import Any, Self

from wellhead.guard.confinement import KEPT_VARIABLES
from wellhead.guard.files import FileGuard
from wellhead.validation import wire
from wellhead.validation.wire import Lines, Message, WireError
from wellhead.validation.worker import PluginHungError, Worker, WorkerFailedError

_PROGRAM = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[2]); "
    "from wellhead.forkserver import main; main(int(sys.argv[1]))"
)
_LOADER_VARIABLES = ("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH")
_START_SECONDS = 20.0
_ROOM_SECONDS = 0.05
_GONE_SECONDS = 2.0


class WorkerParent:
    """The process that workers are forked from."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, process: subprocess.Popen[bytes], control: socket.socket
    ) -> None:
        self.loop = loop
        self.is_alive = True
        self._process = process
        self._control = control
        self._lines = Lines(wire.MAX_LINE)
        self._numbers = itertools.count(1)
        self._forks: dict[int, asyncio.Future[None]] = {}
        self._gone: dict[int, asyncio.Event] = {}
        self._loading: int | None = None
        loop.add_reader(control, self._listen)

    def move_to(self, loop: asyncio.AbstractEventLoop) -> None:
        """Be heard on another event loop; whoever waited on the one before has gone with it."""
        if not self.loop.is_closed():
            self.loop.remove_reader(self._control)
        self._forks.clear()
        self._gone.clear()
        self.loop = loop
        loop.add_reader(self._control, self._listen)

    @classmethod
    def start(cls, rules: Message) -> Self:
        """Start the process.

        Args:
            rules: What holds for its workers, as `wellhead.forkserver` reads it.

        Raises:
            OSError: It could not be started.
        """
        process, control = _launch()  # some milliseconds, in which no cancellation can lose it
        started = cls(asyncio.get_running_loop(), process, control)
        started.tell({"rules": rules})
        return started

    def tell(self, message: Message, descriptors: list[int] | None = None) -> None:
        """Send a message.

        Raises:
            OSError: The process is gone, or does not listen.
        """
        wire.send(self._control, message, descriptors or [])

    async def fork(self, origin: Mapping[str, Any], seconds: float, files: FileGuard) -> Worker:
        """Let it fork a worker.

        Args:
            origin: Where the type comes from.
            seconds: How long the worker may live and compute.
            files: Opens files for it.

        Raises:
            OSError: It is gone.
            PluginHungError: The type's plugin did not come back while it was loaded.
            WorkerFailedError: The plugin could not be loaded, the process does not answer, or a process or a descriptor
                is lacking.
        """
        number = next(self._numbers)
        with ExitStack() as ours:
            channel, opening = await self._ask(number, {"type": dict(origin), "seconds": seconds}, ours)
            worker = await Worker.connect(self, number, channel, opening, files)
            ours.pop_all()  # they are the worker's now
            return worker

    async def _ask(self, number: int, message: Message, ours: ExitStack) -> tuple[socket.socket, socket.socket]:
        """Ask for a worker, and return the two sockets to it, which are closed with a stack."""
        forked = self._forks[number] = self.loop.create_future()
        try:
            async with asyncio.timeout(_START_SECONDS):
                with ExitStack() as theirs:
                    channel, opening = (_pair(ours, theirs) for _ in range(2))
                    await self._tell_in_turn({"fork": number, **message}, [channel[1].fileno(), opening[1].fileno()])
                self._gone[number] = asyncio.Event()
                await forked
            return channel[0], opening[0]
        except TimeoutError:
            raise self._hung(number) from None
        finally:
            self._forks.pop(number, None)

    async def _tell_in_turn(self, message: Message, descriptors: list[int]) -> None:
        """Send a message, when there is room for it: while a plugin is loaded nothing is read, which is no defect."""
        while True:
            try:
                return self.tell(message, descriptors)
            except BlockingIOError:
                await asyncio.sleep(_ROOM_SECONDS)

    def is_running(self) -> bool:
        """Tell whether the process runs."""
        return self._process.poll() is None

    def end(self, number: int) -> None:
        """Let it kill a worker."""
        with suppress(OSError):
            self.tell({"kill": number})

    async def gone(self, number: int) -> None:
        """Wait until nothing of a worker is left."""
        if (event := self._gone.get(number)) is not None and self.is_alive:
            with suppress(TimeoutError):
                async with asyncio.timeout(_GONE_SECONDS):
                    await event.wait()

    def kill(self) -> None:
        """Kill the process; the kernel then kills its workers."""
        self._process.kill()
        self._lost()

    def close(self) -> None:
        """End the process: it ends, with its workers, when its socket is closed."""
        self._lost()
        self._control.close()
        try:
            self._process.wait(_GONE_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _listen(self) -> None:
        try:
            if not self._lines.receive(self._control):
                self._lost()
            for message in self._lines:
                self._take(message)
        except (OSError, WireError):
            self._lost()

    def _hung(self, number: int) -> WorkerFailedError:
        """Kill the process, which does not answer, and say why that is."""
        is_loading = self._loading == number
        self.kill()
        if is_loading:
            return PluginHungError("its plugin hung while it was loaded", is_plugins_fault=True)
        return WorkerFailedError("the process for workers does not answer")

    def _take(self, message: Message) -> None:
        self._loading = message.get("loading")
        if (forked := self._forks.get(message.get("forked", 0))) is not None and not forked.done():
            forked.set_result(None)
        elif "failed" in message:
            self._gone.pop(message["failed"], None)
            if (failed := self._forks.get(message["failed"])) is not None and not failed.done():
                failed.set_exception(_failure(message))
        elif (event := self._gone.pop(message.get("gone", 0), None)) is not None:
            event.set()

    def _lost(self) -> None:
        if not self.is_alive:
            return
        self.is_alive = False
        if not self.loop.is_closed():
            self.loop.remove_reader(self._control)
        for forked in self._forks.values():
            if not forked.done():
                forked.set_exception(ConnectionResetError("the process for workers is gone"))
        for event in self._gone.values():
            event.set()
        self._gone.clear()


def _failure(message: Message) -> WorkerFailedError:
    if message["loading"]:
        return WorkerFailedError(f"its plugin raised {message['why']}", is_plugins_fault=True)
    return WorkerFailedError(f"no process can be forked: {message['why']}")


def _pair(ours: ExitStack, theirs: ExitStack) -> tuple[socket.socket, socket.socket]:
    """Make two connected sockets, each closed with one of the stacks.

    Raises:
        WorkerFailedError: There is no descriptor left. That is no fault of the process for workers.
    """
    try:
        one, other = socket.socketpair()
    except OSError as error:
        raise WorkerFailedError("this process has no descriptor left") from error
    return ours.enter_context(one), theirs.enter_context(other)


def _launch() -> tuple[subprocess.Popen[bytes], socket.socket]:
    """Start the process, with nothing of this one but a socket: no environment, no descriptor, no memory."""
    kept = {name: os.environ[name] for name in (*_LOADER_VARIABLES, *KEPT_VARIABLES) if name in os.environ}
    ours, theirs = socket.socketpair()
    with ExitStack() as until_started, theirs:
        until_started.enter_context(ours)
        process = subprocess.Popen(  # noqa: S603  # this very Python
            [sys.executable, "-I", "-B", "-c", _PROGRAM, str(theirs.fileno()), json.dumps(sys.path)],
            pass_fds=[theirs.fileno()],
            env={**kept, "MALLOC_ARENA_MAX": "2"},  # threads would map 64 MiB each, which counts against the limit
            cwd="/",
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            start_new_session=True,
        )
        until_started.pop_all()
    ours.setblocking(False)
    return process, ours
