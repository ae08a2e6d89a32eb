"""The store in files: one for each record, in the `.datasources` directory of a workspace.

A write goes like this. The new state, and the history that is to stand beside it, are written to temporary files and
synced. Then, under the store's lock, the stored revision and the names of all records are compared, and the files get
their names, the record last. Then, without the lock, the directory is synced, and the write is acknowledged. So readers
need no lock and see whole records only, and writers never wait for each other's disk.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import re
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from wellhead.errors import (
    DataSourceNotFoundError,
    NameTakenError,
    RevisionMismatchError,
)
from wellhead.model.texts import name_key
from wellhead.storage import history
from wellhead.storage.directory import (
    PASSING,
    StoreDirectory,
    read_file,
    remove_quietly,
    scanned,
    storage_error,
    sweep,
    sync_directory,
    temporary_file,
    translated,
)
from wellhead.storage.findings import Finding
from wellhead.storage.history import Rewritten
from wellhead.storage.inspection import inspect_store
from wellhead.storage.leading import Leading
from wellhead.storage.locks import StoreLock
from wellhead.storage.records import MAX_RECORD_BYTES, DamagedRecordError, NewerRecordError, Record, decode
from wellhead.storage.results import Signature, read_results, read_summary, results_name, signature_of, with_result
from wellhead.storage.revisions import Revision, revisions_of
from wellhead.storage.store import Entry
from wellhead.storage.workspace_id import make_workspace_id, read_workspace_id

_ID = re.compile("[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_FILE = re.compile(rf"({_ID.pattern})\.(json|health\.jsonl)")
# Timestamps of files go in steps of the clock's tick, 10 ms at most, and on some file systems of whole seconds: what
# changed less than this many nanoseconds ago may change again unseen.
_SETTLED, _SETTLED_IN_SECONDS = 20_000_000, 3_000_000_000
# Writers wait for the lock and for the disk; with threads of their own they keep none from readers.
_WRITERS = 8
KEPT_REVISIONS = 20

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _Seen:
    """An entry as it was read, with what tells whether its file has changed since."""

    entry: Entry
    digest: bytes
    signatures: tuple[Signature, Signature | None]
    settled: bool


class FileRecordStore:
    """Keeps the records of one workspace in files."""

    def __init__(self, workspace: Path, *, lock_timeout: float = 5.0, kept_revisions: int = KEPT_REVISIONS) -> None:
        """Keep records in a workspace's directory, which is made when something is first written.

        Args:
            workspace: The workspace.
            lock_timeout: Seconds to wait for the store's lock.
            kept_revisions: How many former revisions of each record are kept, 0 to 200.
        """
        self._directory = StoreDirectory(workspace)
        self._lock = StoreLock(lock_timeout)
        self._kept_revisions = kept_revisions
        self._writers = ThreadPoolExecutor(_WRITERS, "wellhead-write")
        self._known: dict[str, _Seen] = {}
        self._workspace_id: str | None = None
        self._swept = False
        self._leading = Leading()

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

    async def create(self, record: Record) -> None:
        """Store a new record."""
        await self._in_writer(self._create, record)

    async def replace(self, record: Record, *, expected: int, by: str | None = None) -> None:
        """Store a new state of a record, and keep the one before in its history."""
        await self._in_writer(self._replace, record, expected, by)

    async def rewrite(self, record_id: str, change: Callable[[Record], Record]) -> bool:
        """Write a record anew, without a change of the data source."""
        return await self._in_writer(self._rewrite, record_id, change)

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

    async def check(self) -> None:
        """Look whether the directory can be used; not being there yet is all right.

        Raises:
            StoreUnavailableError: It cannot.
        """
        await asyncio.to_thread(self._directory.open)

    async def inspect(self, *, repair: bool) -> list[Finding]:
        """Look over the directory and the files in it, and mend what is safe to mend, if that is wanted."""
        return await asyncio.to_thread(inspect_store, self._directory.path, self._lock, repair=repair)

    def close(self) -> None:
        """Wait for writes that have begun, and give the directory's descriptor back."""
        self._writers.shutdown()
        self._leading.close()
        self._directory.close()

    async def _in_writer(self, function: Callable[..., T], *arguments: Any) -> T:
        """Run a function in a thread for writes, so that those that wait for the lock hold no read up."""
        return await asyncio.get_running_loop().run_in_executor(self._writers, function, *arguments)

    # What follows runs in a thread.

    def _read(self, record_id: str) -> Entry | None:
        directory = self._directory.open() if _ID.fullmatch(record_id) else None
        return None if directory is None else self._load(directory, record_id)

    def _load(self, directory: int, record_id: str) -> Entry | None:
        """Read one record's file, and remember it."""
        now = time.time_ns()
        try:
            found = read_file(directory, f"{record_id}.json", MAX_RECORD_BYTES)
        except OSError as error:
            if error.errno in PASSING:
                raise storage_error(error) from error
            return Entry(record_id, "unreadable")
        if found is None:
            self._known.pop(record_id, None)
            return None
        content, seen = found
        health, health_signature = read_summary(directory, record_id)
        digest = hashlib.sha256(content).digest()
        known = self._known.get(record_id)
        same = known is not None and known.digest == digest and known.entry.health == health
        entry = known.entry if known is not None and same else _entry(record_id, content, health)
        newest = max(seen.st_mtime_ns, health_signature[2] if health_signature else 0)
        signatures = (signature_of(seen), health_signature)
        self._known[record_id] = _Seen(entry, digest, signatures, _is_settled(newest, now))
        return entry

    def _entries(self) -> list[Entry]:
        directory = self._directory.open()
        if directory is None:
            return []
        with translated():
            records, health = self._scan(directory)
        for record_id in self._known.keys() - records.keys():
            self._known.pop(record_id, None)
        entries = []
        for record_id, signature in records.items():
            known = self._known.get(record_id)
            if known is not None and known.settled and known.signatures == (signature, health.get(record_id)):
                entries.append(known.entry)
            elif (entry := self._load(directory, record_id)) is not None:
                entries.append(entry)
        return entries

    def _scan(self, directory: int) -> tuple[dict[str, Signature], dict[str, Signature]]:
        """Return the signatures of the files of records, and of those of results, by id."""
        records: dict[str, Signature] = {}
        health: dict[str, Signature] = {}
        with scanned(directory) as found:
            for item in found:
                if match := _FILE.fullmatch(item.name):
                    try:
                        signature = signature_of(item.stat(follow_symlinks=False))
                    except FileNotFoundError:
                        continue
                    (records if match[2] == "json" else health)[match[1]] = signature
        return records, health

    def _create(self, record: Record) -> None:
        directory = self._directory.open_for_writing()
        self._sweep_once(directory)
        content = record.encode()
        with temporary_file(directory, content, durable=True) as temporary, self._lock.hold(directory) as check_held:
            self._refuse_taken_name(record)
            check_held()
            os.rename(temporary, f"{record.id}.json", src_dir_fd=directory, dst_dir_fd=directory)
        sync_directory(directory)

    def _replace(self, record: Record, expected: int, by: str | None) -> None:
        directory = self._directory.open_for_writing()
        self._sweep_once(directory)
        content = record.encode()
        seen = self._load(directory, record.id)
        former, kept = None if seen is None else seen.record, self._kept_revisions
        with (
            temporary_file(directory, content, durable=True) as temporary,
            history.prepared(directory, former, record, by=by, kept=kept) as put_history,
            self._lock.hold(directory) as check_held,
        ):
            former = self._expect(directory, record.id, expected)
            self._refuse_taken_name(record)
            check_held()
            put_history(former)
            check_held()
            os.rename(temporary, f"{record.id}.json", src_dir_fd=directory, dst_dir_fd=directory)
        sync_directory(directory)

    def _rewrite(self, record_id: str, change: Callable[[Record], Record]) -> bool:
        directory = self._directory.open() if _ID.fullmatch(record_id) else None
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
            check_held()
            os.rename(temporary, f"{record.id}.json", src_dir_fd=directory, dst_dir_fd=directory)
            return True

    def _delete(self, record_id: str, expected: int | None) -> None:
        directory = self._directory.open() if _ID.fullmatch(record_id) else None
        if directory is None:
            raise _not_found()
        with translated(), self._lock.hold(directory) as check_held:
            if expected is not None:
                self._expect(directory, record_id, expected)
            check_held()
            try:
                os.unlink(f"{record_id}.json", dir_fd=directory)
            except FileNotFoundError:
                raise _not_found() from None
            for name in (results_name(record_id), history.history_name(record_id)):
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

    def _refuse_taken_name(self, record: Record) -> None:
        wanted = name_key(record.name)
        for entry in self._entries():
            other = entry.record
            if other is not None and other.id != record.id and name_key(other.name) == wanted:
                raise NameTakenError("Another data source has this name. Names are unique, whatever their case.")

    def _sweep_once(self, directory: int) -> None:
        if not self._swept:
            with translated(), self._lock.hold(directory):
                sweep(directory)
            self._swept = True

    def _lead(self, work: str) -> bool:
        directory = self._directory.open()
        return directory is not None and self._leading.lead(directory, work)

    def _read_workspace_id(self) -> str | None:
        directory = self._directory.open()
        return None if directory is None else read_workspace_id(directory)

    def _make_workspace_id(self) -> str:
        return make_workspace_id(self._directory.open_for_writing())

    def _history(self, record_id: str) -> list[Revision]:
        directory = self._directory.open() if _ID.fullmatch(record_id) else None
        if directory is None:
            return []
        return revisions_of(history.read_lines(directory, record_id), record_id)

    def _rewrite_history(
        self, record_id: str, change: Callable[[Revision], Revision], drop_unreadable: bool
    ) -> Rewritten:
        directory = self._directory.open() if _ID.fullmatch(record_id) else None
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
        directory = self._directory.open() if _ID.fullmatch(record_id) else None
        return [] if directory is None else read_results(directory, record_id)

    def _add_result(self, record_id: str, summary: dict[str, Any], result: dict[str, Any]) -> None:
        directory = self._directory.open() if _ID.fullmatch(record_id) else None
        if directory is None:
            return
        with translated(), self._lock.hold(directory) as check_held:
            if self._load(directory, record_id) is None:
                return
            content = with_result(read_results(directory, record_id), summary, result)
            with temporary_file(directory, content, durable=False) as temporary:
                check_held()
                os.rename(temporary, results_name(record_id), src_dir_fd=directory, dst_dir_fd=directory)


def _is_settled(newest: int, now: int) -> bool:
    in_seconds = newest % 1_000_000_000 == 0
    return now - newest > (_SETTLED_IN_SECONDS if in_seconds else _SETTLED)


def _entry(record_id: str, content: bytes, health: dict[str, Any] | None) -> Entry:
    try:
        return Entry(record_id, "ok", decode(content, record_id), health=health)
    except NewerRecordError as error:
        return Entry(record_id, "newer_format", remains=error.document)
    except DamagedRecordError:
        return Entry(record_id, "corrupt")


def _not_found() -> DataSourceNotFoundError:
    return DataSourceNotFoundError("There is no such data source.")
