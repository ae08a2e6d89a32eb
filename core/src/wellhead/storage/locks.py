"""The lock of a store: one file, never replaced, locked anew for each short piece of work."""

from __future__ import annotations

import errno
import os
import stat
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import portalocker

from wellhead.errors import StoreBusyError, StoreUnavailableError

LOCK_NAME = ".lock"
_TIMEOUT = 5.0


class StoreLock:
    """Excludes all other writers of a store, in this process and in others.

    The file is opened anew for each acquisition, because a lock belongs to what was opened. After acquiring, it is
    compared with what has the name now: a lock on a file that somebody removed excludes nobody.
    """

    def __init__(self, timeout: float = _TIMEOUT) -> None:
        """Make the lock of one store.

        Args:
            timeout: Seconds to wait before giving up.
        """
        self._timeout = timeout
        self._turn = threading.Lock()

    @contextmanager
    def hold(self, directory: int) -> Iterator[None]:
        """Hold the lock of the store in an open directory.

        Raises:
            StoreBusyError: Another process holds it for too long.
            StoreUnavailableError: The lock file cannot be used.
        """
        deadline = time.monotonic() + self._timeout
        if not self._turn.acquire(timeout=self._timeout):
            raise _busy()
        try:
            descriptor = self._acquire(directory, deadline)
            try:
                yield
            finally:
                os.close(descriptor)
        finally:
            self._turn.release()

    def _acquire(self, directory: int, deadline: float) -> int:
        while True:
            descriptor = _open(directory)
            if not _lock(descriptor, deadline):
                raise _busy()
            if _has_the_name(descriptor, directory):
                return descriptor
            os.close(descriptor)


def _open(directory: int) -> int:
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        descriptor = os.open(LOCK_NAME, flags, 0o600, dir_fd=directory)
    except OSError as error:
        if error.errno in {errno.ELOOP, errno.EISDIR, errno.ENXIO}:
            raise _unusable() from error
        raise
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise _unusable()
    return descriptor


def _lock(descriptor: int, deadline: float) -> bool:
    """Lock what is open; if that takes longer than the deadline, close it and return False."""
    try:
        portalocker.lock(descriptor, portalocker.LockFlags.EXCLUSIVE | portalocker.LockFlags.NON_BLOCKING)
    except portalocker.LockException:
        return _wait(descriptor, deadline)
    return True


def _wait(descriptor: int, deadline: float) -> bool:
    """Wait in the kernel's queue, which is fair; a wait that nobody waits for any more ends with closing the file."""
    settled = threading.Lock()
    acquired, given_up = threading.Event(), threading.Event()

    def wait() -> None:
        portalocker.lock(descriptor, portalocker.LockFlags.EXCLUSIVE)
        with settled:
            acquired.set()
            if given_up.is_set():
                os.close(descriptor)

    threading.Thread(target=wait, name="wellhead-lock", daemon=True).start()
    if acquired.wait(max(0.0, deadline - time.monotonic())):
        return True
    with settled:
        if acquired.is_set():
            return True
        given_up.set()
    return False


def _has_the_name(descriptor: int, directory: int) -> bool:
    try:
        named = os.stat(LOCK_NAME, dir_fd=directory, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return os.path.samestat(named, os.fstat(descriptor))


def _busy() -> StoreBusyError:
    return StoreBusyError("Another process holds the store's lock. Try again; look for stopped wellhead processes.")


def _unusable() -> StoreUnavailableError:
    return StoreUnavailableError(f"'{LOCK_NAME}' in the store is not an ordinary file. Remove it, and try again.")


