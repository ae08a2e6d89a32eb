"""Temporary files that a crash left in a store, and taking them away."""

from __future__ import annotations

import os
import re
import time

from wellhead.storage.disk.directory import remove_quietly, scanned, translated
from wellhead.storage.disk.locks import StoreLock

TEMPORARY = re.compile(r"\.tmp-[0-9a-f]{16}")
_SWEEP_AGE = 600.0


class Leftovers:
    """What crashes left in one store; the first write of a process takes it away."""

    def __init__(self, lock: StoreLock) -> None:
        self._lock = lock
        self._swept = False

    def sweep_once(self, directory: int) -> None:
        """Remove it, unless this process has done so.

        Raises:
            StorageError: The store cannot be read or locked.
        """
        if not self._swept:
            with translated(), self._lock.hold(directory):
                sweep(directory)
            self._swept = True


def sweep(directory: int) -> None:
    """Remove temporary files that a crash left. The store's lock must be held."""
    for name in leftovers(directory):
        remove_quietly(directory, name)


def leftovers(directory: int) -> list[str]:
    """Return the names of temporary files that a crash left: our own, and older than ten minutes."""
    names = []
    with scanned(directory) as found:
        for item in found:
            if not TEMPORARY.fullmatch(item.name):
                continue
            try:
                seen = item.stat(follow_symlinks=False)
            except FileNotFoundError:  # its writer is done with it
                continue
            if seen.st_uid == os.geteuid() and time.time() - seen.st_mtime > _SWEEP_AGE:
                names.append(item.name)
    return names
