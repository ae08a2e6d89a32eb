"""What the machine says of where a directory lies: whether other machines use it too."""

from __future__ import annotations

import os
from pathlib import Path

_MOUNTS = Path("/proc/self/mountinfo")
_SHARED = frozenset(
    ("nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "virtiofs", "vboxsf", "afs", "ceph", "glusterfs", "lustre", "ocfs2",
     "gfs2", "beegfs", "davfs", "fuse.sshfs", "fuse.glusterfs", "fuse.rclone", "fuse.s3fs", "fuse.grpcfuse")
)  # fmt: skip


def is_shared(path: Path) -> bool:
    """Tell whether a directory lies on a file system that other machines may use at the same time.

    Where the system does not say, it counts as not shared.
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
