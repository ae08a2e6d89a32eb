"""Small files of our own: written so that a crash leaves all or nothing, read without falling for what is no file."""

from __future__ import annotations

import errno
import os
import secrets
import stat
from contextlib import suppress
from pathlib import Path

_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


def write_new_file(path: Path, content: bytes) -> None:
    """Make a file with mode 0600, whole and on disk; if there is one already, see to it that that one is on disk.

    The content is written under another name and linked to the right one, so that nobody ever sees half of it.

    Raises:
        OSError: It cannot be written.
    """
    _make_directory(path.parent)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(temporary, _NEW, 0o600)
    try:
        with open(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(descriptor)
        with suppress(FileExistsError):
            os.link(temporary, path)
    finally:
        with suppress(OSError):  # the first error is the one to report
            temporary.unlink()
    sync_directory(path.parent)


def sync_directory(path: Path) -> None:
    """Wait until a directory's entries are on disk.

    Raises:
        OSError: The disk did not confirm it.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def read_file(path: str | Path, limit: int, *, directory: int | None = None) -> tuple[bytes, os.stat_result]:
    """Read an ordinary file: no link, no pipe, no device.

    Args:
        path: The file.
        limit: The most bytes to read; one more is read to show that there is more.
        directory: The descriptor of the directory that a relative path starts from.

    Returns:
        Content and metadata.

    Raises:
        OSError: It cannot be read, or is not an ordinary file.
    """
    descriptor = os.open(path, _READ, dir_fd=directory)
    try:
        seen = os.fstat(descriptor)
        if not stat.S_ISREG(seen.st_mode):
            raise OSError(errno.EINVAL, "not an ordinary file")
        chunks = []
        left = limit + 1
        while left > 0 and (chunk := os.read(descriptor, left)):
            chunks.append(chunk)
            left -= len(chunk)
        return b"".join(chunks), seen
    finally:
        os.close(descriptor)


def _make_directory(path: Path) -> None:
    """Make a directory for its owner only, with those above it, each known to be on disk."""
    if not path.is_dir():
        _make_directory(path.parent)
        path.mkdir(mode=0o700, exist_ok=True)
        sync_directory(path.parent)
