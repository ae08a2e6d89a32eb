"""The store in files: one for each record, in the `.datasources` directory of a workspace.

What is done in threads is in `reads`, `writes` and `rewrites`.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

from wellhead.errors import StorageError
from wellhead.storage.disk.directory import StoreDirectory, translated
from wellhead.storage.disk.leading import Leading
from wellhead.storage.disk.leftovers import Leftovers
from wellhead.storage.disk.locks import StoreLock
from wellhead.storage.disk.workspace_id import make_workspace_id, read_workspace_id
from wellhead.storage.files.inspection import inspect_store
from wellhead.storage.files.reads import FileReads
from wellhead.storage.files.rewrites import FileRewrites
from wellhead.storage.files.writes import FileWrites
from wellhead.storage.findings import Finding
from wellhead.storage.index.file import IndexUnusableError
from wellhead.storage.index.indexing import Indexing, Watch
from wellhead.storage.index.inspection import inspect_index
from wellhead.storage.index.sweeper import Sweeper
from wellhead.storage.records import Record
from wellhead.storage.revisions import Revision, Rewritten
from wellhead.storage.selection import Chosen, Group, Selection, Shown
from wellhead.storage.store import Entry, Judge

# Writers wait for the lock and for the disk; with threads of their own they keep none from readers.
_WRITERS = 8
_LISTERS = 4
KEPT_REVISIONS = 20

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
        self._writers = ThreadPoolExecutor(_WRITERS, "wellhead-write")
        self._listers = ThreadPoolExecutor(_LISTERS, "wellhead-list")
        self.indexing = Indexing(self._directory.path, self._lock)
        self._reads = FileReads(self._directory, self.indexing)
        leftovers = Leftovers(self._lock)
        self._writes = FileWrites(
            self._directory,
            self._lock,
            self.indexing,
            self._reads,
            leftovers,
            kept_revisions=kept_revisions,
            quota=quota,
        )
        self._rewrites = FileRewrites(self._directory, self._lock, self.indexing.notes, self._reads, leftovers)
        self._workspace_id: str | None = None
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
        return await asyncio.to_thread(self._reads.read, record_id)

    async def entries(self) -> Sequence[Entry]:
        """Return all that is stored."""
        return await asyncio.to_thread(self._reads.entries)

    async def choose(self, selection: Selection, judge: Judge) -> Chosen | None:
        """Return the entries that are wanted, by the index; None where there can be none just now.

        A page that was chosen before and is the same still is looked up without a thread, as `show` does; an index is
        on a disk of this machine.
        """
        if (known := self._reads.chosen_before(selection, judge)) is not None:
            return known
        return await asyncio.get_running_loop().run_in_executor(self._listers, self._reads.choose, selection, judge)

    async def summarize(self, selection: Selection, judge: Judge) -> Counter[Group] | None:
        """Count the entries that are wanted, by the index; None where there can be none just now."""
        return await asyncio.get_running_loop().run_in_executor(self._listers, self._reads.summarize, selection, judge)

    async def show(self, record_id: str, judge: Judge) -> Shown | None:
        """Return a data source as it is read; None where there is none, or its record cannot be read.

        What was shown before and is the same still is looked up without a thread: on a disk of this machine, reading
        one small file takes less time than telling a thread to.
        """
        if (known := self._reads.known_as_shown(record_id, judge)) is not None:
            return known
        return await asyncio.to_thread(self._reads.show, record_id, judge)

    async def create(self, record: Record) -> None:
        """Store a new record."""
        await self._in_writer(self._writes.create, record)

    async def replace(
        self, record: Record, *, expected: int, by: str | None = None, changed: Sequence[str] | None = None
    ) -> None:
        """Store a new state of a record, and keep the one before in its history."""
        await self._in_writer(self._writes.replace, record, expected, by, changed)

    async def rewrite(self, record_id: str, change: Callable[[Record], Record]) -> bool:
        """Write a record anew, without a change of the data source."""
        return await self._in_writer(self._rewrites.rewrite, record_id, change)

    async def migrate(self, found: Record, record: Record) -> bool:
        """Store a record in the schema that its type has now, and what was stored as its backup."""
        return await self._in_writer(self._rewrites.migrate, found, record)

    async def remove_backup(self, record_id: str) -> None:
        """Remove the backup of a record."""
        await self._in_writer(self._rewrites.remove_backup, record_id)

    async def delete(self, record_id: str, *, expected: int | None) -> None:
        """Delete what is stored under an id."""
        await self._in_writer(self._writes.delete, record_id, expected)

    async def history(self, record_id: str) -> list[Revision]:
        """Return the former revisions of a record, newest first."""
        return await asyncio.to_thread(self._reads.history, record_id)

    async def rewrite_history(
        self, record_id: str, change: Callable[[Revision], Revision], *, drop_unreadable: bool = False
    ) -> Rewritten:
        """Change former revisions where they are kept."""
        return await self._in_writer(self._rewrites.rewrite_history, record_id, change, drop_unreadable)

    async def results(self, record_id: str) -> list[dict[str, Any]]:
        """Return the last results of validating a data source, newest first."""
        return await asyncio.to_thread(self._reads.results, record_id)

    async def add_result(self, record_id: str, summary: dict[str, Any], result: dict[str, Any]) -> None:
        """Keep a result and its summary."""
        await self._in_writer(self._writes.add_result, record_id, summary, result)

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
