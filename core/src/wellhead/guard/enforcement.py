"""What a worker's code may not do, refused at the moment that it tries (PEP 578).

Python calls an audit hook with the address that is really dialled, whoever dials: a driver, its helper, a redirect. So
no spelling of a host, and no name that changes its address in between, gets around it.
"""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Callable, Sequence
from contextvars import ContextVar
from pathlib import Path
from typing import Any

from wellhead.guard.egress import EgressPolicy

REJECTED, FORBIDDEN = "destination_rejected", "operation_forbidden"
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_FORBIDDEN = (
    "ctypes.",
    "os.chflags",
    "os.chmod",
    "os.chown",
    "os.exec",
    "os.fork",
    "os.kill",
    "os.link",
    "os.mkdir",
    "os.posix_spawn",
    "os.remove",  # and `os.removexattr`
    "os.rename",
    "os.rmdir",
    "os.setxattr",
    "os.spawn",
    "os.symlink",
    "os.system",
    "os.truncate",
    "os.utime",
    "pty.spawn",
    "resource.prlimit",
    "shutil.",
    "socket.bind",
    "subprocess.Popen",
    "syslog.",
)
_FAMILIES = (socket.AF_INET, socket.AF_INET6)
_PROTOCOLS = (0, socket.IPPROTO_TCP)
_WRITES_NOTHING = sys.platform == "linux"  # elsewhere core hands a client's certificate over in a temporary file


class Refusals:
    """What was refused to one validation, and which names it has resolved."""

    def __init__(self) -> None:
        self._code: str | None = None
        self._names: dict[str, set[str]] = {}

    def add(self, code: str) -> None:
        """Remember that something was refused."""
        self._code = code

    def take(self) -> str | None:
        """Return the code of what was refused since this was asked last."""
        code, self._code = self._code, None
        return code

    def resolved(self, name: str, address: str) -> None:
        """Remember that a name was resolved to an address."""
        self._names.setdefault(address, set()).add(name)

    def names_of(self, address: str) -> Sequence[str]:
        """Return the names that were resolved to an address."""
        return sorted(self._names.get(address, ()))


refusals: ContextVar[Refusals | None] = ContextVar("refusals", default=None)
"""Of the validation that runs in this task or thread."""


class RefusedError(PermissionError):
    """A worker's code tried what it may not do."""


def enforce(policy: EgressPolicy, *, hidden: Sequence[Path]) -> None:
    """Refuse, from now on and for the whole process, what a worker may not do.

    Args:
        policy: Says which addresses may be dialled.
        hidden: Files and directories that are never opened: the key ring, the store.
    """
    sys.addaudithook(_Hook(policy, tuple(str(path) for path in hidden)))


class _Hook:
    def __init__(self, policy: EgressPolicy, hidden: tuple[str, ...]) -> None:
        self._policy = policy
        self._hidden = hidden
        self._judges: dict[str, Callable[..., bool]] = {
            "socket.connect": self._may_connect,
            "socket.sendto": self._may_send,
            "socket.sendmsg": self._may_send,
            "socket.__new__": _may_make,
            "open": self._may_open,
            "import": _may_import,
        }

    def __call__(self, event: str, arguments: tuple[Any, ...]) -> None:
        judge = self._judges.get(event)
        if judge is not None:
            if not judge(*arguments):
                self._refuse(REJECTED if event == "socket.connect" else FORBIDDEN)
        elif event.startswith(_FORBIDDEN):
            self._refuse(FORBIDDEN)

    def _may_connect(self, _socket: object, address: object) -> bool:
        # Exactly these classes: one that is derived from them can tell Python one address, and the C below another.
        if type(address) is not tuple or len(address) < 2:  # noqa: PLR2004  # host and port; a path is a local socket
            return False
        host, port = address[:2]
        if type(host) is not str or type(port) is not int:
            return False
        current = refusals.get()
        names = current.names_of(host) if current is not None else ()
        return self._policy.permits(host, port, names=names)

    def _may_send(self, _socket: object, address: object) -> bool:
        return address is None

    def _may_open(self, path: object, _mode: object, flags: object) -> bool:
        if type(path) is not str and type(path) is not bytes:  # exactly: one that is derived can seem another path
            return type(path) is int  # a descriptor: it is open already
        if isinstance(flags, int) and flags & _WRITING and _WRITES_NOTHING:
            return path == os.devnull
        place = os.path.abspath(os.fsdecode(path))
        return not any(place == hidden or place.startswith(hidden + os.sep) for hidden in self._hidden)

    @staticmethod
    def _refuse(code: str) -> None:
        current = refusals.get()
        if current is not None:
            current.add(code)
        raise RefusedError("a validation may not do this")


def _may_make(_socket: object, family: int, kind: int, protocol: int) -> bool:
    """Let TCP be spoken, and the pairs of sockets that asyncio wakes itself up with."""
    if family == socket.AF_UNIX:
        return True
    types = kind & ~(getattr(socket, "SOCK_NONBLOCK", 0) | getattr(socket, "SOCK_CLOEXEC", 0))
    return family in _FAMILIES and types == socket.SOCK_STREAM and protocol in _PROTOCOLS


def _may_import(module: str, *_more: object) -> bool:
    """Keep out an event loop that dials without telling Python."""
    return module.partition(".")[0] != "uvloop"
