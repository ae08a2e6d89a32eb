"""Trial imports: each plugin is imported in a process that may be lost, before the service imports it."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import structlog

from wellhead.guard.confinement import KEPT_VARIABLES
from wellhead.plugins.found import FoundPlugin, surroundings
from wellhead.plugins.reports import report_it
from wellhead.plugins.verdicts import Verdict, VerdictFile

SECONDS = 5.0
"""How long importing a plugin may take."""
_START_SECONDS = 30.0
_MAX_LINE = 64 * 1024
_LOADER_VARIABLES = ("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH")
_PROGRAM = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[3]); "
    "from wellhead.plugins.scratch import main; main(int(sys.argv[1]), int(sys.argv[2]))"
)

_Outcomes = dict[int, Verdict]


class Trials:
    """Tries plugins, and remembers what came of it."""

    def __init__(self, memory: Path | None, *, seconds: float = SECONDS) -> None:
        """Try plugins.

        Args:
            memory: The file that remembers; None remembers nothing.
            seconds: How long importing one may take.
        """
        self._memory = VerdictFile(memory)
        self._seconds = seconds

    def verdicts(self, plugins: Sequence[FoundPlugin], *, anew: bool = False) -> list[Verdict]:
        """Say of each plugin whether it may be imported.

        Args:
            plugins: The plugins.
            anew: Whether those that may not, as far as is remembered, are tried again.
        """
        if not plugins:
            return []
        now = surroundings()
        known = self._memory.read("" if anew else now)
        fingerprints = [plugin.fingerprint for plugin in plugins]
        untried = {
            fingerprint: plugin
            for fingerprint, plugin in zip(fingerprints, plugins, strict=True)
            if fingerprint not in known
        }
        found = self._try(list(untried.values()))
        tried = {fingerprint: found[number] for number, fingerprint in enumerate(untried) if number in found}
        self._memory.add(tried, now)
        # What could not be tried, since no process can be had, is used: the service is not to lose all types by that.
        return [known.get(fingerprint) or tried.get(fingerprint) or Verdict() for fingerprint in fingerprints]

    def _try(self, plugins: Sequence[FoundPlugin]) -> _Outcomes:
        """Try plugins one after the other; where one ends the process, the others go on in a new one."""
        found: _Outcomes = {}
        left = deque(range(len(plugins)))
        while left:
            try:
                outcomes = self._try_in_one_process([plugins[number] for number in left])
            except OSError as error:
                structlog.get_logger("wellhead.plugins").warning("no trial import", error=type(error).__name__)
                break
            for verdict in outcomes:
                found[left.popleft()] = verdict
        return found

    def _try_in_one_process(self, plugins: Sequence[FoundPlugin]) -> list[Verdict]:
        """Return what became of the plugins up to the one that ended the process; of one at least.

        Raises:
            OSError: There is no process, or it came to nothing before the first plugin.
        """
        process, line = _launch()
        try:
            jobs = [
                {"name": plugin.point.name, "value": plugin.point.value, "distribution": plugin.distribution}
                for plugin in plugins
            ]
            line.settimeout(_START_SECONDS)
            line.sendall(json.dumps(jobs).encode("utf-8") + b"\n")
            return self._listen(process, line, plugins)
        finally:
            _end(process)
            line.close()

    def _listen(
        self, process: subprocess.Popen[bytes], line: socket.socket, plugins: Sequence[FoundPlugin]
    ) -> list[Verdict]:
        found: list[Verdict] = []
        messages = _Messages(line)
        messages.wait(_START_SECONDS)
        while len(found) < len(plugins):
            distribution = plugins[len(found)].distribution
            try:
                found.append(Verdict.from_document(messages.wait(self._seconds)))
                if len(found) < len(plugins):
                    messages.wait(self._seconds)  # it begins with the next one
            except TimeoutError:
                reason = f"Importing it took longer than {self._seconds:g} seconds."
                return [*found, Verdict("broken", reason, report_it(distribution))]
            except (OSError, ValueError):
                if found:  # what came before may have to do with it: it gets a process of its own to begin with
                    return found
                return [Verdict("broken", _how_it_ended(process), report_it(distribution))]
        return found


class _Messages:
    """What the process says, one JSON object to a line."""

    def __init__(self, line: socket.socket) -> None:
        self._line = line
        self._kept = b""

    def wait(self, seconds: float) -> dict[str, Any]:
        """Return the next message.

        Raises:
            TimeoutError: It did not come in time.
            ConnectionResetError: None comes any more.
            ValueError: It is none.
        """
        deadline = time.monotonic() + seconds
        while b"\n" not in self._kept:
            self._line.settimeout(max(deadline - time.monotonic(), 0.001))
            data = self._line.recv(_MAX_LINE)
            if not data or len(self._kept) > _MAX_LINE:
                raise ConnectionResetError
            self._kept += data
        message, _, self._kept = self._kept.partition(b"\n")
        found = json.loads(message)
        if not isinstance(found, dict):
            raise ValueError("not a message")
        return found


def _launch() -> tuple[subprocess.Popen[bytes], socket.socket]:
    """Start the process, with nothing of this one but a socket: no environment, no descriptor, no input."""
    kept = {name: os.environ[name] for name in (*_LOADER_VARIABLES, *KEPT_VARIABLES) if name in os.environ}
    flags = ["-I", "-B"] if sys.dont_write_bytecode else ["-I"]
    path = json.dumps([place or str(Path.cwd()) for place in sys.path])
    ours, theirs = socket.socketpair()
    with theirs:
        try:
            process = subprocess.Popen(  # noqa: S603  # this very Python
                [sys.executable, *flags, "-c", _PROGRAM, str(theirs.fileno()), str(os.getpid()), path],
                pass_fds=[theirs.fileno()],
                env=kept,
                cwd="/",
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
        except BaseException:
            ours.close()
            raise
    return process, ours


def _end(process: subprocess.Popen[bytes]) -> None:
    """Kill the process with its group, and wait until it is gone."""
    for kill in (os.killpg, os.kill):
        with suppress(ProcessLookupError, PermissionError):
            kill(process.pid, signal.SIGKILL)
    process.wait()


def _how_it_ended(process: subprocess.Popen[bytes]) -> str:
    """Say in words how an import ended the process that it ran in."""
    try:
        code = process.wait(1)
    except subprocess.TimeoutExpired:
        return "Importing it cut the process off that it was tried in."
    if code < 0:
        return f"Importing it crashed the process ({_signal_name(-code)})."
    return f"Importing it ended the process with exit code {code}."


def _signal_name(number: int) -> str:
    with suppress(ValueError):
        return signal.Signals(number).name
    return f"signal {number}"
