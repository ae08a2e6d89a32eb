"""Looking over the directory of a store, and mending what is safe to mend. No record is ever written or removed."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from wellhead.errors import StorageError
from wellhead.mounts import is_shared
from wellhead.storage.disk.directory import storage_error
from wellhead.storage.disk.locks import LOCK_NAME, StoreLock
from wellhead.storage.files.file_inspection import FileLook, set_mode
from wellhead.storage.findings import Finding, problem, warning

_OTHERS_WRITE, _OTHERS = 0o022, 0o077
_LITTLE_SPACE, _FEW_INODES = 64 << 20, 1000


def inspect_store(path: Path, lock: StoreLock, *, repair: bool) -> list[Finding]:
    """Look over a store's directory and the files in it, but not into the records.

    Args:
        path: The directory.
        lock: The store's lock.
        repair: Mend what is safe to mend.
    """
    try:
        seen = path.lstat()
        if (finding := _misplaced(path, seen)) is not None:
            return [finding]
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        return [Finding("store", "ok", "Nothing is stored here yet.")]
    except OSError as error:
        return [problem("store", "store_unavailable", f"{path} cannot be opened: {error.strerror}.")]
    look = _Look(path, descriptor, lock, repair)
    try:
        return [*look.at_directory(), *look.at_disk(), *look.at_lock(), *FileLook(descriptor, lock, repair).all()]
    except OSError as error:
        return [problem("store", storage_error(error).code, f"{path} cannot be read: {error.strerror}.")]
    finally:
        os.close(descriptor)


def _misplaced(path: Path, seen: os.stat_result) -> Finding | None:
    if not stat.S_ISDIR(seen.st_mode):
        return problem("store", "store_not_a_directory", f"{path} is a link or a file.")
    if seen.st_uid not in {os.geteuid(), 0}:
        return problem("store", "store_of_another_user", f"{path} belongs to another user.")
    return None


@dataclass(frozen=True, slots=True)
class _Look:
    """A look at one directory that is open."""

    path: Path
    directory: int
    lock: StoreLock
    repair: bool

    def at_directory(self) -> Iterator[Finding]:
        mode = stat.S_IMODE(os.fstat(self.directory).st_mode)
        if mode & _OTHERS_WRITE:
            found = problem("store", "store_writable_by_others", f"Others may write to {self.path}.")
        elif mode & _OTHERS:
            found = warning("store", "store_readable_by_others", f"Others may read {self.path}.")
        else:
            yield Finding("store", "ok", f"{self.path} is a directory of your own.")
            return
        yield found.repaired() if self.repair and set_mode(self.directory, 0o700) else found

    def at_disk(self) -> Iterator[Finding]:
        if is_shared(self.path):
            yield warning("store", "store_on_network")
        disk = os.statvfs(self.directory)
        if disk.f_flag & os.ST_RDONLY:
            yield warning("store", "store_read_only")
        space = disk.f_bavail * disk.f_frsize
        if space < _LITTLE_SPACE:
            yield warning("store", "disk_nearly_full", f"The disk has {space >> 20} MiB left.")
        if disk.f_files and disk.f_favail < _FEW_INODES:
            yield warning("store", "disk_nearly_full", f"The disk has {disk.f_favail} inodes left.")

    def at_lock(self) -> Iterator[Finding]:
        try:
            os.stat(LOCK_NAME, dir_fd=self.directory, follow_symlinks=False)
        except FileNotFoundError:  # it is made by the first write, and not by a look
            return
        try:
            with self.lock.hold(self.directory):
                yield Finding("lock", "ok", "The lock can be taken.")
        except StorageError as error:
            yield problem("lock", error.code, error.message)
        except OSError as error:
            failed = storage_error(error)
            yield warning("lock", failed.code, "The lock cannot be taken, so nothing can be written.")
