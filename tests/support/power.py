"""Power cuts: a file system of the test's own in a loop device, which is shut down and mounted again."""

from __future__ import annotations

import fcntl
import os
import struct
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

from support.programs import missing_service

Journal = Literal["lost", "flushed"]
_SHUTDOWN = 0x8004587D
"""`EXT4_IOC_SHUTDOWN`: from then on nothing reaches the disk."""
_FLAGS: dict[Journal, int] = {"lost": 2, "flushed": 1}


class Disk:
    """An ext4 file system with 32 MiB.

    Attributes:
        path: Where it is mounted.
    """

    def __init__(self, directory: Path) -> None:
        self._image = directory / "disk.img"
        self.path = directory / "disk"

    def make(self) -> None:
        """Make the file system, and mount it; skip the test, loudly, where that is not allowed."""
        self.path.mkdir()
        with self._image.open("wb") as file:
            file.truncate(32 << 20)
        for command in (["mkfs.ext4", "-q", str(self._image)], self._mount):
            try:
                done = subprocess.run(command, capture_output=True, check=False)
            except FileNotFoundError:
                missing_service(f"{command[0]} is not installed: no power was cut.")
            if done.returncode:
                missing_service(f"this user may not mount a loop device: {done.stderr.decode().strip()}")

    def cut_power(self, journal: Journal) -> None:
        """Let nothing more reach the disk, and start again with what did.

        Args:
            journal: What becomes of the journal in memory: a cut at the worst moment for data is one that comes right
                after it was flushed.
        """
        descriptor = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY)
        try:
            fcntl.ioctl(descriptor, _SHUTDOWN, struct.pack("I", _FLAGS[journal]))
        finally:
            os.close(descriptor)
        subprocess.run(["umount", str(self.path)], check=True)
        subprocess.run(self._mount, check=True)

    @property
    def _mount(self) -> list[str]:
        return ["mount", "-o", "loop", str(self._image), str(self.path)]


@contextmanager
def disk_of(directory: Path) -> Iterator[Disk]:
    """Make a disk in a directory, and take it away at the end."""
    disk = Disk(directory)
    disk.make()
    try:
        yield disk
    finally:
        subprocess.run(["umount", "-l", str(disk.path)], check=True)
