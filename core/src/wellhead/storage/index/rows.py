"""What the index has of an entry, and items as a list shows them."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

from wellhead import clock
from wellhead.model.texts import name_key
from wellhead.storage.disk.reading import Seen
from wellhead.storage.disk.results import Signature
from wellhead.storage.index.writes import Row
from wellhead.storage.opening import current_health, name_of, without_record
from wellhead.storage.stored import StoredDataSource

FOR_GOOD = 0
"""The basis of a judgement that depends on the record alone: it cannot be read."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def row_of(seen: Seen) -> Row:
    """Return the row of an entry; its state is left open where it depends on the type or on the key ring."""
    entry, record = seen.entry, seen.entry.record
    stored = without_record(entry) if record is None else None
    health = current_health(entry)
    values = (
        name_key(record.description) if record is not None and record.description else "",
        record.type if record is not None else (stored and stored.type) or "",
        record.created_at if record is not None else "",
        record.updated_at if record is not None else "",
        microseconds(clock.from_text(record.created_at)) if record is not None else None,
        microseconds(clock.from_text(record.updated_at)) if record is not None else None,
        "none" if health is None else str(health["status"]),
        int(record is not None and bool(record.secrets)),
        FOR_GOOD if stored is not None else None,
        None if stored is None else stored.state,
        None if record is None else record.revision,
        seen.digest,
        written(seen.signatures[0]),
        written(seen.signatures[1]),
        int(seen.settled),
    )
    labels = tuple(record.labels.items()) if record is not None else ()
    return Row(entry.id, name_key(name_of(entry) or ""), values, labels, None if stored is None else item_of(stored))


def item_of(stored: StoredDataSource) -> bytes:
    """Return a data source as a list shows it, as JSON."""
    return json.dumps(stored.as_document(), ensure_ascii=False, separators=(",", ":")).encode()


def written(signature: Signature | None) -> str | None:
    """Write the signature of a file, for comparing."""
    return None if signature is None else ".".join(map(str, signature))


def microseconds(instant: datetime) -> int:
    """Return an instant as a number, for comparing."""
    return (instant - _EPOCH) // _MICROSECOND
