"""The directory of a store: opened once, everything in it reached through the descriptor, errors translated."""

from __future__ import annotations

import errno
import os
import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from wellhead import durable
from wellhead.errors import (
    DurabilityUnknownError,
    InsufficientStorageError,
    StorageError,
    StorageIOError,
    StoreReadOnlyError,
    StoreUnavailableError,
)

STORE_NAME = ".datasources"
IGNORE_NAME = ".gitignore"
PASSING = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOMEM})
"""Errors that say nothing of the file: the process or the machine is out of something just now."""
_NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC


class StoreDirectory:
    """The `.datasources` directory of a workspace. It is made when something is first written."""

    def __init__(self, workspace: Path) -> None:
        self.path = workspace / STORE_NAME
        self._text = str(self.path)  # looked at for each request
        self._descriptor: int | None = None
        self._seen: os.stat_result | None = None
        self._opening = threading.Lock()

    def open(self) -> int | None:
        """Return the directory's descriptor; None if there is no such directory yet.

        Raises:
            StoreUnavailableError: It is a link, others may write to it, or it was removed while in use.
            StorageError: It cannot be opened.
        """
        with self._opening:
            return self._open_if_there()

    def open_for_writing(self) -> int:
        """Return the directory's descriptor; make the directory if there is none, readable for its owner only.

        Raises:
            StoreUnavailableError: As `open`.
            StorageError: It cannot be made.
        """
        with self._opening:
            descriptor = self._open_if_there()
            if descriptor is None:
                descriptor = self._descriptor = self._make()
            return descriptor

    def close(self) -> None:
        """Close the descriptor."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def _open_if_there(self) -> int | None:
        if self._descriptor is None:
            try:
                self._descriptor = self._open()
            except FileNotFoundError:
                return None
            except OSError as error:
                raise storage_error(error) from error
        elif not self._is_in_place():
            raise StoreUnavailableError(f"{self.path} was moved or removed. Put it back; it is not made anew.")
        return self._descriptor

    def _make(self) -> int:
        with translated():
            self.path.mkdir(mode=0o700, exist_ok=True)
            descriptor = self._open()
            try:
                ignore_in_git(descriptor)
                durable.sync_directory(self.path.parent)
            except BaseException:
                os.close(descriptor)
                raise
            return descriptor

    def _open(self) -> int:
        try:
            descriptor = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except NotADirectoryError:
            raise StoreUnavailableError(f"{self.path} is a link or a file. A store is an ordinary directory.") from None
        except PermissionError:
            raise StoreUnavailableError(f"{self.path} may not be read by this user.") from None
        seen = os.fstat(descriptor)
        if seen.st_mode & 0o022:
            os.close(descriptor)
            raise StoreUnavailableError(f"{self.path} may be written by others. Change that: chmod 700 {self.path}")
        if seen.st_uid not in {os.geteuid(), 0}:
            os.close(descriptor)
            raise StoreUnavailableError(f"{self.path} belongs to another user. Run Wellhead as that user.")
        self._seen = seen
        return descriptor

    def _is_in_place(self) -> bool:
        try:
            return self._seen is not None and os.path.samestat(os.lstat(self._text), self._seen)
        except OSError:
            return False


def ignore_in_git(directory: int) -> None:
    """Keep a store out of git: a password in a repository's history is there for good.

    Raises:
        OSError: The file that says so cannot be written.
    """
    try:
        ignore = os.open(IGNORE_NAME, _NEW, 0o600, dir_fd=directory)
    except FileExistsError:
        return
    with open(ignore, "wb") as file:
        file.write(b"*\n")


def read_file(directory: int, name: str, limit: int) -> tuple[bytes, os.stat_result] | None:
    """Read an ordinary file of the directory.

    Args:
        directory: The directory's descriptor.
        name: The file's name.
        limit: The most bytes to read; one more is read to show that there is more.

    Returns:
        Content and metadata; None if there is no such file.

    Raises:
        OSError: It cannot be read, or is not an ordinary file.
    """
    try:
        return durable.read_file(name, limit, directory=directory)
    except FileNotFoundError:
        return None


@contextmanager
def temporary_file(directory: int, content: bytes, *, durable: bool) -> Iterator[str]:
    """Write a file under a random name, for renaming; what is left of it afterwards is removed.

    Args:
        directory: The directory's descriptor.
        content: What to write.
        durable: Wait until the content is on disk.

    Yields:
        The random name.

    Raises:
        StorageError: It could not be written.
    """
    name = f".tmp-{secrets.token_hex(8)}"
    with translated():
        descriptor = os.open(name, _NEW, 0o600, dir_fd=directory)
        try:
            try:
                view = memoryview(content)
                while view:
                    view = view[os.write(descriptor, view) :]
                if durable:
                    os.fsync(descriptor)
            finally:
                os.close(descriptor)
            yield name
        except BaseException:
            remove_quietly(directory, name)
            raise


def remove_quietly(directory: int, name: str) -> None:
    """Remove a file; if that fails, a later sweep does it, and the first error is the one to report."""
    try:
        os.unlink(name, dir_fd=directory)
    except OSError:
        return


def sync_directory(directory: int) -> None:
    """Wait until the directory's entries are on disk.

    Raises:
        DurabilityUnknownError: The disk did not confirm it.
    """
    try:
        os.fsync(directory)
    except OSError as error:
        raise DurabilityUnknownError(
            "The change is made, but the disk did not confirm it. Send the same change again."
        ) from error


@contextmanager
def scanned(directory: int) -> Iterator[Iterator[os.DirEntry[str]]]:
    """Go through a directory's entries, on a descriptor of its own: a shared one is at one place at a time."""
    own = os.open(".", os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=directory)
    try:
        with os.scandir(own) as found:
            yield found
    finally:
        os.close(own)


@contextmanager
def translated() -> Iterator[None]:
    """Turn the errors of the operating system into errors of the store."""
    try:
        yield
    except OSError as error:
        raise storage_error(error) from error


def storage_error(error: OSError) -> StorageError:
    """Return the store's error for one of the operating system."""
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return InsufficientStorageError("The disk is full. Nothing was changed.")
    if error.errno in {errno.EROFS, errno.EACCES, errno.EPERM}:
        return StoreReadOnlyError("The store cannot be written. Nothing was changed.")
    if error.errno in {*PASSING, errno.ENOLCK, errno.ENOTSUP}:
        return StoreUnavailableError("The operating system refuses files or locks just now. Try again.")
    return StorageIOError("The disk reported an error. Nothing was changed.")
