"""The store in files: one for each record, in the `.datasources` directory of a workspace.

A write goes like this. The new state is written to a temporary file and synced. Then, under the store's lock, the
stored revision and the names of all records are compared, and the file gets its name. Then, without the lock, the
directory is synced, and the write is acknowledged. So readers need no lock and see whole records only, and writers
never wait for each other's disk.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wellhead import strict_json
from wellhead.errors import (
    DataSourceNotFoundError,
    MalformedJSONError,
    NameTakenError,
    RevisionMismatchError,
    StoreUnavailableError,
)
from wellhead.model.texts import name_key
from wellhead.storage.directory import (
    StoreDirectory,
    read_file,
    remove_quietly,
    sweep,
    sync_directory,
    temporary_file,
    translated,
)
from wellhead.storage.locks import StoreLock
from wellhead.storage.records import MAX_RECORD_BYTES, DamagedRecordError, NewerRecordError, Record, decode
from wellhead.storage.store import Entry

KEPT_RESULTS = 50
_UUID = "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
_FILE = re.compile(rf"({_UUID})\.(json|health\.jsonl)")
_WORKSPACE = "workspace.json"
_MAX_RESULTS_BYTES = 4 << 20
_MAX_SUMMARY_BYTES = 512
# Timestamps of files are coarse: what changed less than this many nanoseconds ago may change again unseen.
_SETTLED = 1_000_000_000

Signature = tuple[int, int, int, int]


@dataclass(frozen=True, slots=True)
class _Seen:
    """An entry as it was read, with what tells whether its file has changed since."""

    entry: Entry
    signatures: tuple[Signature, Signature | None]
    settled: bool


def _signature(seen: os.stat_result) -> Signature:
    return seen.st_ino, seen.st_size, seen.st_mtime_ns, seen.st_ctime_ns


class FileRecordStore:
    """Keeps the records of one workspace in files."""

    def __init__(self, workspace: Path, *, lock_timeout: float = 5.0) -> None:
        """Keep records in a workspace's directory, which is made when something is first written.

        Args:
            workspace: The workspace.
            lock_timeout: Seconds to wait for the store's lock.
        """
        self._directory = StoreDirectory(workspace)
        self._lock = StoreLock(lock_timeout)
        self._known: dict[str, _Seen] = {}
        self._workspace_id: str | None = None
        self._swept = False

    async def workspace_id(self) -> str:
        """Return the id of the workspace; make it if there is none."""
        if self._workspace_id is None:
            self._workspace_id = await asyncio.to_thread(self._read_or_make_workspace_id)
        return self._workspace_id

    async def read(self, record_id: str) -> Entry | None:
        """Return what is stored under an id; None if nothing is."""
        return await asyncio.to_thread(self._read, record_id)

    async def entries(self) -> Sequence[Entry]:
        """Return all that is stored."""
        return await asyncio.to_thread(self._entries)

    async def create(self, record: Record) -> None:
        """Store a new record."""
        await asyncio.to_thread(self._write, record, None)

    async def replace(self, record: Record, *, expected: int) -> None:
        """Store a new state of a record."""
        await asyncio.to_thread(self._write, record, expected)

    async def delete(self, record_id: str, *, expected: int | None) -> None:
        """Delete what is stored under an id."""
        await asyncio.to_thread(self._delete, record_id, expected)

    async def results(self, record_id: str) -> list[dict[str, Any]]:
        """Return the last results of validating a data source, newest first."""
        return await asyncio.to_thread(self._results, record_id)

    async def add_result(self, record_id: str, summary: dict[str, Any], result: dict[str, Any]) -> None:
        """Keep a result and its summary."""
        await asyncio.to_thread(self._add_result, record_id, summary, result)

    async def check(self) -> None:
        """Look whether the directory can be used; not being there yet is all right.

        Raises:
            StoreUnavailableError: It cannot.
        """
        await asyncio.to_thread(self._directory.open)

    def close(self) -> None:
        """Give the directory's descriptor back."""
        self._directory.close()

    # What follows runs in a thread.

    def _read(self, record_id: str) -> Entry | None:
        directory = self._directory.open()
        return None if directory is None else self._load(directory, record_id)

    def _load(self, directory: int, record_id: str) -> Entry | None:
        """Read one record's file, and remember it."""
        now = time.time_ns()
        try:
            found = read_file(directory, f"{record_id}.json", MAX_RECORD_BYTES)
        except OSError:
            return Entry(record_id, "unreadable")
        if found is None:
            self._known.pop(record_id, None)
            return None
        content, seen = found
        health, health_signature = _read_summary(directory, record_id)
        entry = _entry(record_id, content, health)
        newest = max(seen.st_mtime_ns, health_signature[2] if health_signature else 0)
        signatures = (_signature(seen), health_signature)
        self._known[record_id] = _Seen(entry, signatures, now - newest > _SETTLED)
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
        with os.scandir(directory) as found:
            for item in found:
                if match := _FILE.fullmatch(item.name):
                    try:
                        signature = _signature(item.stat(follow_symlinks=False))
                    except FileNotFoundError:
                        continue
                    (records if match[2] == "json" else health)[match[1]] = signature
        return records, health

    def _write(self, record: Record, expected: int | None) -> None:
        directory = self._directory.open_for_writing()
        self._sweep_once(directory)
        name = f"{record.id}.json"
        with temporary_file(directory, record.encode(), durable=True) as temporary, self._lock.hold(directory):
            self._expect(directory, record.id, expected)
            self._refuse_taken_name(record)
            os.rename(temporary, name, src_dir_fd=directory, dst_dir_fd=directory)
        sync_directory(directory)

    def _delete(self, record_id: str, expected: int | None) -> None:
        directory = self._directory.open()
        if directory is None:
            raise _not_found()
        with translated(), self._lock.hold(directory):
            if expected is not None:
                self._expect(directory, record_id, expected)
            try:
                os.unlink(f"{record_id}.json", dir_fd=directory)
            except FileNotFoundError:
                raise _not_found() from None
            remove_quietly(directory, _health(record_id))
        sync_directory(directory)

    def _expect(self, directory: int, record_id: str, expected: int | None) -> None:
        """Hold the revision that a change was made for; a new record expects nothing."""
        if expected is None:
            return
        entry = self._load(directory, record_id)
        if entry is None:
            raise _not_found()
        stored = entry.record.revision if entry.record is not None else 0
        if stored != expected:
            raise RevisionMismatchError(stored=stored)

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

    def _read_or_make_workspace_id(self) -> str:
        directory = self._directory.open_for_writing()
        with translated():
            found = read_file(directory, _WORKSPACE, 4096)
            if found is not None:
                return _workspace_id(found[0])
        content = json.dumps({"wellhead_format": 1, "id": str(uuid.uuid4())}).encode() + b"\n"
        with temporary_file(directory, content, durable=True) as temporary:
            try:
                os.link(temporary, _WORKSPACE, src_dir_fd=directory, dst_dir_fd=directory)
            except FileExistsError:  # another process was first
                return self._read_or_make_workspace_id()
            finally:
                remove_quietly(directory, temporary)
        sync_directory(directory)
        return _workspace_id(content)

    def _results(self, record_id: str) -> list[dict[str, Any]]:
        directory = self._directory.open()
        return [] if directory is None else _read_results(directory, record_id)

    def _add_result(self, record_id: str, summary: dict[str, Any], result: dict[str, Any]) -> None:
        directory = self._directory.open_for_writing()
        with translated(), self._lock.hold(directory):
            if self._load(directory, record_id) is None:
                return
            kept = [result, *_read_results(directory, record_id)][:KEPT_RESULTS]
            content = "\n".join(json.dumps(line) for line in (summary, *kept)).encode()
            with temporary_file(directory, content, durable=False) as temporary:
                os.rename(temporary, _health(record_id), src_dir_fd=directory, dst_dir_fd=directory)


def _entry(record_id: str, content: bytes, health: dict[str, Any] | None) -> Entry:
    try:
        return Entry(record_id, "ok", decode(content, record_id), health=health)
    except NewerRecordError as error:
        return Entry(record_id, "newer_format", remains=error.document)
    except DamagedRecordError:
        return Entry(record_id, "corrupt")


def _workspace_id(content: bytes) -> str:
    try:
        found = strict_json.parse_object(content).get("id")
    except MalformedJSONError:
        found = None
    if not isinstance(found, str) or not re.fullmatch(_UUID, found):
        raise StoreUnavailableError(f"'{_WORKSPACE}' in the store is damaged. Restore it from a backup.")
    return found


def _health(record_id: str) -> str:
    """Return the name of the file with a data source's results: JSON Lines, a summary first, then newest first."""
    return f"{record_id}.health.jsonl"


def _read_results(directory: int, record_id: str) -> list[dict[str, Any]]:
    """Read the results of a data source; damaged ones are gone, they are made anew with the next validation."""
    try:
        found = read_file(directory, _health(record_id), _MAX_RESULTS_BYTES)
        lines = [] if found is None else [json.loads(line) for line in found[0].splitlines()]
    except (OSError, ValueError):
        return []
    return [line for line in lines[1:] if isinstance(line, dict)]


def _read_summary(directory: int, record_id: str) -> tuple[dict[str, Any] | None, Signature | None]:
    """Read the summary of the newest result, which is the first line of the results' file."""
    try:
        found = read_file(directory, _health(record_id), _MAX_SUMMARY_BYTES)
        if found is None:
            return None, None
        summary = json.loads(found[0].partition(b"\n")[0])
    except (OSError, ValueError):
        return None, None
    return (summary if isinstance(summary, dict) else None), _signature(found[1])


def _not_found() -> DataSourceNotFoundError:
    return DataSourceNotFoundError("There is no such data source.")

