"""The system call `openat2` (Linux 5.6), which Python does not offer: the kernel keeps a name below a directory."""

from __future__ import annotations

import ctypes
import errno
import os
import sys

_NUMBER = 437  # since Linux 5.0 a new system call has one number on x86_64, aarch64 and nearly all others
_NO_MAGICLINKS, _NO_SYMLINKS, _BENEATH = 0x02, 0x04, 0x08
_ATTEMPTS = 16
_AGAIN = (errno.EAGAIN, errno.EINTR)


class _How(ctypes.Structure):
    """`struct open_how`."""

    _fields_ = (("flags", ctypes.c_uint64), ("mode", ctypes.c_uint64), ("resolve", ctypes.c_uint64))


_syscall = ctypes.CDLL(None, use_errno=True).syscall
_syscall.restype = ctypes.c_long
_syscall.argtypes = (ctypes.c_long, ctypes.c_int, ctypes.c_char_p, ctypes.POINTER(_How), ctypes.c_size_t)


def is_supported() -> bool:
    """Tell whether the call works here: kernels before 5.6, other systems and some sandboxes do not have it."""
    if sys.platform != "linux":
        return False
    try:
        root = os.open("/", os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        os.close(open_below(root, ".", os.O_PATH | os.O_CLOEXEC))
    except OSError:  # `ENOSYS`; a sandbox may also answer `EPERM`
        return False
    finally:
        os.close(root)
    return True


def open_below(directory: int, name: str, flags: int) -> int:
    """Open what is below a directory, and reached without leaving it and without any link.

    Mounts may be crossed: a volume that is mounted below a root belongs to it.

    Args:
        directory: A descriptor of the directory.
        name: A path from there.
        flags: What `os.open` takes; nothing is created.

    Returns:
        A descriptor; it is inherited unless the flags have `O_CLOEXEC`.

    Raises:
        ValueError: No file can have this name.
        OSError: With `EXDEV` the name leads out, with `ELOOP` over a link; `EAGAIN` if the tree keeps changing.
    """
    encoded = os.fsencode(name)
    if b"\0" in encoded:
        raise ValueError("embedded null character")  # C would take what is before it
    how = _How(flags=flags, mode=0, resolve=_BENEATH | _NO_MAGICLINKS | _NO_SYMLINKS)
    code = errno.EAGAIN
    for _ in range(_ATTEMPTS):
        descriptor = int(_syscall(_NUMBER, directory, encoded, ctypes.byref(how), ctypes.sizeof(how)))
        if descriptor >= 0:
            return descriptor
        code = ctypes.get_errno()
        if code not in _AGAIN:
            break
    raise OSError(code, os.strerror(code))
