"""Looking over the directory of a store, and mending what is safe to mend. No record is ever written or removed."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from wellhead.errors import ConflictError, StorageError
from wellhead.mounts import is_shared
from wellhead.storage.disk.directory import (
    IGNORE_NAME,
    PASSING,
    ignore_in_git,
    scanned,
    storage_error,
    sync_directory,
)
from wellhead.storage.disk.history import history_name, read_lines
from wellhead.storage.disk.leftovers import TEMPORARY, leftovers, sweep
from wellhead.storage.disk.locks import LOCK_NAME, StoreLock
from wellhead.storage.disk.results import damaged_lines, results_name
from wellhead.storage.disk.workspace_id import WORKSPACE_FILE
from wellhead.storage.findings import Finding, listed, problem, warning
from wellhead.storage.revisions import read_revision

_RECORD = re.compile(r"([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\.json")
_SIDE = re.compile(r"([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\.(?:(?:health|history)\.jsonl|backup\.json)")
_INDEX = re.compile(r"\.index\..+")
_FIXED = frozenset((IGNORE_NAME, LOCK_NAME, WORKSPACE_FILE))
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
        return [*look.at_directory(), *look.at_disk(), *look.at_lock(), *look.at_files()]
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
        yield found.repaired() if self.repair and self._set_mode(self.directory, 0o700) else found

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

    def at_files(self) -> Iterator[Finding]:
        with scanned(self.directory) as found:
            files = {item.name: item for item in found}
            own = {name: seen for name, item in files.items() if _is_own(name) and (seen := _seen(item)) is not None}
        yield from self._leftovers()
        yield from self._orphans(own.keys())
        foreign = [name for name in files if not _is_own(name) and not TEMPORARY.fullmatch(name)]
        if foreign:
            yield warning("files", "foreign_file", f"Not Wellhead's: {listed(foreign)}.")
        yield from self._strangers(own)
        yield from self._modes(own)
        yield from self._histories(own)
        yield from self._results(own)
        if IGNORE_NAME not in files:
            yield self._without_ignore()

    def _leftovers(self) -> Iterator[Finding]:
        names = leftovers(self.directory)
        if not names:
            return
        found = warning("files", "temporary_file_left", f"Left by a process that was killed: {listed(names)}.")
        yield found.repaired() if self.repair and self._swept() else found

    def _swept(self) -> bool:
        with suppress(StorageError, OSError), self.lock.hold(self.directory):
            sweep(self.directory)
        return not leftovers(self.directory)

    def _orphans(self, names: Collection[str]) -> Iterator[Finding]:
        orphans = [name for name in names if self._is_orphan(name)]
        if not orphans:
            return
        found = warning("files", "side_file_orphaned", f"Their data source is gone: {listed(orphans)}.")
        yield found.repaired() if self.repair and self._removed(orphans) else found

    def _is_orphan(self, name: str) -> bool:
        """Tell whether a file lies beside a record that is not there. What has the record's name counts as there."""
        match = _SIDE.fullmatch(name)
        return match is not None and not self._is_there(f"{match[1]}.json")

    def _is_there(self, name: str) -> bool:
        try:
            os.stat(name, dir_fd=self.directory, follow_symlinks=False)
        except FileNotFoundError:
            return False
        return True

    def _removed(self, orphans: list[str]) -> bool:
        with suppress(StorageError, OSError):
            with self.lock.hold(self.directory) as check_held:
                for name in orphans:
                    check_held()
                    if self._is_orphan(name):  # a record may have been put back meanwhile
                        os.unlink(name, dir_fd=self.directory)
            sync_directory(self.directory)
        return not any(self._is_orphan(name) and self._is_there(name) for name in orphans)

    def _histories(self, names: Collection[str]) -> Iterator[Finding]:
        for name in sorted(names):
            match = _SIDE.fullmatch(name)
            if match is None or name != history_name(match[1]):
                continue
            try:
                lines = read_lines(self.directory, match[1])
            except (ConflictError, StorageError) as error:
                yield problem("data source", error.code, error.message, remedy=None, ids=(match[1],))
                continue
            damaged = sum(read_revision(line, match[1]) is None for line in lines)
            if damaged:
                message = f"{damaged} of {len(lines)} lines of {name} cannot be read."
                yield warning("data source", "history_damaged", message, ids=(match[1],))

    def _results(self, names: Collection[str]) -> Iterator[Finding]:
        for name in sorted(names):
            match = _SIDE.fullmatch(name)
            if match is None or name != results_name(match[1]):
                continue
            try:
                damaged, total = damaged_lines(self.directory, match[1])
            except OSError as error:
                if error.errno in PASSING:
                    raise
                yield warning("data source", "results_damaged", f"{name} cannot be read.", ids=(match[1],))
                continue
            if damaged:
                message = f"{damaged} of {total} lines of {name} cannot be read."
                yield warning("data source", "results_damaged", message, ids=(match[1],))

    def _strangers(self, own: Mapping[str, os.stat_result]) -> Iterator[Finding]:
        strangers = [name for name, seen in own.items() if seen.st_uid not in {os.geteuid(), 0}]
        if strangers:
            yield problem("files", "file_of_another_user", f"Of another user: {listed(strangers)}.")

    def _modes(self, own: Mapping[str, os.stat_result]) -> Iterator[Finding]:
        open_ = [name for name, seen in own.items() if stat.S_ISREG(seen.st_mode) and seen.st_mode & _OTHERS]
        if not open_:
            return
        found = warning("files", "file_readable_by_others", f"Others may read or write: {listed(open_)}.")
        closed = [self._close(name) for name in open_] if self.repair else [False]
        yield found.repaired() if all(closed) else found

    def _close(self, name: str) -> bool:
        """Take the rights of others from a file; return whether that was possible."""
        try:
            flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
            descriptor = os.open(name, flags, dir_fd=self.directory)
        except OSError:
            return False
        try:
            return stat.S_ISREG(os.fstat(descriptor).st_mode) and self._set_mode(descriptor, 0o600)
        finally:
            os.close(descriptor)

    def _set_mode(self, descriptor: int, mode: int) -> bool:
        try:
            os.fchmod(descriptor, mode)
        except OSError:
            return False
        return True

    def _without_ignore(self) -> Finding:
        found = warning("files", "gitignore_missing")
        if not self.repair:
            return found
        try:
            ignore_in_git(self.directory)
        except OSError:
            return found
        return found.repaired()


def _seen(item: os.DirEntry[str]) -> os.stat_result | None:
    try:
        return item.stat(follow_symlinks=False)
    except FileNotFoundError:  # it was renamed or removed meanwhile
        return None


def _is_own(name: str) -> bool:
    return name in _FIXED or any(pattern.fullmatch(name) for pattern in (_RECORD, _SIDE, _INDEX))
