"""Looking over the files in the directory of a store, and mending what is safe to mend."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass

from wellhead.errors import ConflictError, StorageError
from wellhead.storage.disk.directory import IGNORE_NAME, PASSING, ignore_in_git, scanned, sync_directory
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
_OTHERS = 0o077


@dataclass(frozen=True, slots=True)
class FileLook:
    """A look at the files in the directory of a store, which is open."""

    directory: int
    lock: StoreLock
    repair: bool

    def all(self) -> Iterator[Finding]:
        """Look at the files, by their kinds."""
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
            return stat.S_ISREG(os.fstat(descriptor).st_mode) and set_mode(descriptor, 0o600)
        finally:
            os.close(descriptor)

    def _without_ignore(self) -> Finding:
        found = warning("files", "gitignore_missing")
        if not self.repair:
            return found
        try:
            ignore_in_git(self.directory)
        except OSError:
            return found
        return found.repaired()


def set_mode(descriptor: int, mode: int) -> bool:
    """Set the mode of an open file; return whether that was possible."""
    try:
        os.fchmod(descriptor, mode)
    except OSError:
        return False
    return True


def _seen(item: os.DirEntry[str]) -> os.stat_result | None:
    try:
        return item.stat(follow_symlinks=False)
    except FileNotFoundError:  # it was renamed or removed meanwhile
        return None


def _is_own(name: str) -> bool:
    return name in _FIXED or any(pattern.fullmatch(name) for pattern in (_RECORD, _SIDE, _INDEX))
