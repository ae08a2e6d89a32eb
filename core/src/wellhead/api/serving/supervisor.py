"""Several processes on one socket: started, watched, started again when one dies, and ended together.

The processes are started anew and not forked, so that they share nothing but the socket. Each has a line to this one,
a pair of sockets: it breaks with either end, which tells the other one, even after a kill.
"""

from __future__ import annotations

import json
import selectors
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

import structlog

from wellhead.api.serving.listener import GRACE
from wellhead.api.serving.rounds import READY, Rounds
from wellhead.errors import SettingsError

_LATE = GRACE + 5.0
_LIVED = 10.0
_LONGEST_WAIT = 30.0


@dataclass(slots=True)
class _Worker:
    """A worker, and its line to here."""

    number: int
    process: subprocess.Popen[bytes]
    line: socket.socket
    started: float
    answers: bool = False


class Supervisor:
    """Keeps a number of workers running."""

    def __init__(
        self,
        listener: socket.socket,
        count: int,
        given: Mapping[str, Any],
        *,
        announce: Callable[[], None],
        delay: float = 0.0,
    ) -> None:
        """Keep workers running.

        Args:
            listener: The socket that all of them listen on.
            count: How many there are to be.
            given: What the command line gave: `config`, and settings by their names, as JSON has them.
            announce: Called once, when all answer.
            delay: Seconds that they go on after the signal to end.
        """
        self._listener = listener
        self._count = count
        self._given = dict(given)
        self._directory = ""
        self._announce = announce
        self._delay = delay
        self._workers: dict[int, _Worker] = {}
        self._due: dict[int, float] = {}
        self._waits: dict[int, float] = {}
        self._has_answered = False
        self._signals = 0
        self._exit_code = 0
        self._selector = selectors.DefaultSelector()
        self._rounds = Rounds(lambda: [(worker.line, worker.answers) for worker in self._workers.values()])

    def run(self) -> int:
        """Run until SIGTERM or SIGINT, and return the exit code.

        After the delay the workers get ten seconds to finish what they have begun. One that ends before all have
        answered once ends the service: then something is wrong that another start would not mend.

        Raises:
            SettingsError: There is no directory for temporary files.
        """
        with _temporary_directory() as self._directory, self._selector, _signals_to(self._selector):
            for number in range(self._count):
                self._start(number)
            while not self._signals:
                self._start_those_due()
                self._wait(min(self._due.values(), default=None))
            self._end()
        return self._exit_code

    def _start(self, number: int) -> None:
        ours, theirs = socket.socketpair()
        descriptors = (self._listener.fileno(), theirs.fileno())
        given = {**self._given, "directory": self._directory, "number": number, "count": self._count}
        command = [sys.executable, "-m", "wellhead.api.serving.worker", *map(str, descriptors), json.dumps(given)]
        # In a process group of its own a worker gets no SIGINT of the terminal besides the one that is passed on.
        process = subprocess.Popen(  # noqa: S603  # our own module
            command, pass_fds=descriptors, process_group=0, stdin=subprocess.DEVNULL
        )
        theirs.close()
        worker = self._workers[number] = _Worker(number, process, ours, time.monotonic())
        self._selector.register(ours, selectors.EVENT_READ, worker)

    def _start_those_due(self) -> None:
        now = time.monotonic()
        for number in [number for number, due in self._due.items() if due <= now]:
            del self._due[number]
            self._start(number)

    def _wait(self, until: float | None) -> None:
        """Wait for a signal, for something on a line, or for a moment; and take it in."""
        timeout = None if until is None else max(0.0, until - time.monotonic())
        for key, _ in self._selector.select(timeout):
            if isinstance(key.data, _Worker):
                self._heard(key.data)
            else:
                self._signals += len(key.data.recv(64))

    def _heard(self, worker: _Worker) -> None:
        try:
            message = worker.line.recv(1)
        except OSError:
            message = b""
        if not message:
            self._ended(worker)
            return
        worker.answers |= message == READY
        if not self._has_answered and all(other.answers for other in self._workers.values()):
            self._has_answered = True
            self._announce()
        self._rounds.heard(worker.line, message)

    def _ended(self, worker: _Worker) -> None:
        """Take leave of a worker; one that did not live long is started again after a while only."""
        self._selector.unregister(worker.line)
        worker.line.close()
        code = worker.process.wait()
        del self._workers[worker.number]
        self._rounds.ended(worker.line)
        if self._signals:
            return
        if not self._has_answered:
            self._signals, self._exit_code = 1, code if code > 0 else 1
            return
        lived = time.monotonic() - worker.started
        wait = 0.0 if lived > _LIVED else min(2 * self._waits.get(worker.number, 0.0) + 0.1, _LONGEST_WAIT)
        self._waits[worker.number] = wait
        self._due[worker.number] = time.monotonic() + wait
        structlog.get_logger().warning("worker_ended", exit_code=code, lived_s=round(lived, 1), again_in_s=wait)

    def _end(self) -> None:
        """End all workers; those that are late are killed. A second signal makes them hurry."""
        deadline, passed_on = time.monotonic() + self._delay + _LATE, 0
        while self._workers:
            late = time.monotonic() > deadline
            if late or passed_on < self._signals:
                passed_on = self._signals
                for worker in self._workers.values():
                    with suppress(ProcessLookupError):
                        worker.process.send_signal(signal.SIGKILL if late else signal.SIGTERM)
            self._wait(deadline if not late else None)


@contextmanager
def _temporary_directory() -> Iterator[str]:
    """Make a directory for the workers' sockets, that nobody else may enter."""
    try:
        directory = tempfile.TemporaryDirectory(prefix="wellhead-", ignore_cleanup_errors=True)
    except OSError as error:
        raise SettingsError(
            "No directory for temporary files can be written to, which several workers need. Let TMPDIR name one."
        ) from error
    with directory as path:
        yield path


@contextmanager
def _signals_to(selector: selectors.BaseSelector) -> Iterator[None]:
    """Let SIGTERM and SIGINT wake the selector up."""
    ours, theirs = socket.socketpair()
    for end in (ours, theirs):
        end.setblocking(False)
    selector.register(ours, selectors.EVENT_READ, ours)
    before: dict[int, Any] = {
        number: signal.signal(number, lambda *_: None) for number in (signal.SIGTERM, signal.SIGINT)
    }
    waked = signal.set_wakeup_fd(theirs.fileno())
    try:
        yield
    finally:
        signal.set_wakeup_fd(waked)
        for number, handler in before.items():
            signal.signal(number, handler)
        selector.unregister(ours)
        ours.close()
        theirs.close()
