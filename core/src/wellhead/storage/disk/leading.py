"""Being the one process of many that does a certain work, for as long as it lives."""

from __future__ import annotations

import os
import threading

from wellhead.storage.disk import os_lock
from wellhead.storage.disk.directory import translated

_FLAGS = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class Leading:
    """The works of a store that this process has taken on: for each it holds a lock, which goes with the process."""

    def __init__(self) -> None:
        self._held: dict[str, int] = {}
        self._turn = threading.Lock()

    def lead(self, directory: int, work: str) -> bool:
        """Take a work on, if no other process has; keep it if this one has.

        Args:
            directory: The descriptor of the store's directory.
            work: What the work is called: letters.

        Returns:
            Whether the work is this process's. One whose lock file was removed has lost it.

        Raises:
            StorageError: The lock file cannot be opened.
        """
        name = f".{work}.lock"
        with self._turn:
            if work in self._held and not _has_the_name(self._held[work], directory, name):
                os.close(self._held.pop(work))
            if work not in self._held:
                self._take(directory, work, name)
            return work in self._held

    def close(self) -> None:
        """Leave all works to others."""
        with self._turn:
            for descriptor in self._held.values():
                os.close(descriptor)
            self._held.clear()

    def _take(self, directory: int, work: str, name: str) -> None:
        with translated():
            descriptor = os.open(name, _FLAGS, 0o600, dir_fd=directory)
        try:
            os_lock.lock(descriptor, os_lock.LockFlags.EXCLUSIVE | os_lock.LockFlags.NON_BLOCKING)
        except os_lock.LockException:
            os.close(descriptor)
        else:
            self._held[work] = descriptor


def _has_the_name(descriptor: int, directory: int, name: str) -> bool:
    try:
        named = os.stat(name, dir_fd=directory, follow_symlinks=False)
    except OSError:
        return False
    return os.path.samestat(named, os.fstat(descriptor))
