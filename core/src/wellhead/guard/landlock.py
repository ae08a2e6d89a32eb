"""What of the file system a worker may see, held by the kernel (Landlock): Python, libraries, and no file of a user.

Data files come to a worker as open descriptors, which this does not touch.
"""

from __future__ import annotations

import ctypes
import os
import struct
from collections.abc import Iterable
from pathlib import Path

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_SET_NO_NEW_PRIVILEGES = 38
_VERSION_FLAG, _BENEATH = 1, 1
_EXECUTE, _WRITE, _READ_FILE, _READ_DIRECTORY = 1 << 0, 1 << 1, 1 << 2, 1 << 3
_ALL_OF_FIRST_VERSION = (1 << 13) - 1
_REFER, _TRUNCATE, _DEVICES = 1 << 13, 1 << 14, 1 << 15  # versions 2, 3 and 5
_SCOPE_ABSTRACT_SOCKETS_AND_SIGNALS = 0b11  # version 6
_SCOPES_SINCE = 6

SYSTEM = (
    "/usr",
    "/lib",
    "/lib64",
    "/bin",
    "/opt",
    "/nix/store",
    "/etc",
    "/run/systemd/resolve",
    "/run/resolvconf",
    "/dev/urandom",
    "/dev/random",
    "/proc/self",
    "/proc/cpuinfo",
    "/proc/meminfo",
    "/proc/sys",
    "/sys/devices/system/cpu",
)
"""Where an operating system keeps programs, libraries, certificates, time zones and how names are resolved."""


def is_supported() -> bool:
    """Tell whether the kernel knows how (Linux 5.13, if it was not left out)."""
    return bool(ctypes.CDLL(None).syscall(_CREATE_RULESET, None, ctypes.c_size_t(0), _VERSION_FLAG) >= 1)


def allow_reading(paths: Iterable[str | Path]) -> bool:
    """Let the kernel refuse, from now on, to open any file but below these paths, and to write anywhere.

    `/dev/null` stays. Where the kernel can (Linux 6.12), signals to processes outside are refused too.

    Returns:
        False where the kernel does not know how.
    """
    library = ctypes.CDLL(None, use_errno=True)
    version = library.syscall(_CREATE_RULESET, None, ctypes.c_size_t(0), _VERSION_FLAG)
    if version < 1:
        return False
    handled = _ALL_OF_FIRST_VERSION
    handled |= sum(right for since, right in ((2, _REFER), (3, _TRUNCATE), (5, _DEVICES)) if version >= since)
    scopes = _SCOPE_ABSTRACT_SOCKETS_AND_SIGNALS if version >= _SCOPES_SINCE else 0
    attributes = struct.pack("QQQ", handled, 0, scopes)
    size = 24 if version >= _SCOPES_SINCE else 8
    ruleset = library.syscall(_CREATE_RULESET, attributes, ctypes.c_size_t(size), 0)
    if ruleset < 0:
        return False
    try:
        for path in paths:
            _allow(library, ruleset, path, _EXECUTE | _READ_FILE | _READ_DIRECTORY)
        _allow(library, ruleset, "/dev/null", _WRITE | _READ_FILE)
        library.prctl(_SET_NO_NEW_PRIVILEGES, 1, 0, 0, 0)
        return bool(library.syscall(_RESTRICT_SELF, ruleset, 0) == 0)
    finally:
        os.close(ruleset)


def _allow(library: ctypes.CDLL, ruleset: int, path: str | Path, rights: int) -> None:
    """Add a path to what is allowed; one that is not there is no matter."""
    try:
        place = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return
    try:
        if not os.path.isdir(path):  # noqa: PTH112  # a directory's rights do not go with a file
            rights &= ~_READ_DIRECTORY
        library.syscall(_ADD_RULE, ruleset, _BENEATH, struct.pack("=Qi", rights, place), 0)
    finally:
        os.close(place)
