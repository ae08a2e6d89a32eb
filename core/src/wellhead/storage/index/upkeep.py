"""Bringing rows of the index up to the files of records, and finding those that are not."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterable, Iterator

from wellhead.storage.disk.reading import Seen, read_entry, scan
from wellhead.storage.index.file import transaction
from wellhead.storage.index.rows import row_of, written
from wellhead.storage.index.writes import drop, drop_pending, keep, put, put_pending, take_in, unmark

BATCH = 200
"""How many records are taken up in one go."""
_TAKEN_IN_AT = 64
"""How many rows wait at most, so that whoever reads next need not wait long."""
_AT_A_STRETCH, _PAUSE = 64, 0.0002


def write_rows(connection: sqlite3.Connection, directory: int, record_ids: Iterable[str]) -> None:
    """Bring the rows of records up to their files, and take the notes about them back."""
    with transaction(connection):
        for record_id in record_ids:
            _write_row(connection, record_id, read_entry(directory, record_id))


def write_pending(connection: sqlite3.Connection, seen: Seen) -> None:
    """Write what the files of one record hold, to be taken in with others, and take the note about it back."""
    connection.execute("BEGIN IMMEDIATE")
    put_pending(connection, row_of(seen))
    unmark(connection, seen.entry.id)
    [pending] = connection.execute("SELECT count(*) FROM pending").fetchone()
    connection.execute("COMMIT")
    if pending >= _TAKEN_IN_AT:
        take_in_pending(connection)


def take_in_pending(connection: sqlite3.Connection) -> None:
    """Put the rows of what was written a moment ago among the others, if there are any."""
    if connection.execute("SELECT 1 FROM pending LIMIT 1").fetchone() is not None:
        with transaction(connection):
            take_in(connection)


def _write_row(connection: sqlite3.Connection, record_id: str, seen: Seen | None) -> None:
    row = None if seen is None else row_of(seen)
    drop_pending(connection, record_id)
    if row is None or not keep(connection, row):  # what was judged stays while the files are the same
        drop(connection, record_id)
        if row is not None:
            put(connection, row)
    unmark(connection, record_id)


def differences(connection: sqlite3.Connection, directory: int) -> list[str]:
    """Return the ids whose files are not as the index has them, or were read too soon after a change to tell.

    What is pending counts as not there.
    """
    connection.execute(
        "CREATE TEMP TABLE IF NOT EXISTS seen (id TEXT PRIMARY KEY, record TEXT, results TEXT) WITHOUT ROWID"
    )
    connection.execute("BEGIN")
    connection.execute("DELETE FROM seen")
    query = (
        "INSERT INTO seen VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET "
        "record = coalesce(excluded.record, record), results = coalesce(excluded.results, results)"
    )
    connection.executemany(query, _signatures(directory))
    found = connection.execute(
        "SELECT seen.id FROM seen LEFT JOIN sources ON sources.id = seen.id WHERE seen.record IS NOT NULL"
        " AND (seen.record IS NOT sources.record OR seen.results IS NOT sources.results OR NOT sources.settled)"
        " UNION ALL SELECT id FROM sources WHERE id NOT IN (SELECT id FROM seen WHERE record IS NOT NULL)"
    ).fetchall()
    connection.execute("DELETE FROM seen")
    connection.execute("COMMIT")
    return [row[0] for row in found]


def _signatures(directory: int) -> Iterator[tuple[str, str | None, str | None]]:
    """Go through the signatures of all files, with pauses in which other threads get their turn.

    A thread that computes on and on keeps each other one waiting for 5 ms, again and again within one request.
    """
    for number, (record_id, is_record, signature) in enumerate(scan(directory)):
        if number % _AT_A_STRETCH == _AT_A_STRETCH - 1:
            time.sleep(_PAUSE)
        text = written(signature)
        yield (record_id, text, None) if is_record else (record_id, None, text)
