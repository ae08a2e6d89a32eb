"""What kind of file system a file is on: the kernel's own look like files, and are none of anybody's data."""

from __future__ import annotations

import ctypes
import os
import sys

_KERNEL_TYPES = frozenset({
    0x00009FA0,  # proc
    0x62656572,  # sysfs
    0x0027E0EB,  # cgroup
    0x63677270,  # cgroup 2
    0x62656570,  # configfs
    0x64626720,  # debugfs
    0x74726163,  # tracefs
    0x73636673,  # securityfs
    0xF97CFF8C,  # selinuxfs
    0x43415D53,  # smackfs
    0x5A3C69F0,  # apparmorfs
    0xCAFE4A11,  # bpf
    0x6165676C,  # pstore
    0xDE5E81E4,  # efivarfs
    0x42494E4D,  # binfmt_misc
    0x65735543,  # fusectl
    0x6E736673,  # nsfs
    0x67596969,  # rpc_pipefs
    0x6E667364,  # nfsd
    0x07655821,  # resctrl
    0x19800202,  # mqueue
    0x00001CD1,  # devpts
    0x00009FA2,  # usbdevfs
})  # fmt: skip
"""The `f_type` of each, from `linux/magic.h` and the kernel's own sources."""

_TYPE_BYTES = ctypes.sizeof(ctypes.c_long)
_ANSWER_BYTES = 256  # more than any `struct statfs` has

_fstatfs = ctypes.CDLL(None, use_errno=True).fstatfs
_fstatfs.argtypes = (ctypes.c_int, ctypes.c_char_p)


def is_of_the_kernel(descriptor: int) -> bool:
    """Tell whether a file is on a file system such as `/proc` and `/sys`, wherever that is mounted.

    Raises:
        OSError: The file system does not tell.
    """
    if sys.platform != "linux":  # macOS has none
        return False
    answer = ctypes.create_string_buffer(_ANSWER_BYTES)
    if _fstatfs(descriptor, answer):
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    kind = int.from_bytes(answer.raw[:_TYPE_BYTES], sys.byteorder)  # `f_type` is the first field
    return kind & 0xFFFFFFFF in _KERNEL_TYPES
