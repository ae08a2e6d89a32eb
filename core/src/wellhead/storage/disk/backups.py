"""Backups: the file of a record as it was before its last migration, beside it, byte for byte."""

from __future__ import annotations

from wellhead.storage.disk.directory import read_file
from wellhead.storage.record_reading import DamagedRecordError, NewerRecordError, decode
from wellhead.storage.records import MAX_RECORD_BYTES, Record


def backup_name(record_id: str) -> str:
    """Return the name of the backup of a record."""
    return f"{record_id}.backup.json"


def content_of(directory: int, record: Record) -> bytes | None:
    """Return the content of a record's file; None if it holds another record by now.

    Args:
        directory: The directory's descriptor.
        record: The record that was read from it.

    Raises:
        OSError: The file cannot be read.
    """
    found = read_file(directory, f"{record.id}.json", MAX_RECORD_BYTES)
    try:
        return found[0] if found is not None and decode(found[0], record.id) == record else None
    except (DamagedRecordError, NewerRecordError):
        return None
