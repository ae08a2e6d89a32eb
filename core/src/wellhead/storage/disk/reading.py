"""Reading the files of records, each with what tells whether it has changed since."""

from __future__ import annotations

import hashlib
import os
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from wellhead.storage.disk.directory import PASSING, read_file, scanned, storage_error
from wellhead.storage.disk.results import Signature, read_summary, signature_of
from wellhead.storage.record_reading import DamagedRecordError, NewerRecordError, decode
from wellhead.storage.records import MAX_RECORD_BYTES, RECORD_ID, Record
from wellhead.storage.store import Entry

_FILE = re.compile(rf"({RECORD_ID.pattern})\.(json|health\.jsonl)")
# Timestamps of files go in steps of the clock's tick, 10 ms at most, and on some file systems of whole seconds: what
# changed less than this many nanoseconds ago may change again unseen.
_SETTLED, _SETTLED_IN_SECONDS = 20_000_000, 3_000_000_000

Signatures = tuple[Signature | None, Signature | None]
"""Those of a record's file and of the file with its results; None for a file that is not there."""


@dataclass(frozen=True, slots=True)
class Seen:
    """An entry as it was read, with what tells whether its files have changed since.

    Attributes:
        entry: The entry.
        digest: The digest of the record's file.
        signatures: The signatures of its files.
        settled: False while its files could change without changing their signatures.
    """

    entry: Entry
    digest: bytes
    signatures: Signatures
    settled: bool


def read_entry(directory: int, record_id: str, known: Seen | None = None, *, has_results: bool = True) -> Seen | None:
    """Read what is stored under an id; None if nothing is.

    Args:
        directory: The descriptor of the store's directory.
        record_id: The id.
        known: What was read before. If it is the same still, its entry is returned.
        has_results: False where it is known that there is no file with results.

    Raises:
        StorageError: The machine is out of descriptors or memory.
    """
    now = time.time_ns()
    try:
        found = read_file(directory, f"{record_id}.json", MAX_RECORD_BYTES)
    except OSError as error:
        if error.errno in PASSING:
            raise storage_error(error) from error
        return Seen(Entry(record_id, "unreadable"), b"", (None, None), settled=False)
    if found is None:
        return None
    content, seen = found
    health, health_signature = read_summary(directory, record_id) if has_results else (None, None)
    digest = hashlib.sha256(content).digest()
    same = known is not None and known.digest == digest and known.entry.health == health
    entry = known.entry if known is not None and same else _entry(record_id, content, health)
    newest = max(seen.st_mtime_ns, health_signature[2] if health_signature else 0)
    return Seen(entry, digest, (signature_of(seen), health_signature), is_settled(newest, now))


def as_written(directory: int, record: Record, content: bytes, *, has_results: bool = True) -> Seen | None:
    """Return a record that was written just now as it would be read; None if its file is gone already.

    Args:
        directory: The descriptor of the store's directory.
        record: The record.
        content: What was written.
        has_results: False where it is known that there is no file with results.
    """
    try:
        seen = os.stat(f"{record.id}.json", dir_fd=directory, follow_symlinks=False)
    except OSError:
        return None
    health, health_signature = read_summary(directory, record.id) if has_results else (None, None)
    entry = Entry(record.id, "ok", record, health=health)
    # Never settled: should somebody have edited it since, a sweep reads it anew.
    return Seen(entry, hashlib.sha256(content).digest(), (signature_of(seen), health_signature), settled=False)


def digest_of(directory: int, record_id: str) -> tuple[bytes, Signature | None] | None:
    """Return the digest of a record's file and the signature of the one with its results, without taking them apart.

    Args:
        directory: The descriptor of the store's directory.
        record_id: The id.

    Returns:
        Both; None where there is no such record, or it cannot be read.
    """
    try:
        found = read_file(directory, f"{record_id}.json", MAX_RECORD_BYTES)
    except OSError:
        return None
    return None if found is None else (hashlib.sha256(found[0]).digest(), read_summary(directory, record_id)[1])


def scan(directory: int) -> Iterator[tuple[str, bool, Signature]]:
    """Go through the files of records: the id, whether it is the record itself or its results, and its signature."""
    with scanned(directory) as items:
        for item in items:
            if match := _FILE.fullmatch(item.name):
                try:
                    signature = signature_of(item.stat(follow_symlinks=False))
                except FileNotFoundError:
                    continue
                yield match[1], match[2] == "json", signature


def is_settled(newest: int, now: int) -> bool:
    """Tell whether a file that changed at an instant could not change again without another instant; nanoseconds."""
    in_seconds = newest % 1_000_000_000 == 0
    return now - newest > (_SETTLED_IN_SECONDS if in_seconds else _SETTLED)


def _entry(record_id: str, content: bytes, health: dict[str, Any] | None) -> Entry:
    try:
        return Entry(record_id, "ok", decode(content, record_id), health=health)
    except NewerRecordError as error:
        return Entry(record_id, "newer_format", remains=error.document)
    except DamagedRecordError:
        return Entry(record_id, "corrupt")
