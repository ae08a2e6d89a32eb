"""A disk whose power can be cut: a file system on a loop device that is shut down, and loses what was not synced."""

from __future__ import annotations

import fcntl
import os
import struct
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from support.programs import missing_service

_SHUTDOWN = 0x8004587D  # EXT4_IOC_SHUTDOWN
_WITHOUT_FLUSHING = 2


@dataclass(frozen=True, slots=True)
class Disk:
    """A disk with an ext4 file system.

    Attributes:
        image: The file that it is in.
        path: Where it is mounted.
    """

    image: Path
    path: Path

    def cut(self) -> None:
        """Cut the power, and start again with what is on the disk. A file that was not synced must be gone then."""
        unsynced = self.path / f"unsynced-{os.urandom(4).hex()}"
        unsynced.write_bytes(b"not synced")
        descriptor = os.open(self.path, os.O_RDONLY)
        try:
            fcntl.ioctl(descriptor, _SHUTDOWN, struct.pack("I", _WITHOUT_FLUSHING))
        finally:
            os.close(descriptor)
        try:
            (self.path / "after").write_bytes(b"x")
        except OSError:
            pass
        else:
            raise AssertionError("the power is not cut")
        subprocess.run(["umount", "-l", str(self.path)], check=True)
        self._mount()
        assert not unsynced.exists(), "nothing is lost, so no power was cut"

    def _mount(self) -> None:
        done = subprocess.run(
            ["mount", "-o", "loop", str(self.image), str(self.path)], capture_output=True, text=True, check=False
        )
        if done.returncode:
            missing_service(f"this user may not mount a file system: {done.stderr.strip()}. No power was cut.")


@contextmanager
def disk(directory: Path) -> Iterator[Disk]:
    """Make a disk of 32 MiB below a directory; skip the test loudly where that is not allowed."""
    made = Disk(directory / "disk.img", directory / "disk")
    made.path.mkdir()
    with made.image.open("wb") as file:
        file.truncate(32 << 20)
    try:
        subprocess.run(["mkfs.ext4", "-q", str(made.image)], check=True)
    except FileNotFoundError:
        missing_service("mkfs.ext4 is not installed. No power was cut.")
    made._mount()
    try:
        yield made
    finally:
        subprocess.run(["umount", "-l", str(made.path)], check=False)
