"""Kills and errors at a process's own system calls, brought about by strace."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from support.programs import missing_service

KILLED = 137
_CALLS = "openat,fsync,rename,renameat,renameat2,link,linkat,unlink,unlinkat,flock,mkdir,ftruncate,fchmod"
_LINE = re.compile(r"(\d+) +(\w+)\(")


@dataclass(frozen=True, slots=True)
class Point:
    """A system call that a script makes, and which time it makes it, counted for each thread by itself."""

    call: str
    time: int


@dataclass(frozen=True, slots=True)
class Traced:
    """How a script ended under strace, and what it printed."""

    code: int
    out: str


def points_of(script: str, workspace: Path, *arguments: str) -> list[Point]:
    """Run a script, and return the system calls by which it writes in the store of a workspace."""
    log = workspace.parent / "strace.log"
    done = _run(["-e", f"trace={_CALLS}", "-o", str(log)], script, workspace, *arguments)
    assert done.code == 0, done
    store, counted, found = os.path.realpath(workspace / ".datasources"), Counter[tuple[str, str]](), []
    for line in log.read_text().splitlines():
        # Of what is opened, `killed_at` can kill at what is reached through the store's descriptor: not at the index.
        if (match := _LINE.match(line)) is None or (match[2] == "openat" and f"<{store}>" not in line):
            continue
        counted[match[1], match[2]] += 1
        found.append(Point(match[2], counted[match[1], match[2]]))
    return list(dict.fromkeys(found))


def killed_at(point: Point, script: str, workspace: Path, *arguments: str) -> Traced:
    """Run a script, and kill it as it is about to make a system call."""
    # What is opened is counted in the store only: before that, Python opens hundreds of files of its own.
    only = workspace / ".datasources" if point.call == "openat" else None
    fault = f"{point.call}:signal=SIGKILL:when={point.time}"
    return with_faults([fault], script, workspace, *arguments, only=only)


def with_faults(
    faults: Sequence[str], script: str, workspace: Path, *arguments: str, only: Path | None = None
) -> Traced:
    """Run a script while system calls fail.

    Args:
        faults: Faults as strace writes them, such as `fsync:error=EIO:when=2`.
        script: The script.
        workspace: What it gets as its first argument.
        *arguments: More arguments.
        only: A file or directory, if only system calls on that are to fail.
    """
    options = ["-o", os.devnull, *(part for fault in faults for part in ("-e", f"inject={fault}"))]
    options += [] if only is None else ["-P", os.path.realpath(only)]
    return _run(options, script, workspace, *arguments)


def _run(options: list[str], script: str, workspace: Path, *arguments: str) -> Traced:
    if shutil.which("strace") is None:
        missing_service("strace is not installed: no fault was injected.")
    done = subprocess.run(
        ["strace", "-f", "-y", *options, sys.executable, "-c", script, str(workspace), *arguments],
        cwd=workspace.parent,  # what a program leaves where it may not take it away again stays here
        env={
            **os.environ,
            "PYTHONPATH": os.pathsep.join(map(os.path.abspath, sys.path)),
            "PYTHONDONTWRITEBYTECODE": "1",
            "TMPDIR": str(workspace.parent),
        },
        capture_output=True,
        check=False,
        text=True,
        timeout=120,
    )
    code = KILLED if done.returncode == -9 else done.returncode
    return Traced(code, done.stdout.strip())
