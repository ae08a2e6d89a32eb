"""Confining a worker before a plugin's code runs in it: limits, no way to others, and rules for what it may reach.

What the kernel holds cannot be undone from inside: limits, system calls, files. What Python's audit hook holds (where
connections go, and a clear refusal instead of a failed system call) holds for code in Python, and so for the drivers;
but not for code that looks for the hook in order to disarm it.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import resource
import signal
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from wellhead.guard import landlock, seccomp

KEPT_VARIABLES = ("SSL_CERT_FILE", "SSL_CERT_DIR")
"""What stays of the environment: where the system's certificates of authorities are."""
MAX_WRITTEN_BYTES = 64 * 1024
"""The largest file that a worker may write: OpenSSL takes a client's certificate from a file, which is in memory."""
_MAX_DESCRIPTORS = 256
_PARENT_DEATH_SIGNAL, _CAPABILITY_VERSION = 1, 0x20080522
_PARENT_IS_SUBREAPER = 36
_NO_HOME = "/nonexistent"  # without the variable, Python would look the user's home up


@dataclass(frozen=True, slots=True)
class Limits:
    """What a worker may use.

    Attributes:
        seconds: Of the processor, and until it is killed by its own alarm.
        memory: Bytes of address space that it may map besides what it has when it begins.
    """

    seconds: float
    memory: int


def adopt_orphans() -> None:
    """Become the parent of what descendants leave behind, so that it can be found and ended (Linux)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PARENT_IS_SUBREAPER, 1, 0, 0, 0)


def leave_parent(parent: int) -> None:
    """Become a process group of one's own, that dies with its parent (Linux).

    Args:
        parent: The process id of the parent; if it is gone already, this process ends.
    """
    os.setsid()
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PARENT_DEATH_SIGNAL, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(1)


def empty_environment() -> None:
    """Take all variables away but where the certificates of authorities are: no login of the service's is found."""
    kept = {name: os.environ[name] for name in KEPT_VARIABLES if name in os.environ}
    os.environ.clear()
    os.environ.update(kept, HOME=_NO_HOME)


def silence() -> None:
    """Let what a plugin prints go nowhere, and what it reads be empty."""
    null = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(null, descriptor)
    os.close(null)


def confine(limits: Limits, *, readable: Sequence[str | Path], local_sockets: bool) -> None:
    """Hold this process to its limits, as far as the system can; none of it can be undone.

    Args:
        limits: What it may use.
        readable: Paths below which it may open files, besides those of the system.
        local_sockets: Whether the system may ask local services, such as Avahi, for the address of a name.
    """
    signal.setitimer(signal.ITIMER_REAL, limits.seconds)
    _limit(resource.RLIMIT_CPU, int(limits.seconds) + 1)
    _limit(resource.RLIMIT_FSIZE, MAX_WRITTEN_BYTES)
    _limit(resource.RLIMIT_NOFILE, _MAX_DESCRIPTORS)
    _limit(resource.RLIMIT_CORE, 0)
    if sys.platform == "linux":
        _limit(resource.RLIMIT_AS, _mapped_bytes() + limits.memory)
        landlock.allow_reading([*landlock.SYSTEM, *readable])
        _drop_capabilities()
        seccomp.forbid(local_sockets=local_sockets)


def more_time(seconds: float) -> None:
    """Put the alarm off: this process has been given more to do."""
    signal.setitimer(signal.ITIMER_REAL, seconds)


def _limit(what: int, most: int) -> None:
    _, hard = resource.getrlimit(what)
    with contextlib.suppress(ValueError, OSError):  # the operator's own limit may be lower
        resource.setrlimit(what, (most, most) if hard == resource.RLIM_INFINITY or most <= hard else (hard, hard))


def _mapped_bytes() -> int:
    pages = int(Path("/proc/self/statm").read_text("ascii").split()[0])
    return pages * resource.getpagesize()


def _drop_capabilities() -> None:
    """Keep none of root's powers, where the service runs as root (capset(2))."""
    library = ctypes.CDLL(None)
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION, 0)
    library.capset(header, (ctypes.c_uint32 * 6)())
