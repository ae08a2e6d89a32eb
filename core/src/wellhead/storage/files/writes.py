"""Writing the store in files, as it is done in a thread: what is made, changed and deleted.

A write goes like this. The new state, and the history that is to stand beside it, are written to temporary files and
synced. Then, under the store's lock, the stored revision and the names of all records are compared, and the files get
their names, the record last. Then, without the lock, the directory is synced, and the write is acknowledged. So readers
need no lock and see whole records only, and writers never wait for each other's disk.
"""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from wellhead.errors import DataSourceNotFoundError, QuotaExceededError, RevisionMismatchError
from wellhead.model.texts import name_key
from wellhead.storage.conflicts import name_taken
from wellhead.storage.disk import history
from wellhead.storage.disk.backups import backup_name
from wellhead.storage.disk.directory import (
    StoreDirectory,
    remove_quietly,
    sync_directory,
    temporary_file,
    translated,
)
from wellhead.storage.disk.leftovers import Leftovers
from wellhead.storage.disk.locks import StoreLock
from wellhead.storage.disk.reading import scan
from wellhead.storage.disk.results import read_results, results_name, with_result
from wellhead.storage.files.reads import FileReads
from wellhead.storage.index.file import IndexUnusableError
from wellhead.storage.index.indexing import Indexing
from wellhead.storage.opening import name_of
from wellhead.storage.records import RECORD_ID, Record
from wellhead.storage.store import Entry

# Seconds for which an index that says that there is no room is believed, once the files have been counted.
_FULL_SECONDS = 5.0


class FileWrites:
    """Writes the records of one workspace."""

    def __init__(
        self,
        directory: StoreDirectory,
        lock: StoreLock,
        indexing: Indexing,
        reads: FileReads,
        leftovers: Leftovers,
        *,
        kept_revisions: int,
        quota: int,
    ) -> None:
        """Write a store.

        Args:
            directory: Its directory.
            lock: Its lock.
            indexing: Its index.
            reads: What reads it.
            leftovers: What crashes left in it.
            kept_revisions: How many former revisions of each record are kept.
            quota: How many records there may be; 0 for any number.
        """
        self._directory = directory
        self._lock = lock
        self._indexing = indexing
        self._notes = indexing.notes
        self._reads = reads
        self._leftovers = leftovers
        self._kept_revisions = kept_revisions
        self._quota = quota
        self._full_until = 0.0

    def create(self, record: Record) -> None:
        """Store a new record."""
        directory = self._directory.open_for_writing()
        self._leftovers.sweep_once(directory)
        content = record.encode()
        self._indexing.prepare_to_write(directory)
        with temporary_file(directory, content, durable=True) as temporary, self._lock.hold(directory) as check_held:
            self._refuse_taken_name(directory, record)
            self._refuse_over_quota(directory)
            with self._notes.change(directory, record.id, (record, content), is_new=True):
                check_held()
                os.rename(temporary, f"{record.id}.json", src_dir_fd=directory, dst_dir_fd=directory)
        sync_directory(directory)

    def replace(self, record: Record, expected: int, by: str | None, changed: Sequence[str] | None) -> None:
        """Store a new state of a record, and keep the one before in its history."""
        directory = self._directory.open_for_writing()
        self._leftovers.sweep_once(directory)
        content = record.encode()
        seen = self._reads.load(directory, record.id)
        former, kept = None if seen is None else seen.record, self._kept_revisions
        self._indexing.prepare_to_write(directory)
        with (
            temporary_file(directory, content, durable=True) as temporary,
            history.prepared(directory, former, record, by=by, changed=changed, kept=kept) as put_history,
            self._lock.hold(directory) as check_held,
        ):
            former = self._expect(directory, record.id, expected)
            self._refuse_taken_name(directory, record)
            with self._notes.change(directory, record.id, (record, content)):
                check_held()
                put_history(former)
                check_held()
                os.rename(temporary, f"{record.id}.json", src_dir_fd=directory, dst_dir_fd=directory)
        sync_directory(directory)

    def delete(self, record_id: str, expected: int | None) -> None:
        """Delete what is stored under an id."""
        directory = self._directory.open() if RECORD_ID.fullmatch(record_id) else None
        if directory is None:
            raise _not_found()
        with translated(), self._lock.hold(directory) as check_held:
            if expected is not None:
                self._expect(directory, record_id, expected)
            with self._notes.change(directory, record_id):
                check_held()
                try:
                    os.unlink(f"{record_id}.json", dir_fd=directory)
                except FileNotFoundError:
                    raise _not_found() from None
                for name in (results_name(record_id), history.history_name(record_id), backup_name(record_id)):
                    remove_quietly(directory, name)
        sync_directory(directory)

    def add_result(self, record_id: str, summary: dict[str, Any], result: dict[str, Any]) -> None:
        """Keep a result and its summary."""
        directory = self._directory.open() if RECORD_ID.fullmatch(record_id) else None
        if directory is None:
            return
        with translated(), self._lock.hold(directory) as check_held:
            if self._reads.load(directory, record_id) is None:
                return
            content = with_result(read_results(directory, record_id), summary, result)
            with (
                temporary_file(directory, content, durable=False) as temporary,
                self._notes.change(directory, record_id),
            ):
                check_held()
                os.rename(temporary, results_name(record_id), src_dir_fd=directory, dst_dir_fd=directory)

    def _expect(self, directory: int, record_id: str, expected: int) -> Record:
        """Hold the revision that a change was made for, and return what is stored."""
        entry = self._reads.load(directory, record_id)
        if entry is None:
            raise _not_found()
        if entry.record is None or entry.record.revision != expected:
            raise RevisionMismatchError(stored=0 if entry.record is None else entry.record.revision)
        return entry.record

    def _refuse_taken_name(self, directory: int, record: Record) -> None:
        if self._holder_of(directory, name_key(record.name), record.id) is not None:
            raise name_taken()

    def _refuse_over_quota(self, directory: int) -> None:
        """Refuse one record more than there may be. The files themselves are counted before that, but not each time."""
        if not self._quota:
            return
        with suppress(IndexUnusableError):
            if self._notes.count(directory) < self._quota:
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
        refreshed = None
        try:
            while (found := self._notes.id_of(directory, key, but=but)) is not None:
                if _has_name(self._reads.load(directory, found), key):
                    return found
                if found == refreshed:  # or else this would go on for ever
                    raise self._notes.distrusted(directory)
                self._notes.refresh(directory, [found])  # it was edited by hand, or its new row waits
                refreshed = found
        except IndexUnusableError:
            return next(
                (entry.id for entry in self._reads.entries() if entry.id != but and _has_name(entry, key)), None
            )
        return None


def _has_name(entry: Entry | None, key: str) -> bool:
    name = None if entry is None else name_of(entry)
    return name is not None and name_key(name) == key


def _not_found() -> DataSourceNotFoundError:
    return DataSourceNotFoundError("There is no such data source.")
