"""The system calls that a worker has no use for, with their numbers (the kernel's `unistd.h`).

What needs a power of root is not here: a worker has none, and no way to get one.
"""

from __future__ import annotations

Numbers = tuple[int | None, int | None]
"""On x86_64 and on aarch64; None where a machine does not have the call."""

CLONE: Numbers = (56, 220)
CLONE3: Numbers = (435, 435)
FCNTL: Numbers = (72, 25)
IOCTL: Numbers = (16, 29)
IO_URING_SETUP: Numbers = (425, 425)
KILL: Numbers = (62, 129)
PRCTL: Numbers = (157, 167)
PRLIMIT: Numbers = (302, 261)
SOCKET: Numbers = (41, 198)
TGKILL: Numbers = (234, 131)

_PROCESSES: dict[str, Numbers] = {
    "fork": (57, None),
    "vfork": (58, None),
    "execve": (59, 221),
    "execveat": (322, 281),
    "unshare": (272, 97),
    "setns": (308, 268),
}
"""What starts processes and programs, or takes this one elsewhere."""
_OTHERS: dict[str, Numbers] = {
    "tkill": (200, 130),
    "rt_sigqueueinfo": (129, 138),
    "rt_tgsigqueueinfo": (297, 240),
    "pidfd_send_signal": (424, 424),
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "process_madvise": (440, 440),
    "process_mrelease": (448, 448),
    "pidfd_getfd": (438, 438),
    "kcmp": (312, 272),
    "migrate_pages": (256, 238),
    "move_pages": (279, 239),
    "setpriority": (141, 140),
    "ioprio_set": (251, 30),
    "sched_setparam": (142, 118),
    "sched_setscheduler": (144, 119),
    "sched_setaffinity": (203, 122),
    "sched_setattr": (314, 274),
    "perf_event_open": (298, 241),
    "bpf": (321, 280),
    "userfaultfd": (323, 282),
}
"""What signals other processes of the same user, looks into them, or slows them down."""
_FILES: dict[str, Numbers] = {
    "chmod": (90, None),
    "fchmod": (91, 52),
    "fchmodat": (268, 53),
    "fchmodat2": (452, 452),
    "chown": (92, None),
    "lchown": (94, None),
    "fchown": (93, 55),
    "fchownat": (260, 54),
    "utime": (132, None),
    "utimes": (235, None),
    "futimesat": (261, None),
    "utimensat": (280, 88),
    "setxattr": (188, 5),
    "lsetxattr": (189, 6),
    "fsetxattr": (190, 7),
    "setxattrat": (463, 463),
    "removexattr": (197, 14),
    "lremovexattr": (198, 15),
    "fremovexattr": (199, 16),
    "removexattrat": (466, 466),
    "file_setattr": (469, 469),
    "truncate": (76, 45),
}
"""What changes a file without opening it, which Landlock does not hold."""
_SHARED: dict[str, Numbers] = {
    "shmget": (29, 194),
    "shmat": (30, 196),
    "shmctl": (31, 195),
    "semget": (64, 190),
    "semop": (65, 193),
    "semtimedop": (220, 192),
    "semctl": (66, 191),
    "msgget": (68, 186),
    "msgsnd": (69, 189),
    "msgrcv": (70, 188),
    "msgctl": (71, 187),
    "mq_open": (240, 180),
    "mq_unlink": (241, 181),
    "add_key": (248, 217),
    "request_key": (249, 218),
    "keyctl": (250, 219),
}
"""What all processes of a user share, outside of the limit of memory: System V's and POSIX' memory, queues, keys."""
_SERVING: dict[str, Numbers] = {
    "listen": (50, 201),
    "accept": (43, 202),
    "accept4": (288, 242),
}
"""What lets others dial in; `bind` stays, as the C library needs it to ask the kernel for this machine's addresses."""

REFUSED: dict[str, Numbers] = _PROCESSES | _OTHERS | _FILES | _SHARED | _SERVING
"""All of them, by their names."""
