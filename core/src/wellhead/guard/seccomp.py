"""System calls that a worker may not make, held by the kernel (seccomp): whatever code asks, Python or not.

A worker starts no process and no program, signals nobody, looks into nobody, and takes no way around `connect`.
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import struct
from dataclasses import dataclass

_SET_NO_NEW_PRIVILEGES, _SET_SECCOMP, _FILTER_MODE = 38, 22, 2
# Berkeley packet filter: load a word, compare, test bits, return (linux/filter.h, linux/seccomp.h).
_LOAD, _EQUAL, _HAS_BITS, _RETURN = 0x20, 0x15, 0x45, 0x06
_ALLOW, _ERROR, _KILL = 0x7FFF0000, 0x00050000, 0x80000000
_NUMBER_AT, _ARCHITECTURE_AT, _FIRST_ARGUMENT_AT = 0, 4, 16
_CLONE_THREAD = 0x00010000
_X32 = 0x40000000


@dataclass(frozen=True, slots=True)
class _Machine:
    """The numbers of system calls on one kind of machine (the kernel's `unistd.h`)."""

    audit_architecture: int
    clone: int
    kill: int
    tgkill: int
    refused: tuple[int, ...]
    clone3: int = 435
    io_uring_setup: int = 425


_MACHINES = {
    # fork, vfork, execve, ptrace, tkill, unshare, setns, process_vm_readv, process_vm_writev, bpf, execveat,
    # userfaultfd, pidfd_send_signal, pidfd_getfd
    "x86_64": _Machine(0xC000003E, 56, 62, 234, (57, 58, 59, 101, 200, 272, 308, 310, 311, 321, 322, 323, 424, 438)),
    # the same, but fork and vfork, which are not there
    "aarch64": _Machine(0xC00000B7, 220, 129, 131, (221, 117, 130, 97, 268, 270, 271, 280, 281, 282, 424, 438)),
}


def forbid_processes() -> bool:
    """Let the kernel refuse the calls from now on, for this process; it cannot be undone.

    Returns:
        False where the kernel, or the machine, does not know how.
    """
    machine = _MACHINES.get(platform.machine())
    if machine is None or struct.calcsize("P") != 8:  # noqa: PLR2004  # bytes of a pointer: 64 bits
        return False
    library = ctypes.CDLL(None, use_errno=True)
    program = b"".join(_program(machine, os.getpid()))
    code = ctypes.create_string_buffer(program)
    described = ctypes.create_string_buffer(struct.pack("HxxxxxxP", len(program) // 8, ctypes.addressof(code)))
    if library.prctl(_SET_NO_NEW_PRIVILEGES, 1, 0, 0, 0) != 0:
        return False
    return bool(library.prctl(_SET_SECCOMP, _FILTER_MODE, described, 0, 0) == 0)


def _program(machine: _Machine, own_pid: int) -> list[bytes]:
    """Write the filter, as instructions of eight bytes."""
    refuse, missing = _ERROR | errno.EPERM, _ERROR | errno.ENOSYS
    lines = [
        _line(_LOAD, _ARCHITECTURE_AT),
        _line(_EQUAL, machine.audit_architecture, then=1),
        _line(_RETURN, _KILL),
        _line(_LOAD, _NUMBER_AT),
        _line(_HAS_BITS, _X32, otherwise=1),  # another way to count the same calls
        _line(_RETURN, refuse),
    ]
    for number in machine.refused:
        lines += [_line(_EQUAL, number, otherwise=1), _line(_RETURN, refuse)]
    for number in (machine.clone3, machine.io_uring_setup):  # the C library then takes `clone`
        lines += [_line(_EQUAL, number, otherwise=1), _line(_RETURN, missing)]
    first = [
        (machine.clone, _HAS_BITS, _CLONE_THREAD),
        (machine.kill, _EQUAL, own_pid),
        (machine.tgkill, _EQUAL, own_pid),
    ]
    for number, comparison, value in first:
        lines += [_line(_EQUAL, number, otherwise=4), _line(_LOAD, _FIRST_ARGUMENT_AT)]
        lines += [_line(comparison, value, otherwise=1), _line(_RETURN, _ALLOW), _line(_RETURN, refuse)]
    return [*lines, _line(_RETURN, _ALLOW)]


def _line(code: int, value: int, *, then: int = 0, otherwise: int = 0) -> bytes:
    """Write one instruction, with how many to pass over where a comparison holds, and where it does not."""
    return struct.pack("HBBI", code, then, otherwise, value)
