"""A process for a plugin's code, that may be lost: how it is started, listened to, and ended."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

from wellhead.guard.confinement import KEPT_VARIABLES

START_SECONDS = 30.0
"""How long a process may take to start, and to read what it is to do."""
_MAX_LINE = 64 * 1024
_LOADER_VARIABLES = ("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH")
_PROGRAM = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[3]); "
    "from {module} import main; main(int(sys.argv[1]), int(sys.argv[2]))"
)


class ScratchProcess:
    """A process that has nothing of this one but a socket: no environment, no descriptor, no input.

    Both ends of the socket say JSON objects, one to a line.
    """

    def __init__(self, module: str, *, path: Sequence[str] = (), longest: int = _MAX_LINE) -> None:
        """Start it.

        Args:
            module: The module whose `main` is run, with the descriptor of the socket and this process's id.
            path: Where it looks for modules before it looks where this process does.
            longest: The most bytes of a line that it may say.

        Raises:
            OSError: There is no process.
        """
        self._process, self._line = _launch(module, path)
        self._longest = longest
        self._kept = b""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    def say(self, message: Any) -> None:
        """Tell it something.

        Raises:
            OSError: It does not listen.
        """
        self._line.settimeout(START_SECONDS)
        self._line.sendall(json.dumps(message).encode("utf-8") + b"\n")

    def wait(self, seconds: float) -> dict[str, Any]:
        """Return the next thing that it says.

        Raises:
            TimeoutError: It did not come in time.
            ConnectionResetError: Nothing comes any more.
            ValueError: It is no JSON object.
        """
        deadline = time.monotonic() + seconds
        while b"\n" not in self._kept:
            self._line.settimeout(max(deadline - time.monotonic(), 0.001))
            data = self._line.recv(_MAX_LINE)
            if not data or len(self._kept) > self._longest:
                raise ConnectionResetError
            self._kept += data
        message, _, self._kept = self._kept.partition(b"\n")
        found = json.loads(message)
        if not isinstance(found, dict):
            raise ValueError("not a message")
        return found

    def end(self) -> None:
        """Kill it with its group, and wait until it is gone."""
        for kill in (os.killpg, os.kill):
            with suppress(ProcessLookupError, PermissionError):
                kill(self._process.pid, signal.SIGKILL)
        self._process.wait()
        self._line.close()

    def how_it_ended(self) -> str:
        """Say in words how it ended: `crashed the process (SIGSEGV)`."""
        try:
            code = self._process.wait(1)
        except subprocess.TimeoutExpired:
            return "cut the process off that it was tried in"
        return (
            f"crashed the process ({_signal_name(-code)})" if code < 0 else f"ended the process with exit code {code}"
        )


def _launch(module: str, path: Sequence[str]) -> tuple[subprocess.Popen[bytes], socket.socket]:
    kept = {name: os.environ[name] for name in (*_LOADER_VARIABLES, *KEPT_VARIABLES) if name in os.environ}
    flags = ["-I", "-B"] if sys.dont_write_bytecode else ["-I"]
    places = json.dumps([*path, *(place or str(Path.cwd()) for place in sys.path)])
    ours, theirs = socket.socketpair()
    with theirs:
        try:
            process = subprocess.Popen(  # noqa: S603  # this very Python
                [
                    *(sys.executable, *flags, "-c", _PROGRAM.format(module=module)),
                    *(str(theirs.fileno()), str(os.getpid()), places),
                ],
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


def _signal_name(number: int) -> str:
    with suppress(ValueError):
        return signal.Signals(number).name
    return f"signal {number}"
