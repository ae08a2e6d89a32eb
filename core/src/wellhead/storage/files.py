"""The store in files: one for each record, in the `.datasources` directory of a workspace.

A write goes like this. The new state, and the history that is to stand beside it, are written to temporary files and
synced. Then, under the store's lock, the stored revision and the names of all records are compared, and the files get
their names, the record last. Then, without the lock, the directory is synced, and the write is acknowledged. So readers
need no lock and see whole records only, and writers never wait for each other's disk.
"""

from __future__ import annotations

import asyncio
import os
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

from wellhead.errors import (
    DataSourceNotFoundError,
    NameTakenError,
    QuotaExceededError,
    RevisionMismatchError,
    StorageError,
)
from wellhead.model.texts import name_key
from wellhead.mounts import is_shared
from wellhead.storage import history
from wellhead.storage.backups import backup_name, content_of
from wellhead.storage.choosing import Chooser
from wellhead.storage.directory import (
    StoreDirectory,
    remove_quietly,
    sweep,
    sync_directory,
    temporary_file,
    translated,
)
from wellhead.storage.findings import Finding
from wellhead.storage.history import Rewritten
from wellhead.storage.index_file import IndexUnusableError
from wellhead.storage.index_inspection import inspect_index
from wellhead.storage.index_rows import item_of
from wellhead.storage.indexing import Indexing, Watch
from wellhead.storage.inspection import inspect_store
from wellhead.storage.leading import Leading
from wellhead.storage.locks import StoreLock
from wellhead.storage.reading import RECORD_ID, Seen, Signatures, read_entry, scan
from wellhead.storage.records import Record
from wellhead.storage.results import Signature, read_results, results_name, with_result
from wellhead.storage.revisions import Revision, revisions_of
from wellhead.storage.selection import Chosen, Selection, Shown
from wellhead.storage.shown import Judged, ShownItems
from wellhead.storage.store import Entry, Judge
from wellhead.storage.sweeper import Sweeper
from wellhead.storage.workspace_id import make_workspace_id, read_workspace_id

# Entries that were read are remembered, so that a record that is read often is not taken apart each time.
_REMEMBERED = 1000
# Writers wait for the lock and for the disk; with threads of their own they keep none from readers.
_WRITERS = 8
_LISTERS = 4
KEPT_REVISIONS = 20
# Seconds for which an index that says that there is no room is believed, once the files have been counted.
_FULL_SECONDS = 5.0

T = TypeVar("T")


class FileRecordStore:
    """Keeps the records of one workspace in files."""

    def __init__(
        self, workspace: Path, *, lock_timeout: float = 5.0, kept_revisions: int = KEPT_REVISIONS, quota: int = 0
    ) -> None:
        """Keep records in a workspace's directory, which is made when something is first written.

        Args:
            workspace: The workspace.
            lock_timeout: Seconds to wait for the store's lock.
            kept_revisions: How many former revisions of each record are kept, 0 to 200.
            quota: How many records there may be; 0 for any number.
        """
        self._directory = StoreDirectory(workspace)
        self._lock = StoreLock(lock_timeout)
        self._kept_revisions = kept_revisions
        self._quota = quota
        self._full_until = 0.0
        self._writers = ThreadPoolExecutor(_WRITERS, "wellhead-write")
        self._listers = ThreadPoolExecutor(_LISTERS, "wellhead-list")
        self.indexing = Indexing(self._directory.path, self._lock)
        self._chooser = Chooser(self.indexing)
        self._known: OrderedDict[str, Seen] = OrderedDict()
        self._remembered = _REMEMBERED
        self._shown = ShownItems()
        self._is_local: bool | None = None
        self._workspace_id: str | None = None
        self._swept = False
        self._leading = Leading()
        self._sweeper: Sweeper | None = None

    async def workspace_id(self) -> str | None:
        """Return the id of the workspace; None if none was made yet, or it cannot be read."""
        if self._workspace_id is None:
            self._workspace_id = await asyncio.to_thread(self._read_workspace_id)
        return self._workspace_id

    async def make_workspace_id(self) -> str:
        """Return the id of the workspace, made now if there is none."""
        if self._workspace_id is None:
            self._workspace_id = await asyncio.to_thread(self._make_workspace_id)
        return self._workspace_id

    async def read(self, record_id: str) -> Entry | None:
        """Return what is stored under an id; None if nothing is."""
        return await asyncio.to_thread(self._read, record_id)

    async def entries(self) -> Sequence[Entry]:
        """Return all that is stored."""
        return await asyncio.to_thread(self._entries)

    async def choose(self, selection: Selection, judge: Judge) -> Chosen | None:
        """Return the entries that are wanted, by the index; None where there can be none just now."""
        return await asyncio.get_running_loop().run_in_executor(self._listers, self._choose, selection, judge)

    async def show(self, record_id: str, judge: Judge) -> Shown | None:
        """Return a data source as it is read; None where there is none, or its record cannot be read.

        What was shown before and is the same still is looked up without a thread: on a disk of this machine, reading
        one small file takes less time than telling a thread to.
        """
        if (known := self._known_as_shown(record_id, judge)) is not None:
            return known
        return await asyncio.to_thread(self._show, record_id, judge)

    async def create(self, record: Record) -> None:
        """Store a new record."""
        await self._in_writer(self._create, record)

    async def replace(
        self, record: Record, *, expected: int, by: str | None = None, changed: Sequence[str] | None = None
    ) -> None:
        """Store a new state of a record, and keep the one before in its history."""
        await self._in_writer(self._replace, record, expected, by, changed)

    async def rewrite(self, record_id: str, change: Callable[[Record], Record]) -> bool:
        """Write a record anew, without a change of the data source."""
        return await self._in_writer(self._rewrite, record_id, change)

    async def migrate(self, found: Record, record: Record) -> bool:
        """Store a record in the schema that its type has now, and what was stored as its backup."""
        return await self._in_writer(self._migrate, found, record)

    async def remove_backup(self, record_id: str) -> None:
        """Remove the backup of a record."""
        await self._in_writer(self._remove_backup, record_id)

    async def delete(self, record_id: str, *, expected: int | None) -> None:
        """Delete what is stored under an id."""
        await self._in_writer(self._delete, record_id, expected)

    async def history(self, record_id: str) -> list[Revision]:
        """Return the former revisions of a record, newest first."""
        return await asyncio.to_thread(self._history, record_id)

    async def rewrite_history(
        self, record_id: str, change: Callable[[Revision], Revision], *, drop_unreadable: bool = False
    ) -> Rewritten:
        """Change former revisions where they are kept."""
        return await self._in_writer(self._rewrite_history, record_id, change, drop_unreadable)

    async def results(self, record_id: str) -> list[dict[str, Any]]:
        """Return the last results of validating a data source, newest first."""
        return await asyncio.to_thread(self._results, record_id)

    async def add_result(self, record_id: str, summary: dict[str, Any], result: dict[str, Any]) -> None:
        """Keep a result and its summary."""
        await self._in_writer(self._add_result, record_id, summary, result)

    async def lead(self, work: str) -> bool:
        """Take on a work that one process at a time does for the store."""
        return await asyncio.to_thread(self._lead, work)

    def watch_index(self, watch: Watch) -> None:
        """Tell how far it is, whenever the index is made or has much to catch up with."""
        self.indexing.watch = watch

    async def sweep_index(self) -> int:
        """Compare the index with all files, and mend what differs; return how many did, 0 where there can be none.

        Raises:
            StorageError: The store cannot be read or locked.
        """
        return await asyncio.get_running_loop().run_in_executor(self._listers, self._sweep_index)

    async def rebuild_index(self) -> int:
        """Make the index anew; return how many records it has, 0 where there can be none.

        Raises:
            StorageError: The store cannot be read or locked.
        """
        return await asyncio.get_running_loop().run_in_executor(self._listers, self._rebuild_index)

    async def check(self) -> None:
        """Look whether the directory can be used; not being there yet is all right.

        Raises:
            StoreUnavailableError: It cannot.
        """
        await asyncio.to_thread(self._directory.open)

    async def inspect(self, *, repair: bool) -> list[Finding]:
        """Look over the directory and the files in it, and mend what is safe to mend, if that is wanted."""
        found = await asyncio.to_thread(inspect_store, self._directory.path, self._lock, repair=repair)
        return [*found, *await asyncio.to_thread(self._inspect_index, repair)]

    def start_sweeping(self) -> None:
        """Sweep the index now and then, until the store is closed; of all processes that do so, one at a time."""
        self.indexing.has_sweeper = True
        self._sweeper = Sweeper(self._sweep_if_due)

    def close(self) -> None:
        """Wait for writes that have begun, and give the directory's descriptor back."""
        if self._sweeper is not None:
            self._sweeper.stop()
        self._writers.shutdown()
        self._leading.close()
        self._listers.shutdown()
        self.indexing.file.close()
        self._directory.close()

    async def _in_writer(self, function: Callable[..., T], *arguments: Any) -> T:
        """Run a function in a thread for writes, so that those that wait for the lock hold no read up."""
        return await asyncio.get_running_loop().run_in_executor(self._writers, function, *arguments)

    # What follows runs in a thread.

    def _read(self, record_id: str) -> Entry | None:
        directory = self._directory.open() if RECORD_ID.fullmatch(record_id) else None
        return None if directory is None else self._load(directory, record_id)

    def _load(self, directory: int, record_id: str) -> Entry | None:
        """Read one record's file, and remember it for a while."""
        seen = read_entry(directory, record_id, self._known.pop(record_id, None))
        if seen is None:
            return None
        if seen.digest:
            self._known[record_id] = seen
            while len(self._known) > self._remembered:
                self._known.popitem(last=False)
        return seen.entry

    def _entries(self) -> list[Entry]:
        directory = self._directory.open()
        if directory is None:
            return []
        with translated():
            found = self._scan(directory)
        self._remembered = max(_REMEMBERED, len(found))
        for record_id in self._known.keys() - found.keys():
            self._known.pop(record_id, None)
        entries = []
        for record_id, signatures in found.items():
            known = self._known.get(record_id)
            if known is not None and known.settled and known.signatures == signatures:
                entries.append(known.entry)
            elif (entry := self._load(directory, record_id)) is not None:
                entries.append(entry)
        return entries

    def _scan(self, directory: int) -> dict[str, Signatures]:
        """Return the signatures of the files of all records."""
        records: dict[str, Signature] = {}
        results: dict[str, Signature] = {}
        for record_id, is_record, signature in scan(directory):
            (records if is_record else results)[record_id] = signature
        return {record_id: (signature, results.get(record_id)) for record_id, signature in records.items()}

    def _known_as_shown(self, record_id: str, judge: Judge) -> Shown | None:
        if self._is_local is not True or not RECORD_ID.fullmatch(record_id):
            return None
        directory = self._directory.open()
        return None if directory is None else self._shown.find(directory, record_id, judge)

    def _show(self, record_id: str, judge: Judge) -> Shown | None:
        directory = self._directory.open() if RECORD_ID.fullmatch(record_id) else None
        if directory is None:
            return None
        if self._is_local is None:
            self._is_local = not is_shared(self._directory.path)
        judged = self._judged_before(directory, record_id, judge) or self._judged_now(directory, record_id, judge)
        if judged is None:
            return None
        self._shown.keep(record_id, judged)
        return judged.shown

    def _judged_before(self, directory: int, record_id: str, judge: Judge) -> Judged | None:
        with suppress(IndexUnusableError):
            return self._chooser.show(directory, record_id, judge)
        return None

    def _judged_now(self, directory: int, record_id: str, judge: Judge) -> Judged | None:
        seen = read_entry(directory, record_id)
        record = None if seen is None else seen.entry.record
        if seen is None or record is None:
            return None
        sealed = bool(record.secrets)
        basis = judge.basis(record.type, sealed=sealed)
        shown = Shown(item_of(judge.judged(seen.entry)), record.revision)
        return Judged(seen.digest, seen.signatures[1], record.type, sealed, basis, shown)

    def _sweep_if_due(self) -> None:
        with suppress(StorageError, IndexUnusableError, OSError):  # a list tells, or the next sweep does
            if (directory := self._directory.open()) is not None:
                self.indexing.sweep_if_due(directory)

    def _sweep_index(self) -> int:
        directory = self._directory.open()
        if directory is None or not self.indexing.prepare(directory):
            return 0
        with translated(), suppress(IndexUnusableError):
            return self.indexing.sweep(directory)
        return 0

    def _rebuild_index(self) -> int:
        directory = self._directory.open()
        with translated(), suppress(IndexUnusableError):
            return 0 if directory is None else self.indexing.rebuild(directory)
        return 0

    def _choose(self, selection: Selection, judge: Judge) -> Chosen | None:
        directory = self._directory.open()
        if directory is None:
            return Chosen([], 0, None)
        for _ in range(2):
            try:
                return self._chooser.choose(directory, selection, judge)
            except IndexUnusableError as error:
                if not error.damaged or not self.indexing.renew(directory):
                    break
        return None

    def _create(self, record: Record) -> None:
        directory = self._directory.open_for_writing()
        self._sweep_once(directory)
        content = record.encode()
        self.indexing.prepare(directory)
        with temporary_file(directory, content, durable=True) as temporary, self._lock.hold(directory) as check_held:
            self._refuse_taken_name(directory, record)
            self._refuse_over_quota(directory)
            with self.indexing.change(directory, record.id, (record, content)):
                check_held()
                os.rename(temporary, f"{record.id}.json", src_dir_fd=directory, dst_dir_fd=directory)
        sync_directory(directory)

    def _replace(self, record: Record, expected: int, by: str | None, changed: Sequence[str] | None) -> None:
        directory = self._directory.open_for_writing()
        self._sweep_once(directory)
        content = record.encode()
        seen = self._load(directory, record.id)
        former, kept = None if seen is None else seen.record, self._kept_revisions
        self.indexing.prepare(directory)
        with (
            temporary_file(directory, content, durable=True) as temporary,
            history.prepared(directory, former, record, by=by, changed=changed, kept=kept) as put_history,
            self._lock.hold(directory) as check_held,
        ):
            former = self._expect(directory, record.id, expected)
            self._refuse_taken_name(directory, record)
            with self.indexing.change(directory, record.id, (record, content)):
                check_held()
                put_history(former)
                check_held()
                os.rename(temporary, f"{record.id}.json", src_dir_fd=directory, dst_dir_fd=directory)
        sync_directory(directory)

    def _rewrite(self, record_id: str, change: Callable[[Record], Record]) -> bool:
        directory = self._directory.open() if RECORD_ID.fullmatch(record_id) else None
        if directory is None:
            return False
        self._sweep_once(directory)
        while True:
            entry = self._load(directory, record_id)
            found = None if entry is None else entry.record
            if found is None or (record := change(found)) == found:
                return False
            if self._put_in_place_of(directory, found, record):
                sync_directory(directory)
                return True

    def _put_in_place_of(self, directory: int, found: Record, record: Record) -> bool:
        """Store a record if what it was made from is still stored; else return False."""
        with (
            temporary_file(directory, record.encode(), durable=True) as temporary,
            translated(),
            self._lock.hold(directory) as check_held,
        ):
            entry = self._load(directory, record.id)
            if entry is None or entry.record != found:
                remove_quietly(directory, temporary)
                return False
            with self.indexing.change(directory, record.id):
                check_held()
                os.rename(temporary, f"{record.id}.json", src_dir_fd=directory, dst_dir_fd=directory)
            return True

    def _migrate(self, found: Record, record: Record) -> bool:
        directory = self._directory.open_for_writing()
        self._sweep_once(directory)
        content = record.encode()
        with translated():
            former = content_of(directory, found)
        if former is None:
            return False
        with (
            temporary_file(directory, former, durable=True) as backup,
            temporary_file(directory, content, durable=True) as temporary,
            translated(),
            self._lock.hold(directory) as check_held,
        ):
            if content_of(directory, found) != former:
                remove_quietly(directory, backup)
                remove_quietly(directory, temporary)
                return False
            with self.indexing.change(directory, record.id, (record, content)):
                check_held()
                os.rename(backup, backup_name(record.id), src_dir_fd=directory, dst_dir_fd=directory)
                check_held()
                os.rename(temporary, f"{record.id}.json", src_dir_fd=directory, dst_dir_fd=directory)
        sync_directory(directory)
        return True

    def _remove_backup(self, record_id: str) -> None:
        directory = self._directory.open() if RECORD_ID.fullmatch(record_id) else None
        if directory is None:
            return
        with translated(), self._lock.hold(directory) as check_held:
            check_held()
            try:
                os.unlink(backup_name(record_id), dir_fd=directory)
            except FileNotFoundError:
                return
        sync_directory(directory)

    def _delete(self, record_id: str, expected: int | None) -> None:
        directory = self._directory.open() if RECORD_ID.fullmatch(record_id) else None
        if directory is None:
            raise _not_found()
        with translated(), self._lock.hold(directory) as check_held:
            if expected is not None:
                self._expect(directory, record_id, expected)
            with self.indexing.change(directory, record_id):
                check_held()
                try:
                    os.unlink(f"{record_id}.json", dir_fd=directory)
                except FileNotFoundError:
                    raise _not_found() from None
                for name in (results_name(record_id), history.history_name(record_id), backup_name(record_id)):
                    remove_quietly(directory, name)
        sync_directory(directory)

    def _expect(self, directory: int, record_id: str, expected: int) -> Record:
        """Hold the revision that a change was made for, and return what is stored."""
        entry = self._load(directory, record_id)
        if entry is None:
            raise _not_found()
        if entry.record is None or entry.record.revision != expected:
            raise RevisionMismatchError(stored=0 if entry.record is None else entry.record.revision)
        return entry.record

    def _refuse_taken_name(self, directory: int, record: Record) -> None:
        if self._holder_of(directory, name_key(record.name), record.id) is not None:
            raise NameTakenError("Another data source has this name. Names are unique, whatever their case.")

    def _refuse_over_quota(self, directory: int) -> None:
        """Refuse one record more than there may be. The files themselves are counted before that, but not each time."""
        if not self._quota:
            return
        with suppress(IndexUnusableError):
            if self.indexing.count(directory) < self._quota:
                return
        now = time.monotonic()
        if now >= self._full_until:
            if sum(is_record for _, is_record, _ in scan(directory)) < self._quota:
                return
            self._full_until = now + _FULL_SECONDS
        raise QuotaExceededError(
            f"The workspace may have {self._quota} data sources, and has as many. Remove some, or raise WELLHEAD_QUOTA."
        )

    def _holder_of(self, directory: int, key: str, but: str) -> str | None:
        """Return the id of another record that has a name; None if none has."""
        try:
            while (found := self.indexing.id_of(directory, key, but=but)) is not None:
                if _has_name(self._load(directory, found), key):
                    return found
                self.indexing.refresh(directory, [found])  # it was edited by hand
        except IndexUnusableError:
            return next((entry.id for entry in self._entries() if entry.id != but and _has_name(entry, key)), None)
        return None

    def _sweep_once(self, directory: int) -> None:
        if not self._swept:
            with translated(), self._lock.hold(directory):
                sweep(directory)
            self._swept = True

    def _inspect_index(self, repair: bool) -> list[Finding]:
        with suppress(StorageError):  # which the look over the directory has told of
            directory = self._directory.open()
            return [] if directory is None else [inspect_index(self.indexing, directory, repair=repair)]
        return []

    def _lead(self, work: str) -> bool:
        directory = self._directory.open()
        return directory is not None and self._leading.lead(directory, work)

    def _read_workspace_id(self) -> str | None:
        if self._workspace_id is None and (directory := self._directory.open()) is not None:
            self._workspace_id = read_workspace_id(directory)
        return self._workspace_id

    def _make_workspace_id(self) -> str:
        return make_workspace_id(self._directory.open_for_writing())

    def _history(self, record_id: str) -> list[Revision]:
        directory = self._directory.open() if RECORD_ID.fullmatch(record_id) else None
        if directory is None:
            return []
        return revisions_of(history.read_lines(directory, record_id), record_id)

    def _rewrite_history(
        self, record_id: str, change: Callable[[Revision], Revision], drop_unreadable: bool
    ) -> Rewritten:
        directory = self._directory.open() if RECORD_ID.fullmatch(record_id) else None
        if directory is None:
            return Rewritten()
        with translated(), self._lock.hold(directory) as check_held:
            content, done = history.rewrite(directory, record_id, change, drop_unreadable=drop_unreadable)
            if content is None:
                return done
            with temporary_file(directory, content, durable=True) as temporary:
                check_held()
                name = history.history_name(record_id)
                os.rename(temporary, name, src_dir_fd=directory, dst_dir_fd=directory)
        sync_directory(directory)
        return done

    def _results(self, record_id: str) -> list[dict[str, Any]]:
        directory = self._directory.open() if RECORD_ID.fullmatch(record_id) else None
        return [] if directory is None else read_results(directory, record_id)

    def _add_result(self, record_id: str, summary: dict[str, Any], result: dict[str, Any]) -> None:
        directory = self._directory.open() if RECORD_ID.fullmatch(record_id) else None
        if directory is None:
            return
        with translated(), self._lock.hold(directory) as check_held:
            if self._load(directory, record_id) is None:
                return
            content = with_result(read_results(directory, record_id), summary, result)
            with (
                temporary_file(directory, content, durable=False) as temporary,
                self.indexing.change(directory, record_id),
            ):
                check_held()
                os.rename(temporary, results_name(record_id), src_dir_fd=directory, dst_dir_fd=directory)


def _has_name(entry: Entry | None, key: str) -> bool:
    return entry is not None and entry.record is not None and name_key(entry.record.name) == key


def _not_found() -> DataSourceNotFoundError:
    return DataSourceNotFoundError("There is no such data source.")
