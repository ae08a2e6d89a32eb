"""What the machine says of itself: whether it was started anew, and whether other machines share a directory."""

from __future__ import annotations

import os
from pathlib import Path

_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
_MOUNTS = Path("/proc/self/mountinfo")
_SHARED = frozenset(
    ("nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "virtiofs", "vboxsf", "afs", "ceph", "glusterfs", "lustre", "ocfs2",
     "gfs2", "beegfs", "davfs", "fuse.sshfs", "fuse.glusterfs", "fuse.rclone", "fuse.s3fs", "fuse.grpcfuse")
)  # fmt: skip


def boot_id() -> str:
    """Return what tells this start of the machine from any other; empty where the system does not say."""
    try:
        return _BOOT_ID.read_text().strip()
    except OSError:
        return ""


def is_shared(path: Path) -> bool:
    """Tell whether a directory lies on a file system that other machines may use at the same time.

    Locks and shared memory do not reach other machines there. Where the system does not say, it counts as not shared.
    """
    try:
        device = path.stat().st_dev
        return file_system_of(f"{os.major(device)}:{os.minor(device)}", _MOUNTS.read_text()) in _SHARED
    except OSError:
        return False


def file_system_of(device: str, mounts: str) -> str | None:
    """Return the type of the file system on a device, by the text of `/proc/self/mountinfo`; None if none is."""
    for line in mounts.splitlines():
        before, _, after = line.partition(" - ")
        fields = before.split(" ")
        if len(fields) > 2 and fields[2] == device:  # noqa: PLR2004  # the third field is the device
            return after.split(" ")[0]
    return None
