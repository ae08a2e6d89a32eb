"""Opening files on a user's behalf: only below the workspace or a root of the settings, and by no link.

The path is walked component by component, each opened relative to the one before without following links, so that
nothing that is swapped on the way leads out. What is read is what was opened and checked.
"""

from __future__ import annotations

import contextlib
import errno
import io
import os
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

from pydantic_core import PydanticCustomError

from wellhead.errors import CheckFailedError
from wellhead.model.fields import check_path

MAX_READ_BYTES = 64 << 20
_DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_NO_FILE = {errno.ELOOP, errno.ENXIO, errno.ENAMETOOLONG}
_KERNEL_FILES = (Path("/proc"), Path("/sys"))

Place = tuple[int, int]
"""A device and an inode there: what a path leads to, however it is spelt."""


class FileGuard:
    """Opens files below certain roots, which are held open from the start."""

    def __init__(
        self,
        workspace: Path,
        roots: Iterable[Path] = (),
        *,
        forbidden: Iterable[Path] = (),
        max_bytes: int = MAX_READ_BYTES,
    ) -> None:
        """Open files below a workspace and other roots.

        Args:
            workspace: Where relative paths begin.
            roots: Directories below which absolute paths may lie.
            forbidden: Files and directories that are never opened, wherever they lie: the key ring, the store.
            max_bytes: The most bytes that may be read of one file.
        """
        self._forbidden = tuple(forbidden)
        self._workspace = os.open(workspace, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        self._roots = {root: os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC) for root in roots}
        self._max_bytes = max_bytes

    def close(self) -> None:
        """Give the descriptors of the roots back."""
        for descriptor in (self._workspace, *self._roots.values()):
            os.close(descriptor)

    def open(self, path: str) -> BinaryIO:
        """Open a file for reading.

        Args:
            path: Relative to the workspace, or absolute below a root.

        Raises:
            CheckFailedError: `file_unavailable`: missing, outside, hidden, behind a link, not an ordinary file, or not
                permitted (one code for all of them); `file_unreadable`: the disk reported an error.
        """
        try:
            check_path(path)
            root, parts = self._locate(path)
            descriptor = _walk(root, parts, self._kept_out())
        except (PydanticCustomError, FileNotFoundError, NotADirectoryError, PermissionError, ValueError):
            raise CheckFailedError("file_unavailable") from None  # a `ValueError` where no file can have such a name
        except OSError as error:
            raise CheckFailedError("file_unavailable" if error.errno in _NO_FILE else "file_unreadable") from None
        return io.BufferedReader(_CountedFile(descriptor, self._max_bytes))

    def _locate(self, path: str) -> tuple[int, list[str]]:
        """Return the root that a path lies below, and the components from there."""
        if not path.startswith("/"):
            return self._workspace, path.split("/")
        for root, descriptor in self._roots.items():
            parts = Path(path).relative_to(root).parts if Path(path).is_relative_to(root) else ()
            if parts:
                return descriptor, list(parts)
        raise FileNotFoundError

    def _kept_out(self) -> frozenset[Place]:
        """Return where the forbidden files are just now: the key ring is replaced when it is rotated."""
        return frozenset(place for path in self._forbidden for place in _place_of(path))


def _place_of(path: Path) -> Iterator[Place]:
    with contextlib.suppress(OSError):
        seen = path.stat()
        yield seen.st_dev, seen.st_ino


def _walk(root: int, parts: list[str], kept_out: frozenset[Place]) -> int:
    """Open a file, component by component; each of them is judged."""
    kernel = {place[0] for path in _KERNEL_FILES for place in _place_of(path)}
    descriptor = os.dup(root)
    try:
        for flags, part in zip([_DIRECTORY] * (len(parts) - 1) + [_FILE], parts, strict=True):
            below = os.open(part, flags, dir_fd=descriptor)
            os.close(descriptor)
            descriptor = below
            seen = os.fstat(descriptor)
            if seen.st_dev in kernel or (seen.st_dev, seen.st_ino) in kept_out:
                raise PermissionError
        _check(os.fstat(descriptor), os.fstat(root))
    except (OSError, ValueError):
        os.close(descriptor)
        raise
    return descriptor


def _check(seen: os.stat_result, root: os.stat_result) -> None:
    """Refuse what is no ordinary file of the user: devices, pipes, directories, links to others' files."""
    foreign_link = seen.st_nlink > 1 and seen.st_uid != root.st_uid
    if not stat.S_ISREG(seen.st_mode) or foreign_link:
        raise PermissionError


class _CountedFile(io.RawIOBase):
    """A file of which only so much may be read: what counts is what was read, not what it says of its size."""

    def __init__(self, descriptor: int, max_bytes: int) -> None:
        self._descriptor = descriptor
        self._left = max_bytes

    def readable(self) -> bool:
        return True

    def fileno(self) -> int:
        return self._descriptor

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]  # the buffer is one
        data = os.read(self._descriptor, len(buffer))
        self._left -= len(data)
        if self._left < 0:
            raise CheckFailedError("file_too_large")
        buffer[: len(data)] = data
        return len(data)

    def close(self) -> None:
        if not self.closed:
            os.close(self._descriptor)
        super().close()
