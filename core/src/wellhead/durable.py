"""Small files of our own: written so that a crash leaves all or nothing, read without falling for what is no file."""

from __future__ import annotations

import errno
import os
import re
import secrets
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_SWEEP_AGE = 600.0


def write_new_file(path: Path, content: bytes) -> None:
    """Make a file with mode 0600, whole and on disk; if there is one already, see to it that that one is on disk.

    The content is written under another name and linked to the right one, so that nobody ever sees half of it.

    Raises:
        OSError: It cannot be written.
    """
    make_directory(path.parent)
    with _temporary(path, content) as temporary, suppress(FileExistsError):
        os.link(temporary, path)
    sync_directory(path.parent)


def replace_file(path: Path, content: bytes) -> None:
    """Replace the content of a file, whole and on disk; its owner and its permissions stay.

    Raises:
        OSError: It cannot be written, or cannot be given its owner.
    """
    with _temporary(path, content, like=path.stat(follow_symlinks=False)) as temporary:
        temporary.rename(path)
    sync_directory(path.parent)


def sweep(path: Path) -> None:
    """Remove what writes of a file that were cut off have left beside it: our own, and older than ten minutes.

    Raises:
        OSError: Its directory cannot be read.
    """
    form = re.compile(rf"\.{re.escape(path.name)}\.[0-9a-f]{{16}}")
    for other in path.parent.iterdir() if path.parent.is_dir() else ():
        if form.fullmatch(other.name):
            with suppress(FileNotFoundError):  # its writer is done with it
                seen = other.lstat()
                if seen.st_uid == os.geteuid() and time.time() - seen.st_mtime > _SWEEP_AGE:
                    other.unlink()


@contextmanager
def _temporary(path: Path, content: bytes, *, like: os.stat_result | None = None) -> Iterator[Path]:
    """Write content to disk under a name beside a file's, and remove what is left of that name afterwards."""
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(temporary, _NEW, 0o600)
    try:
        with open(descriptor, "wb") as file:
            if like is not None:
                os.fchown(descriptor, like.st_uid, like.st_gid)
                os.fchmod(descriptor, stat.S_IMODE(like.st_mode))
            file.write(content)
            file.flush()
            os.fsync(descriptor)
        yield temporary
    finally:
        with suppress(OSError):  # the first error is the one to report
            temporary.unlink()


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
        content = os.read(descriptor, limit + 1)
        if len(content) != seen.st_size:  # it is longer than the limit, grows, or came in parts
            while len(content) <= limit and (chunk := os.read(descriptor, limit + 1 - len(content))):
                content += chunk
        return content, seen
    finally:
        os.close(descriptor)


def make_directory(path: Path) -> None:
    """Make a directory for its owner only, with those above it, each known to be on disk.

    Raises:
        OSError: It cannot be made.
    """
    if not path.is_dir():
        make_directory(path.parent)
        path.mkdir(mode=0o700, exist_ok=True)
        sync_directory(path.parent)
