"""The file of the audit log: JSON Lines, only ever appended to, and put aside when it is large."""

from __future__ import annotations

import errno
import fcntl
import os
import stat
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from wellhead import durable
from wellhead.access.backwards import lines_backwards

_OPEN = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class AuditFile:
    """A file that many processes append to, and those that it was before: `audit.jsonl.1` is the last one.

    Who appends holds a lock on a file beside it, so that one process puts it aside, and half a line is seen and ended.
    """

    def __init__(self, path: Path, *, size: int, kept: int) -> None:
        """Keep a log in a file.

        Args:
            path: The file.
            size: Bytes above which it is put aside.
            kept: How many files are kept besides it.
        """
        self.path = path
        self._size = size
        self._kept = kept

    def append(self, lines: bytes) -> None:
        """Write whole lines, and return when they are on disk; all of them, or none.

        Raises:
            OSError: They could not be written.
        """
        durable.make_directory(self.path.parent)
        with self._locked(fcntl.LOCK_EX):
            descriptor, is_new = self._open(len(lines))
            try:
                _write_whole(descriptor, lines)
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
            if is_new:
                durable.sync_directory(self.path.parent)

    @contextmanager
    def newest_first(self) -> Iterator[Iterator[bytes]]:
        """Lend all lines, the last one first, as they are at this moment.

        Raises:
            OSError: They cannot be read.
        """
        with ExitStack() as stack:
            files: list[tuple[BinaryIO, int]] = []
            if self.path.parent.is_dir():
                with self._locked(fcntl.LOCK_SH):  # so that none is put aside meanwhile
                    for path in (self.path, *(self._former(number) for number in range(1, self._kept + 1))):
                        with suppress(FileNotFoundError):
                            file = stack.enter_context(os.fdopen(_ordinary(path, _READ), "rb"))
                            files.append((file, os.fstat(file.fileno()).st_size))
            yield (line for file, size in files for line in lines_backwards(file, size))

    def _open(self, more: int) -> tuple[int, bool]:
        """Open the file to append to; put it aside first, if it would get too large. Tell whether it is new."""
        if os.path.lexists(self.path) and 0 < self.path.lstat().st_size > self._size - more:
            for number in range(self._kept, 0, -1):
                with suppress(FileNotFoundError):
                    (self._former(number - 1) if number > 1 else self.path).rename(self._former(number))
            if not self._kept:
                self.path.unlink()
        is_new = not os.path.lexists(self.path)
        return _ordinary(self.path, _OPEN), is_new

    def _former(self, number: int) -> Path:
        return self.path.with_name(f"{self.path.name}.{number}")

    @contextmanager
    def _locked(self, how: int) -> Iterator[None]:
        descriptor = _ordinary(self.path.with_name(f".{self.path.name}.lock"), _OPEN)
        try:
            fcntl.flock(descriptor, how)
            yield
        finally:
            os.close(descriptor)


def _ordinary(path: Path, flags: int) -> int:
    """Open an ordinary file: no link, no pipe, no device."""
    descriptor = os.open(path, flags, 0o600)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "not an ordinary file")
    return descriptor


def _write_whole(descriptor: int, lines: bytes) -> None:
    """Write lines whole or not at all. What a crash has left of one is ended first, so that it spoils no other."""
    size = os.fstat(descriptor).st_size
    if size and os.pread(descriptor, 1, size - 1) != b"\n":
        lines = b"\n" + lines
    try:
        if os.write(descriptor, lines) != len(lines):
            raise OSError(errno.ENOSPC, "the disk is full")
    except OSError:
        with suppress(OSError):  # the first error is the one to report
            os.ftruncate(descriptor, size)
        raise
