"""System calls that a worker may not make, held by the kernel (seccomp): whatever code asks, Python or not.

A worker starts no process and no program, signals nobody, looks into nobody, changes no file, shares no memory, and
takes no way around `connect`.
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import socket
import struct
from collections.abc import Iterable
from dataclasses import dataclass

from wellhead.guard import system_calls
from wellhead.guard.system_calls import Numbers

_SET_NO_NEW_PRIVILEGES, _SET_SECCOMP, _FILTER_MODE = 38, 22, 2
# Berkeley packet filter: load a word, compare, test bits, return (linux/filter.h, linux/seccomp.h).
_LOAD, _EQUAL, _HAS_BITS, _RETURN = 0x20, 0x15, 0x45, 0x06
_ALLOW, _ERROR, _KILL = 0x7FFF0000, 0x00050000, 0x80000000
_REFUSE, _MISSING = _ERROR | errno.EPERM, _ERROR | errno.ENOSYS
_NUMBER_AT, _ARCHITECTURE_AT, _ARGUMENTS_AT = 0, 4, 16
_CLONE_THREAD = 0x00010000
_SET_PARENT_DEATH_SIGNAL = 1
_SIGNAL_SOMEBODY = (8, 10, 15)  # F_SETOWN, F_SETSIG, F_SETOWN_EX: have the kernel send any signal when data come
_SIGNAL_SOMEBODY_TOO = (0x8901, 0x8902)  # FIOSETOWN, SIOCSPGRP
_X32 = 0x40000000
_MACHINES = {"x86_64": (0, 0xC000003E), "aarch64": (1, 0xC00000B7)}  # which of the numbers, and what tells the kernel
_FAMILIES = (
    socket.AF_INET,
    socket.AF_INET6,
    16,
)  # the last is netlink: getaddrinfo asks it for this machine's addresses


@dataclass(frozen=True, slots=True)
class _Rule:
    """A system call that is judged by one of its arguments.

    Attributes:
        call: Its numbers.
        argument: Which argument, from 0.
        values: What the argument is compared with.
        found: What is answered if it is one of them; otherwise, the other answer.
        comparison: How it is compared.
    """

    call: Numbers
    argument: int
    values: tuple[int, ...]
    found: int
    comparison: int = _EQUAL

    def lines(self, number: int) -> list[bytes]:
        """Write the rule as instructions."""
        lines = [_line(_LOAD, _ARGUMENTS_AT + 8 * self.argument)]
        for value in self.values:
            lines += [_line(self.comparison, value, otherwise=1), _line(_RETURN, self.found)]
        lines.append(_line(_RETURN, _REFUSE if self.found == _ALLOW else _ALLOW))
        return [_line(_EQUAL, number, otherwise=len(lines)), *lines]


def forbid(*, local_sockets: bool) -> bool:
    """Let the kernel refuse the calls from now on, for this process; it cannot be undone.

    Args:
        local_sockets: Whether the C library may ask services of this machine, such as Avahi, for the address of a name.
            Whatever else listens on local sockets can be asked then too.

    Returns:
        False where the kernel, or the machine, does not know how.
    """
    machine = _MACHINES.get(platform.machine())
    if machine is None or struct.calcsize("P") != 8:  # noqa: PLR2004  # bytes of a pointer: 64 bits
        return False
    library = ctypes.CDLL(None, use_errno=True)
    program = b"".join(_program(*machine, _rules(os.getpid(), local_sockets=local_sockets)))
    code = ctypes.create_string_buffer(program)
    described = ctypes.create_string_buffer(struct.pack("HxxxxxxP", len(program) // 8, ctypes.addressof(code)))
    if library.prctl(_SET_NO_NEW_PRIVILEGES, 1, 0, 0, 0) != 0:
        return False
    return bool(library.prctl(_SET_SECCOMP, _FILTER_MODE, described, 0, 0) == 0)


def _rules(own_pid: int, *, local_sockets: bool) -> list[_Rule]:
    families = (*_FAMILIES, socket.AF_UNIX) if local_sockets else _FAMILIES
    return [
        _Rule(system_calls.CLONE, 0, (_CLONE_THREAD,), _ALLOW, _HAS_BITS),
        _Rule(system_calls.KILL, 0, (own_pid,), _ALLOW),
        _Rule(system_calls.TGKILL, 0, (own_pid,), _ALLOW),
        _Rule(system_calls.PRLIMIT, 0, (0, own_pid), _ALLOW),
        _Rule(system_calls.PRCTL, 0, (_SET_PARENT_DEATH_SIGNAL,), _REFUSE),
        _Rule(system_calls.FCNTL, 1, _SIGNAL_SOMEBODY, _REFUSE),
        _Rule(system_calls.IOCTL, 1, _SIGNAL_SOMEBODY_TOO, _REFUSE),
        _Rule(system_calls.SOCKET, 0, families, _ALLOW),
    ]


def _program(machine: int, audit_architecture: int, rules: Iterable[_Rule]) -> list[bytes]:
    """Write the filter, as instructions of eight bytes."""
    lines = [
        _line(_LOAD, _ARCHITECTURE_AT),
        _line(_EQUAL, audit_architecture, then=1),
        _line(_RETURN, _KILL),
        _line(_LOAD, _NUMBER_AT),
        _line(_HAS_BITS, _X32, otherwise=1),  # another way to count the same calls
        _line(_RETURN, _REFUSE),
    ]
    answers = [(numbers, _REFUSE) for numbers in system_calls.REFUSED.values()]
    answers += [(system_calls.CLONE3, _MISSING), (system_calls.IO_URING_SETUP, _MISSING)]  # there is another way then
    for numbers, answer in answers:
        if (number := numbers[machine]) is not None:
            lines += [_line(_EQUAL, number, otherwise=1), _line(_RETURN, answer)]
    for rule in rules:
        if (number := rule.call[machine]) is not None:
            lines += rule.lines(number)
    return [*lines, _line(_RETURN, _ALLOW)]


def _line(code: int, value: int, *, then: int = 0, otherwise: int = 0) -> bytes:
    """Write one instruction, with how many to pass over where a comparison holds, and where it does not."""
    return struct.pack("HBBI", code, then, otherwise, value)
