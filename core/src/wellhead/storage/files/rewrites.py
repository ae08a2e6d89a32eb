"""Writing anew what the store has in files, as it is done in a thread: no change of the data source itself.

Records get other keys or the schema that their type has now, and histories lose what is not to be kept. A write goes as
`writes` says.
"""

from __future__ import annotations

import os
from collections.abc import Callable

from wellhead.storage.disk import history
from wellhead.storage.disk.backups import backup_name, content_of
from wellhead.storage.disk.directory import StoreDirectory, remove_quietly, sync_directory, temporary_file, translated
from wellhead.storage.disk.leftovers import Leftovers
from wellhead.storage.disk.locks import StoreLock
from wellhead.storage.files.reads import FileReads
from wellhead.storage.index.notes import IndexNotes
from wellhead.storage.records import RECORD_ID, Record
from wellhead.storage.revisions import Revision, Rewritten


class FileRewrites:
    """Writes the records of one workspace anew."""

    def __init__(
        self, directory: StoreDirectory, lock: StoreLock, notes: IndexNotes, reads: FileReads, leftovers: Leftovers
    ) -> None:
        """Rewrite a store.

        Args:
            directory: Its directory.
            lock: Its lock.
            notes: What its index is told.
            reads: What reads it.
            leftovers: What crashes left in it.
        """
        self._directory = directory
        self._lock = lock
        self._notes = notes
        self._reads = reads
        self._leftovers = leftovers

    def rewrite(self, record_id: str, change: Callable[[Record], Record]) -> bool:
        """Write a record anew, without a change of the data source."""
        directory = self._directory.open() if RECORD_ID.fullmatch(record_id) else None
        if directory is None:
            return False
        self._leftovers.sweep_once(directory)
        while True:
            entry = self._reads.load(directory, record_id)
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
            entry = self._reads.load(directory, record.id)
            if entry is None or entry.record != found:
                remove_quietly(directory, temporary)
                return False
            with self._notes.change(directory, record.id):
                check_held()
                os.rename(temporary, f"{record.id}.json", src_dir_fd=directory, dst_dir_fd=directory)
            return True

    def migrate(self, found: Record, record: Record) -> bool:
        """Store a record in the schema that its type has now, and what was stored as its backup."""
        directory = self._directory.open_for_writing()
        self._leftovers.sweep_once(directory)
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
            with self._notes.change(directory, record.id, (record, content)):
                check_held()
                os.rename(backup, backup_name(record.id), src_dir_fd=directory, dst_dir_fd=directory)
                check_held()
                os.rename(temporary, f"{record.id}.json", src_dir_fd=directory, dst_dir_fd=directory)
        sync_directory(directory)
        return True

    def remove_backup(self, record_id: str) -> None:
        """Remove the backup of a record."""
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

    def rewrite_history(
        self, record_id: str, change: Callable[[Revision], Revision], drop_unreadable: bool
    ) -> Rewritten:
        """Change former revisions where they are kept."""
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
