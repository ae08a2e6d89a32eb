"""What is written to the index: rows, judgements, and notes of what is about to change."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from zlib import crc32

_COLUMNS = (
    "id", "name_key", "description_key", "type", "created_at", "updated_at", "created", "updated", "health_status",
    "sealed", "judged", "state", "revision", "digest", "record", "results", "settled",
)  # fmt: skip
_INSERT = f"INSERT INTO sources ({', '.join(_COLUMNS)}) VALUES ({', '.join('?' * len(_COLUMNS))})"  # noqa: S608  # names of columns only
_INSERT_NUMBERED = f"INSERT INTO sources (number, {', '.join(_COLUMNS)}) VALUES (?, {', '.join('?' * len(_COLUMNS))})"  # noqa: S608  # as above
_PUT_PENDING = f"INSERT OR REPLACE INTO pending VALUES ({', '.join('?' * (len(_COLUMNS) + 1))})"  # noqa: S608  # places for all values
TAKE_IN = (
    "DELETE FROM labels WHERE number IN (SELECT number FROM sources WHERE id IN (SELECT id FROM pending))",
    "DELETE FROM items WHERE number IN (SELECT number FROM sources WHERE id IN (SELECT id FROM pending))",
    "DELETE FROM sources WHERE id IN (SELECT id FROM pending)",
    f"INSERT INTO sources ({', '.join(_COLUMNS)}) SELECT {', '.join(_COLUMNS)} FROM pending",  # noqa: S608  # names of columns only
    """
    INSERT INTO labels SELECT label.key, label.value, sources.name_key, sources.id, sources.number
    FROM pending CROSS JOIN sources ON sources.id = pending.id CROSS JOIN json_each(pending.labels) AS label
    """,
    "DELETE FROM pending",
)
_PUT_LABEL = "INSERT INTO labels VALUES (?, ?, ?, ?, ?)"


@dataclass(frozen=True, slots=True)
class Row:
    """What the index has of one record: its id and name, the columns after those, its labels, and its item."""

    id: str
    name_key: str
    values: tuple[str | int | bytes | None, ...]
    labels: tuple[tuple[str, str], ...]
    item: bytes | None


_PUT_ITEM = "INSERT OR REPLACE INTO items VALUES (?, ?, ?)"

Judgement = tuple[str, int, bytes, str, str, str | None]
"""State, basis and item of a row, its id, and the signatures of the files that were read for it."""


def put(connection: sqlite3.Connection, row: Row) -> None:
    """Write the row of a record that has none."""
    number = connection.execute(_INSERT, (row.id, row.name_key, *row.values)).lastrowid or 0
    _put_beside(connection, [(number, row)])


def put_all(connection: sqlite3.Connection, rows: Sequence[Row], *, first: int) -> None:
    """Write the rows of records that have none, in one go.

    Args:
        connection: The index.
        rows: The rows.
        first: The number of the first one; no row has it, or one above it.
    """
    numbered = list(enumerate(rows, first))
    connection.executemany(_INSERT_NUMBERED, ((number, row.id, row.name_key, *row.values) for number, row in numbered))
    _put_beside(connection, numbered)


def _put_beside(connection: sqlite3.Connection, numbered: Sequence[tuple[int, Row]]) -> None:
    labels = [(key, value, row.name_key, row.id, number) for number, row in numbered for key, value in row.labels]
    items = [(number, row.item, crc32(row.item)) for number, row in numbered if row.item is not None]
    if labels:
        connection.executemany(_PUT_LABEL, labels)
    if items:
        connection.executemany(_PUT_ITEM, items)


def put_pending(connection: sqlite3.Connection, row: Row) -> None:
    """Write the row of a record that can be read, to be taken in later."""
    connection.execute(_PUT_PENDING, (row.id, row.name_key, *row.values, json.dumps(dict(row.labels))))


def take_in(connection: sqlite3.Connection) -> None:
    """Put all pending rows in the place of those that their records had."""
    for statement in TAKE_IN:
        connection.execute(statement)


def drop_pending(connection: sqlite3.Connection, record_id: str) -> None:
    """Remove the row of an id that waits, if there is one."""
    connection.execute("DELETE FROM pending WHERE id = ?", (record_id,))


def keep(connection: sqlite3.Connection, row: Row) -> bool:
    """Leave the row of a record as it is, but for when its file was changed; return False if the content is another."""
    *_, digest, record, results, settled = row.values
    query = "UPDATE sources SET record = ?, settled = ? WHERE id = ? AND digest = ? AND digest <> x'' AND results IS ?"
    return connection.execute(query, (record, settled, row.id, digest, results)).rowcount == 1


def drop(connection: sqlite3.Connection, record_id: str) -> None:
    """Remove the row of an id, if there is one."""
    found = connection.execute("SELECT number FROM sources WHERE id = ?", (record_id,)).fetchone()
    if found is not None:
        for table in ("labels", "items", "sources"):
            connection.execute(f"DELETE FROM {table} WHERE number = ?", found)  # noqa: S608  # names of tables only


def judge_rows(connection: sqlite3.Connection, judgements: Iterable[Judgement]) -> None:
    """Write judgements down. A row that is of another state of the file by now stays as it is."""
    for state, basis, item, *read in judgements:
        query = "UPDATE sources SET state = ?, judged = ? WHERE id = ? AND record = ? AND results IS ? RETURNING number"
        found = connection.execute(query, (state, basis, *read)).fetchone()
        if found is not None:
            connection.execute(_PUT_ITEM, (*found, item, crc32(item)))


def mark(connection: sqlite3.Connection, record_id: str) -> None:
    """Note that a record is about to change: if the note is still there when nobody writes, somebody crashed."""
    connection.execute("INSERT OR IGNORE INTO changing VALUES (?)", (record_id,))


def unmark(connection: sqlite3.Connection, record_id: str) -> None:
    """Take the note about a record back."""
    connection.execute("DELETE FROM changing WHERE id = ?", (record_id,))
