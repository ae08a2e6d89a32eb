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
from typing import BinaryIO, NamedTuple

from pydantic_core import PydanticCustomError

from wellhead.errors import CheckFailedError
from wellhead.guard import openat2
from wellhead.guard.filesystems import is_of_the_kernel
from wellhead.model.fields import check_path

MAX_READ_BYTES = 64 << 20
_ROOT = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
_DIRECTORY = getattr(os, "O_PATH", os.O_RDONLY) | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_FAULTS = {
    errno.EIO, errno.ENOTCONN, errno.ESTALE, errno.ETIMEDOUT, errno.EMFILE, errno.ENFILE, errno.ENOMEM,
}  # fmt: skip
"""What tells of the machine, and nothing of the path. Every other error is the one answer `file_unavailable`."""

Place = tuple[int, int]
"""A device and an inode there: what a path leads to, however it is spelt."""


class _Root(NamedTuple):
    """A directory that is held open, with its own place and those of all directories above it."""

    descriptor: int
    lineage: frozenset[Place]


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

        Raises:
            OSError: One of the directories cannot be opened.
        """
        self._open_below = openat2.open_below if openat2.is_supported() else _open_component
        self._forbidden = tuple(forbidden)
        self._max_bytes = max_bytes
        with contextlib.ExitStack() as opened:
            self._workspace = _held(workspace, opened)
            self._roots = {root: _held(root, opened) for root in roots}
            self._opened = opened.pop_all()

    @property
    def max_bytes(self) -> int:
        """The most bytes that may be read of one file."""
        return self._max_bytes

    def close(self) -> None:
        """Give the descriptors of the roots back."""
        self._opened.close()

    def open(self, path: str) -> BinaryIO:
        """Open a file for reading in this process, as `open_descriptor` does it.

        Raises:
            CheckFailedError: `file_unavailable` or `file_unreadable`.
        """
        return counted_file(self.open_descriptor(path), self._max_bytes)

    def open_descriptor(self, path: str) -> int:
        """Open a file for reading, to be handed to a process that does the reading. A dead network disk may block.

        Args:
            path: Relative to the workspace, or absolute below a root.

        Returns:
            A descriptor, which the caller closes. It is not inherited.

        Raises:
            CheckFailedError: `file_unavailable`: missing, outside, hidden, behind a link, not an ordinary file, or not
                permitted (one code for all of them); `file_unreadable`: the disk reported an error.
        """
        try:
            check_path(path)
            root, parts = self._locate(path)
            return self._walk(root, parts)
        except (PydanticCustomError, ValueError):  # a `ValueError` where no file can have such a name
            raise CheckFailedError("file_unavailable") from None
        except OSError as error:
            raise CheckFailedError("file_unreadable" if error.errno in _FAULTS else "file_unavailable") from None

    def _locate(self, path: str) -> tuple[_Root, list[str]]:
        """Return the root that a path lies below, and the components from there."""
        if not path.startswith("/"):
            return self._workspace, path.split("/")
        for root, held in self._roots.items():
            parts = Path(path).relative_to(root).parts if Path(path).is_relative_to(root) else ()
            if parts:
                return held, list(parts)
        raise FileNotFoundError

    def _walk(self, root: _Root, parts: list[str]) -> int:
        """Open a file, component by component; each of them is judged.

        `openat2` could take the path at once, but would tell of its end only: that a directory on the way is the store
        could be found out only by a second look, at what may be another directory by then.
        """
        kept_out = self._kept_out()
        if not kept_out.isdisjoint(root.lineage):
            raise PermissionError
        descriptor = os.dup(root.descriptor)
        try:
            for flags, part in zip([_DIRECTORY] * (len(parts) - 1) + [_FILE], parts, strict=True):
                below = self._open_below(descriptor, part, flags)
                os.close(descriptor)
                descriptor = below
                if _place(os.fstat(descriptor)) in kept_out or is_of_the_kernel(descriptor):
                    raise PermissionError
            self._check(os.fstat(descriptor), os.fstat(root.descriptor))
        except (OSError, ValueError):
            os.close(descriptor)
            raise
        return descriptor

    def _kept_out(self) -> frozenset[Place]:
        """Return where the forbidden files are just now: the key ring is replaced when it is rotated."""
        return frozenset(place for path in self._forbidden for place in _place_of(path))

    def _check(self, seen: os.stat_result, root: os.stat_result) -> None:
        """Refuse what is no ordinary file of the user: devices, pipes, directories, links to others' files."""
        if not stat.S_ISREG(seen.st_mode):
            raise PermissionError
        if seen.st_nlink > 1 and (seen.st_uid != root.st_uid or self._is_kept_out_by_another_name(seen)):
            raise PermissionError

    def _is_kept_out_by_another_name(self, seen: os.stat_result) -> bool:
        """Tell whether a file with several names has one of them below a forbidden directory."""
        directories = (path for path in self._forbidden if path.is_dir() and path.stat().st_dev == seen.st_dev)
        return any(seen.st_ino in _inodes_below(path) for path in directories)


def counted_file(descriptor: int, max_bytes: int = MAX_READ_BYTES) -> BinaryIO:
    """Make a file of a descriptor, of which only so much may be read.

    Args:
        descriptor: Of a file that is open for reading. The file owns it from now on.
        max_bytes: The most bytes that may be read. Who reads on gets a `CheckFailedError` `file_too_large`.
    """
    return io.BufferedReader(_CountedFile(descriptor, max_bytes))


def _open_component(directory: int, name: str, flags: int) -> int:
    """Do for a single component what `openat2` does."""
    if name in {"", ".", ".."} or "/" in name:
        raise PermissionError
    return os.open(name, flags, dir_fd=directory)


def _held(path: Path, opened: contextlib.ExitStack) -> _Root:
    descriptor = os.open(path, _ROOT)
    opened.callback(os.close, descriptor)
    lineage: set[Place] = set()
    above = "."
    while (place := _place(os.stat(above, dir_fd=descriptor))) not in lineage:
        lineage.add(place)
        above += "/.."
    return _Root(descriptor, frozenset(lineage))


def _place(seen: os.stat_result) -> Place:
    return seen.st_dev, seen.st_ino


def _place_of(path: Path) -> Iterator[Place]:
    with contextlib.suppress(OSError):
        yield _place(path.stat())


def _inodes_below(directory: Path | str) -> Iterator[int]:
    """Return the inodes of all files below a directory, from its entries alone: a store may have many."""
    with os.scandir(directory) as entries:
        for entry in entries:
            yield entry.inode()
            if entry.is_dir(follow_symlinks=False):
                yield from _inodes_below(entry.path)


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
        try:
            data = os.read(self._descriptor, len(buffer))
        except OSError:
            raise CheckFailedError("file_unreadable") from None
        self._left -= len(data)
        if self._left < 0:
            raise CheckFailedError("file_too_large")
        buffer[: len(data)] = data
        return len(data)

    def close(self) -> None:
        if not self.closed:
            os.close(self._descriptor)
        super().close()
