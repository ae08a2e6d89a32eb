"""The process that workers are forked from: it has the plugins and their drivers in memory, and nothing of a user's.

It does what the service says over one socket, and ends with it. It runs no event loop and no second thread, so that a
fork is safe; it never runs a validator itself.
"""

from __future__ import annotations

import gc
import json
import os
import select
import signal
import socket
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from wellhead.guard import confinement
from wellhead.guard.confinement import Limits
from wellhead.guard.egress import EgressPolicy
from wellhead.validation import wire
from wellhead.validation.run import KnownType
from wellhead.validation.wire import Lines, Message

MARGIN = 1.0
"""Seconds after its deadline at which a worker's own alarm ends it, should nobody else have."""
_SWEEP_SECONDS = 0.5
_NICE = 10
"""Validations give way to the service, which has others to answer meanwhile."""

Load = Callable[[Message], KnownType]
Work = Callable[[KnownType, socket.socket, socket.socket, "Rules"], None]


@dataclass(frozen=True, slots=True)
class Rules:
    """What holds for every worker.

    Attributes:
        policy: Which addresses may be dialled.
        hidden: Files and directories that are never opened.
        memory: Bytes of memory that a worker may take.
        readable: Paths below which Python code lies.
        texts: Whether the texts of exceptions that nothing knew are told, as in the tests of a plugin.
    """

    policy: EgressPolicy
    hidden: tuple[Path, ...]
    memory: int
    readable: tuple[str, ...]
    texts: bool = False


class ForkServer:
    """Forks workers on demand, ends them, and clears up what they leave."""

    def __init__(
        self, control: socket.socket, *, read_rules: Callable[[Message], Rules], load: Load, work: Work
    ) -> None:
        """Serve one service.

        Args:
            control: The socket to the service.
            read_rules: Reads what holds for every worker, which the service says first.
            load: Finds a type from how the service describes it.
            work: What a worker does with its two sockets.
        """
        self._control = control
        self._read_rules = read_rules
        self._rules: Rules | None = None
        self._load = load
        self._work = work
        self._lines = Lines(wire.MAX_JOB_LINE)
        self._types: dict[str, KnownType] = {}
        self._workers: dict[int, int] = {}
        self._inherited: tuple[socket.socket, ...] = ()

    def run(self) -> None:
        """Do what the service says, until it is gone."""
        confinement.adopt_orphans()
        confinement.empty_environment()
        confinement.silence()
        os.nice(_NICE)
        gc.disable()  # a collection would copy the memory that workers share
        woken, waker = socket.socketpair()
        waker.setblocking(False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(waker.fileno(), warn_on_full_buffer=False)
        for number in (signal.SIGINT, signal.SIGTERM):  # Ctrl-C goes to the whole group; the service says when to end
            signal.signal(number, signal.SIG_IGN)
        self._inherited = (self._control, woken, waker)
        poll = select.poll()
        poll.register(self._control, select.POLLIN)
        poll.register(woken, select.POLLIN)
        try:
            while True:
                ready = {descriptor for descriptor, _ in poll.poll()}
                if woken.fileno() in ready:
                    woken.recv(4096)
                self._reap()
                if self._control.fileno() in ready and not self._listen():
                    return
        finally:
            self._end_all()

    def _listen(self) -> bool:
        try:
            if not self._lines.receive(self._control):
                return False
            for message in self._lines:
                self._do(message)
        except (OSError, wire.WireError):
            return False
        return True

    def _do(self, message: Message) -> None:
        if "rules" in message:
            self._rules = self._read_rules(message["rules"])
        elif "fork" in message:
            channel, files = (socket.socket(fileno=self._lines.descriptors.popleft()) for _ in range(2))
            try:
                self._fork(message, channel, files)
            finally:
                channel.close()
                files.close()
        elif "kill" in message:
            for pid, worker in self._workers.items():
                if worker == message["kill"]:
                    _end(pid)

    def _fork(self, message: Message, channel: socket.socket, files: socket.socket) -> None:
        number: int = message["fork"]
        try:
            known = self._known(message["type"], number)
        except BaseException as error:  # noqa: BLE001  # where foreign code is imported; it may even try to exit
            self._tell({"failed": number, "why": type(error).__name__, "loading": True})
            return
        own = os.getpid()
        try:
            pid = os.fork()
        except OSError as error:
            self._tell({"failed": number, "why": type(error).__name__, "loading": False})
            return
        if pid == 0:
            self._become_worker(own, known, (channel, files), message["seconds"])
        self._workers[pid] = number
        self._tell({"forked": number})

    def _known(self, origin: Message, number: int) -> KnownType:
        """Load a type, and what its author wants loaded before, once; it may hang, so the service is told before."""
        key = json.dumps(origin, sort_keys=True)
        if key not in self._types:
            self._tell({"loading": number})
            self._types[key] = self._load(origin)
            gc.collect()
            gc.freeze()
        return self._types[key]

    def _become_worker(
        self, parent: int, known: KnownType, sockets: tuple[socket.socket, socket.socket], seconds: float
    ) -> NoReturn:
        """Be a worker from here on, and end as one, whatever happens."""
        code = 1
        try:
            signal.set_wakeup_fd(-1)
            for number in (signal.SIGCHLD, signal.SIGINT, signal.SIGTERM):
                signal.signal(number, signal.SIG_DFL)
            for inherited in self._inherited:
                inherited.close()
            confinement.leave_parent(parent)
            if self._rules is not None:
                confinement.confine(
                    Limits(seconds + MARGIN, self._rules.memory),
                    readable=self._rules.readable,
                    local_sockets=not self._rules.policy.public_only,
                )
                self._work(known, *sockets, self._rules)
                code = 0
        finally:
            os._exit(code)

    def _tell(self, message: Message) -> None:
        with suppress(OSError):  # the service is gone, as the next read will tell
            wire.send(self._control, message)

    def _reap(self) -> None:
        """Bury the workers that have ended, each with what is left of its process group."""
        while self._workers:
            # The process keeps its number, and with it that of its group, until it is waited for without `WNOWAIT`.
            ended = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            if ended is None:
                return
            _end(ended.si_pid)
            os.waitpid(ended.si_pid, 0)
            if (number := self._workers.pop(ended.si_pid, None)) is not None:
                _sweep(set(self._workers))
                self._tell({"gone": number})

    def _end_all(self) -> None:
        for pid in self._workers:
            _end(pid)
        _sweep(set())


def _end(pid: int) -> None:
    """Kill a worker with its process group; it may not have made that yet."""
    for kill in (os.killpg, os.kill):
        with suppress(ProcessLookupError, PermissionError):
            kill(pid, signal.SIGKILL)


def _sweep(workers: set[int]) -> None:
    """Kill what workers have left behind: it is a child of this process now (Linux)."""
    if sys.platform != "linux":
        return
    end = time.monotonic() + _SWEEP_SECONDS
    while time.monotonic() < end:
        left = _children() - workers
        if not left:
            return
        for pid in left:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
            with suppress(ChildProcessError):
                os.waitpid(pid, 0)


def _children() -> set[int]:
    """Return the children of this process."""
    own = os.getpid()
    try:
        return {int(pid) for pid in Path(f"/proc/self/task/{own}/children").read_text("ascii").split()}
    except OSError:  # a kernel without it
        return set()
