"""A process that has the command line loaded, and is forked for each command: that spares half a second of loading it.

What is forked is as real as a command that is started: a process with arguments, a directory, variables, descriptors
and an exit code of its own. Only what Python and its libraries read once, when they start, is that of the process it
was forked from; a command for which that matters has to be started.
"""

from __future__ import annotations

import atexit
import functools
import gc
import json
import os
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from importlib import import_module
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

_READ_AT_START = (
    "PYTHON",
    "LC_",
    "LANG",
    "LD_",
    "TERM",
    "COLUMNS",
    "LINES",
    "NO_COLOR",
    "FORCE_COLOR",
    "TTY_",
    "_TYPER",
)
_ENVIRONMENT = dict(os.environ)
"""The variables of whoever runs the tests, before any test changes them."""
_MOST_BYTES = 64 * 1024
_PROGRAM = "import sys; sys.path.insert(0, sys.argv[2]); from support.forked import serve; serve(int(sys.argv[1]))"


class CommandParent:
    """The process that commands are forked from."""

    def __init__(self) -> None:
        """Start it."""
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._at_start = _read_at_start(_ENVIRONMENT)
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-c", _PROGRAM, str(theirs.fileno()), str(Path(__file__).parents[1])],
                pass_fds=[theirs.fileno()],
                env=_ENVIRONMENT,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                cwd="/",
            )
        atexit.register(self.close)

    def close(self) -> None:
        """End it."""
        self._control.close()
        self._process.wait()

    def run(
        self, arguments: Sequence[str], directory: Path, environment: Mapping[str, str], descriptors: Sequence[int]
    ) -> int | None:
        """Run a command in a process that is forked.

        Args:
            arguments: Its arguments.
            directory: Where it runs.
            environment: Its variables.
            descriptors: Its input, its output and what its errors go to.

        Returns:
            Its exit code; None if it has to be started, because it would not be the same when it is forked.
        """
        message = json.dumps([*map(list, (arguments, environment.items())), str(directory)]).encode()
        if len(message) > _MOST_BYTES or _read_at_start(environment) != self._at_start:
            return None
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with ours:
            with theirs:
                socket.send_fds(self._control, [message], [*descriptors, theirs.fileno()])
            command = int(ours.recv(16))
            if not select.select([ours], [], [], 60)[0]:
                os.kill(command, signal.SIGKILL)
                raise TimeoutError(f"{arguments} did not end")
            return int(ours.recv(16))


@functools.cache
def parent() -> CommandParent:
    """Return the one process of a run of tests, started when it is first needed."""
    return CommandParent()


def _read_at_start(environment: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in environment.items() if name.startswith(_READ_AT_START)}


def serve(descriptor: int) -> None:
    """Fork commands until the socket is closed; in each of those, return or raise what ends it."""
    del sys.path[0]
    from wellhead.cli.commands import load_all
    from wellhead.cli.main import main

    load_all()
    for plugin in entry_points(group="wellhead"):
        import_module(plugin.module)
    gc.freeze()  # memory that is not looked over stays shared
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for those that mind the commands
    control = socket.socket(fileno=descriptor)
    while True:
        message, descriptors, _, _ = socket.recv_fds(control, _MOST_BYTES, 4)
        if not message:
            return
        if os.fork() == 0:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            control.close()
            if (command := os.fork()) == 0:
                _become(json.loads(message), descriptors)
                main()
                return
            _mind(command, socket.socket(fileno=descriptors.pop()))
        for number in descriptors:
            os.close(number)


def _become(message: Any, descriptors: list[int]) -> None:
    """Be a command as it would be after its start."""
    arguments, environment, directory = message
    for number, given in enumerate(descriptors[:3]):
        os.dup2(given, number)
    for given in descriptors:
        os.close(given)
    os.chdir(directory)
    os.environ.clear()
    os.environ.update(environment)
    sys.path[0] = directory
    sys.argv[1:] = arguments


def _mind(command: int, status: socket.socket) -> None:
    """Say which process it is, and how it has ended."""
    status.send(str(command).encode())
    _, ended = os.waitpid(command, 0)
    status.send(str(os.waitstatus_to_exitcode(ended)).encode())
    os._exit(0)
