"""The program that loads a plugin in a clean process, and notes what that cost and what it did besides.

It has nothing imported when it begins, so that what it measures is what a service pays.
"""

from __future__ import annotations

import json
import os
import resource
import signal
import socket
import sys
import tempfile
import threading
import time
from importlib import import_module
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

from wellhead.guard import confinement

_NETWORK = frozenset(
    ["socket.__new__", "socket.bind", "socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "socket.sendto"]
)
_PROCESSES = frozenset(["os.exec", "os.fork", "os.forkpty", "os.posix_spawn", "os.system", "subprocess.Popen"])
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT
_MOST = 5


def main(descriptor: int, parent: int) -> None:
    """Load the plugins that the process at the other end of a socket names, and say what was seen.

    Args:
        descriptor: The socket.
        parent: The process id of that process.
    """
    confinement.leave_parent(parent)
    confinement.empty_environment()
    line = socket.socket(fileno=descriptor)
    with line.makefile("r", encoding="utf-8") as lines:
        job = json.loads(lines.readline())
    sys.dont_write_bytecode = True
    line.sendall(json.dumps(_observe(job)).encode("ascii") + b"\n")
    os._exit(0)  # without waiting for threads that a plugin may have started


def _observe(job: dict[str, Any]) -> dict[str, Any]:
    started = time.perf_counter()
    _ = import_module("pydantic").BaseModel
    pydantic_ms = (time.perf_counter() - started) * 1000
    root = import_module("wellhead")
    for name in root.__all__:
        getattr(root, name)
    calling = import_module("wellhead.plugins.calling")
    watch, modules, before = _Watch(), set(sys.modules), _state()
    with tempfile.TemporaryFile() as output:
        for standard in (1, 2):
            os.dup2(output.fileno(), standard)
        started = time.perf_counter()
        with watch:
            points = [EntryPoint(name, value, "wellhead") for name, value in job["entry_points"]]
            types = [known.name for point in points for known in calling.types_of(point, job["distribution"])]
        import_ms = (time.perf_counter() - started) * 1000
        sys.stdout.flush()
        sys.stderr.flush()
        output.seek(0)
        said = output.read(200).decode("utf-8", errors="replace")
    after = _state()
    return {
        "types": types,
        "pydantic_ms": round(pydantic_ms, 1),
        "import_ms": round(import_ms, 1),
        "output": said,
        "changed": [name for name, value in after.items() if value != before[name]],
        "threads": [thread.name for thread in threading.enumerate() if thread is not threading.main_thread()][:_MOST],
        "modules": sorted({name.partition(".")[0] for name in set(sys.modules) - modules}),
        "network": watch.network[:_MOST],
        "processes": watch.processes[:_MOST],
        "written": watch.written[:_MOST],
    }


class _Watch:
    """Notes what Python does by its audit events, while it is entered. A hook is never taken out again."""

    def __init__(self) -> None:
        self.network: list[str] = []
        self.processes: list[str] = []
        self.written: list[str] = []
        self._is_on = False
        sys.addaudithook(self._hear)

    def __enter__(self) -> None:
        self._is_on = True

    def __exit__(self, *_: object) -> None:
        self._is_on = False

    def _hear(self, event: str, arguments: tuple[Any, ...]) -> None:
        if not self._is_on:
            return
        if event in _NETWORK:
            self.network.append(event)
        elif event in _PROCESSES:
            self.processes.append(event)
        elif event == "open" and len(arguments) == 3 and arguments[2] & _WRITING:  # noqa: PLR2004  # path, mode, flags
            self.written += [str(arguments[0])] if arguments[0] != os.devnull else []


def _state() -> dict[str, Any]:
    """Return what belongs to the process and not to one plugin, each with the name that people know it by."""
    logging = import_module("logging")
    mask = os.umask(0)
    os.umask(mask)
    return {
        "the environment (os.environ)": dict(os.environ),
        "the current directory": str(Path.cwd()),
        "the file mode mask (umask)": mask,
        "signal handlers": {int(number): signal.getsignal(number) for number in signal.valid_signals()},
        "timers (signal.alarm)": signal.getitimer(signal.ITIMER_REAL)[0] > 0,
        "resource limits": resource.getrlimit(resource.RLIMIT_NOFILE),
        "the locale": import_module("locale").setlocale(import_module("locale").LC_ALL),
        "sys.path": list(sys.path),
        "sys.excepthook": sys.excepthook,
        "sys.stdout or sys.stderr": (sys.stdout, sys.stderr),
        "the recursion limit": sys.getrecursionlimit(),
        "the root logger": (
            list(logging.getLogger().handlers),
            logging.getLogger().level,
            logging.root.manager.disable,
        ),
        "the default timeout of sockets": socket.getdefaulttimeout(),
        "tracing (sys.settrace)": (sys.gettrace(), sys.getprofile()),
    }
