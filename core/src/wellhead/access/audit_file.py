"""The file of the audit log: JSON Lines, only ever appended to, and put aside when it is large."""

from __future__ import annotations

import errno
import fcntl
import os
import stat
import threading
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from wellhead import durable
from wellhead.access.backwards import lines_backwards

_OPEN = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class AuditFile:
    """A file that many processes append to, and those that it was before: `audit.jsonl.1` is the last one.

    Who appends holds a lock on a file beside it, so that one process puts it aside, and half a line is seen and ended.
    Both stay open from one time to the next, and are opened anew where another file has the name by then.
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
        self._turn = threading.Lock()
        self._lock = _OpenFile(path.with_name(f".{path.name}.lock"))
        self._file = _OpenFile(path)

    def append(self, lines: bytes) -> None:
        """Write whole lines, and return when they are on disk; all of them, or none.

        Raises:
            OSError: They could not be written.
        """
        with self._turn:
            with self._alone():
                descriptor = self._file.descriptor()
                size = os.fstat(descriptor).st_size
                if 0 < size > self._size - len(lines):
                    self._put_aside()
                    descriptor, size = self._file.descriptor(), 0
                _write_whole(descriptor, lines, size)
                if not size:  # it may be new, and nobody is to rely on its name before that is on disk
                    durable.sync_directory(self.path.parent)
            os.fsync(descriptor)  # others may append meanwhile

    def close(self) -> None:
        """Give back what is held open; more may be appended afterwards."""
        with self._turn:
            self._file.close()
            self._lock.close()

    @contextmanager
    def newest_first(self) -> Iterator[Iterator[bytes]]:
        """Lend all lines, the last one first, as they are at this moment.

        Raises:
            OSError: They cannot be read.
        """
        with ExitStack() as stack:
            files: list[tuple[BinaryIO, int]] = []
            if self.path.parent.is_dir():
                with self._shared():  # so that none is put aside meanwhile
                    for path in (self.path, *(self._former(number) for number in range(1, self._kept + 1))):
                        with suppress(FileNotFoundError):
                            file = stack.enter_context(os.fdopen(_ordinary(path, _READ), "rb"))
                            files.append((file, os.fstat(file.fileno()).st_size))
            yield (line for file, size in files for line in lines_backwards(file, size))

    def _put_aside(self) -> None:
        for number in range(self._kept, 0, -1):
            with suppress(FileNotFoundError):
                (self._former(number - 1) if number > 1 else self.path).rename(self._former(number))
        if not self._kept:
            self.path.unlink()

    def _former(self, number: int) -> Path:
        return self.path.with_name(f"{self.path.name}.{number}")

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Hold the lock; one on a file that somebody removed meanwhile would keep nobody out."""
        descriptor = self._lock.descriptor()
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        while not self._lock.has_its_name():
            descriptor = self._lock.descriptor()
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        try:
            yield
        finally:
            fcntl.flock(descriptor, fcntl.LOCK_UN)

    @contextmanager
    def _shared(self) -> Iterator[None]:
        """Hold the lock together with others who read, by a descriptor of its own: locks belong to what was opened."""
        with closing(_OpenFile(self._lock.path)) as lock:
            fcntl.flock(lock.descriptor(), fcntl.LOCK_SH)
            yield


class _OpenFile:
    """A file to append to, open for as long as it has its name."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._opened: tuple[int, os.stat_result] | None = None

    def descriptor(self) -> int:
        """Return the descriptor of the file that has the name, which is made where there is none.

        Raises:
            OSError: It cannot be opened, or is no ordinary file.
        """
        if self._opened is not None and self.has_its_name():
            return self._opened[0]
        self.close()
        durable.make_directory(self.path.parent)
        descriptor = _ordinary(self.path, _OPEN)
        self._opened = descriptor, os.fstat(descriptor)
        return descriptor

    def has_its_name(self) -> bool:
        """Tell whether the file that is open is the one that has the name."""
        try:
            return self._opened is not None and os.path.samestat(self._opened[1], os.lstat(self.path))
        except FileNotFoundError:
            return False

    def close(self) -> None:
        """Close it, if it is open."""
        if self._opened is not None:
            os.close(self._opened[0])
            self._opened = None


def _ordinary(path: Path, flags: int) -> int:
    """Open an ordinary file: no link, no pipe, no device."""
    descriptor = os.open(path, flags, 0o600)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.EINVAL, "not an ordinary file")
    return descriptor


def _write_whole(descriptor: int, lines: bytes, size: int) -> None:
    """Write lines whole or not at all. What a crash has left of one is ended first, so that it spoils no other."""
    if size and os.pread(descriptor, 1, size - 1) != b"\n":
        lines = b"\n" + lines
    try:
        if os.write(descriptor, lines) != len(lines):
            raise OSError(errno.ENOSPC, "the disk is full")
    except OSError:
        with suppress(OSError):  # the first error is the one to report
            os.ftruncate(descriptor, size)
        raise
