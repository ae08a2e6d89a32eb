"""Making the index anew, from the files of all records."""

from __future__ import annotations

import secrets
import sqlite3
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path

from wellhead.storage.disk.directory import remove_quietly
from wellhead.storage.disk.locks import StoreLock
from wellhead.storage.disk.reading import read_entry, scan
from wellhead.storage.index.file import IndexFile, finish, finished, making
from wellhead.storage.index.rows import row_of
from wellhead.storage.index.upkeep import BATCH, differences, write_rows
from wellhead.storage.index.writes import put_all


def make_anew(
    file: IndexFile, path: Path, directory: int, lock: StoreLock, *, boot: str, tell: Callable[[int, int], None]
) -> int:
    """Make the index under another name, catch up with what was written meanwhile, and put it in place.

    Args:
        file: The index.
        path: The store's directory.
        directory: Its descriptor.
        lock: The store's lock.
        boot: What tells this start of the machine from others.
        tell: Told how many records of how many are in it.

    Returns:
        How many records it has.

    Raises:
        IndexUnusableError: There can be none here.
        StorageError: The store cannot be read or locked.
    """
    name = f".tmp-{secrets.token_hex(8)}"
    ids, with_results = _ids_in(directory)
    began = time.monotonic()
    try:
        with making(path / name) as connection:
            for done in _fill(connection, directory, ids, with_results):
                tell(done, len(ids))
            finish(connection, boot)
        with lock.hold(directory):
            with finished(path / name) as connection:
                write_rows(connection, directory, differences(connection, directory))
                connection.execute("UPDATE meta SET swept_at = ?", (began,))
            file.put_in_place(directory, name)
    finally:
        for ending in ("", "-wal", "-shm"):
            remove_quietly(directory, name + ending)
    tell(len(ids), len(ids))
    return len(ids)


def _fill(
    connection: sqlite3.Connection, directory: int, ids: Sequence[str], with_results: Collection[str]
) -> Iterator[int]:
    """Write the rows of an index that has none; yield how many are done, now and then.

    Args:
        connection: The index.
        directory: The descriptor of the store's directory.
        ids: The ids of all records.
        with_results: Those of them that have a file with results.

    Raises:
        StorageError: The machine is out of descriptors or memory.
    """
    written = 0
    for begin in range(0, len(ids), BATCH):
        if begin:
            yield begin
        batch = ids[begin : begin + BATCH]
        seen = (read_entry(directory, record_id, has_results=record_id in with_results) for record_id in batch)
        rows = [row_of(found) for found in seen if found is not None]
        put_all(connection, rows, first=written + 1)
        written += len(rows)


def _ids_in(directory: int) -> tuple[list[str], set[str]]:
    """Return the ids of all records, and of those that have results."""
    records: list[str] = []
    results: set[str] = set()
    for record_id, is_record, _ in scan(directory):
        records.append(record_id) if is_record else results.add(record_id)
    return records, results
