"""The lock of a store: one file, never replaced, locked anew for each short piece of work."""

from __future__ import annotations

import errno
import os
import stat
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial

from wellhead.errors import StoreBusyError, StoreUnavailableError
from wellhead.storage.disk import os_lock

LOCK_NAME = ".lock"
_TIMEOUT = 5.0


class StoreLock:
    """Excludes all other writers of a store, in this process and in others.

    The file is opened anew for each acquisition, because a lock belongs to what was opened. After acquiring, it is
    compared with what has the name now: a lock on a file that somebody removed excludes nobody.
    """

    def __init__(self, timeout: float = _TIMEOUT, *, name: str = LOCK_NAME) -> None:
        """Make the lock of one store.

        Args:
            timeout: Seconds to wait before giving up.
            name: The name of the file that is locked.
        """
        self._timeout = timeout
        self._name = name
        self._turn = threading.Lock()
        self._waiter: _Waiter | None = None

    @contextmanager
    def hold(self, directory: int) -> Iterator[Callable[[], None]]:
        """Hold the lock of the store in an open directory.

        Yields:
            A function to call right before the one step that changes the store: it raises `StoreBusyError` if the
            lock file was removed in the meantime, because then somebody else may hold the lock too.

        Raises:
            StoreBusyError: Another process holds it for too long.
            StoreUnavailableError: The lock file cannot be used.
            OSError: The lock file cannot be opened.
        """
        deadline = time.monotonic() + self._timeout
        if not self._turn.acquire(timeout=self._timeout):
            raise _busy()
        try:
            descriptor = self._acquire(directory, deadline)
            try:
                yield partial(_check_held, descriptor, directory, self._name)
            finally:
                _release(descriptor)
        finally:
            self._turn.release()

    @contextmanager
    def hold_if_free(self, directory: int) -> Iterator[bool]:
        """Hold the lock if nobody else does, and yield whether it is held; never wait.

        Raises:
            StoreUnavailableError: The lock file cannot be used.
            OSError: The lock file cannot be opened.
        """
        if not self._turn.acquire(blocking=False):
            yield False
            return
        try:
            descriptor = _open(directory, self._name)
            if not _lock_at_once(descriptor):
                os.close(descriptor)
                yield False
                return
            try:
                yield _has_the_name(descriptor, directory, self._name)
            finally:
                _release(descriptor)
        finally:
            self._turn.release()

    def _acquire(self, directory: int, deadline: float) -> int:
        while True:
            descriptor = self._lock(directory, deadline)
            if _has_the_name(descriptor, directory, self._name):
                return descriptor
            _release(descriptor)

    def _lock(self, directory: int, deadline: float) -> int:
        """Lock the file that has the lock's name; while others hold it, wait in one thread, however often we ask."""
        waiter, self._waiter = self._waiter, None
        if waiter is None or not waiter.is_wanted_again(directory, self._name):
            descriptor = _open(directory, self._name)
            if _lock_at_once(descriptor):
                return descriptor
            waiter = _Waiter(descriptor)
        if not waiter.wait(deadline):
            self._waiter = waiter
            raise _busy()
        return waiter.descriptor


class _Waiter:
    """Waits in the kernel's queue, which is fair. A lock that nobody wants any more when it comes is given back."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor
        self._changed = threading.Condition()
        self._is_wanted = True
        self._is_over = False
        self._failed = False
        try:
            threading.Thread(target=self._run, name="wellhead-lock", daemon=True).start()
        except RuntimeError as error:
            os.close(descriptor)
            raise _refused() from error

    def wait(self, deadline: float) -> bool:
        """Return True when the lock is ours; False when it is not by the deadline, and is not wanted any more.

        Raises:
            StoreUnavailableError: The operating system gives no lock.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._is_over, max(0.0, deadline - time.monotonic()))
            self._is_wanted = self._is_over
            if self._failed:
                raise _refused()
            return self._is_over

    def is_wanted_again(self, directory: int, name: str) -> bool:
        """Take up a wait that was given up, if it still goes on and is for the right file."""
        with self._changed:
            self._is_wanted = not self._is_over and _has_the_name(self.descriptor, directory, name)
            return self._is_wanted

    def _run(self) -> None:
        try:
            os_lock.lock(self.descriptor, os_lock.LockFlags.EXCLUSIVE)
        except os_lock.LockException:
            self._failed = True
        with self._changed:
            self._is_over = True
            if self._failed or not self._is_wanted:
                _release(self.descriptor)
            self._changed.notify_all()


def _open(directory: int, name: str) -> int:
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        descriptor = os.open(name, flags, 0o600, dir_fd=directory)
    except OSError as error:
        if error.errno in {errno.ELOOP, errno.EISDIR, errno.ENXIO}:
            raise _unusable(name) from error
        raise
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise _unusable(name)
    return descriptor


def _lock_at_once(descriptor: int) -> bool:
    """Lock what is open; return False if others hold it."""
    try:
        os_lock.lock(descriptor, os_lock.LockFlags.EXCLUSIVE | os_lock.LockFlags.NON_BLOCKING)
    except os_lock.AlreadyLocked:
        return False
    except os_lock.LockException as error:
        os.close(descriptor)
        raise _refused() from error
    return True


def _release(descriptor: int) -> None:
    """Unlock and close. Closing alone would leave the lock with a child that was forked meanwhile."""
    with suppress(os_lock.LockException):
        os_lock.unlock(descriptor)
    os.close(descriptor)


def _has_the_name(descriptor: int, directory: int, name: str) -> bool:
    try:
        named = os.stat(name, dir_fd=directory, follow_symlinks=False)
    except FileNotFoundError:
        return False
    return os.path.samestat(named, os.fstat(descriptor))


def _check_held(descriptor: int, directory: int, name: str) -> None:
    if not _has_the_name(descriptor, directory, name):
        raise StoreBusyError(f"'{name}' in the store was removed while it was in use. Nothing was changed. Try again.")


def _busy() -> StoreBusyError:
    return StoreBusyError("Another process holds the store's lock. Try again; look for stopped wellhead processes.")


def _refused() -> StoreUnavailableError:
    return StoreUnavailableError("The operating system refuses files or locks just now. Try again.")


def _unusable(name: str) -> StoreUnavailableError:
    return StoreUnavailableError(f"'{name}' in the store is not an ordinary file. Remove it, and try again.")
