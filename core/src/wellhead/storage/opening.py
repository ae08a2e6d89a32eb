"""From what the store has to a data source: its state, and what can be said where it cannot be opened as its type."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from wellhead.model.secret import Secret
from wellhead.model.shape import Shape
from wellhead.model.source import BASE_FIELDS, RESERVED_FIELDS
from wellhead.storage.records import Record
from wellhead.storage.store import Entry
from wellhead.storage.stored import StoredDataSource


def stored_as(record: Record, shape: Shape | None, *, health: Mapping[str, Any] | None = None) -> StoredDataSource:
    """Read a record as its type.

    Args:
        record: The record.
        shape: The shape of its type's model; None where the type is not there.
        health: The summary of the newest result of validating it.
    """
    facts = {pointer: sealed.facts for pointer, sealed in record.secrets.items()}
    stored = StoredDataSource(
        record.id,
        "type_unavailable",
        record.name,
        record.type,
        record.revision,
        record=record,
        fields=record.fields,
        facts=facts,
        health=_current(health, record.revision),
    )
    return stored if shape is None else _as_type(stored, record, shape)


def _current(health: Mapping[str, Any] | None, revision: int) -> Mapping[str, Any] | None:
    """Return the summary of the newest result, if it is one of this revision."""
    return health if health is not None and health.get("revision") == revision else None


def without_record(entry: Entry) -> StoredDataSource:
    """Return what is known of an entry that has no record."""
    remains = entry.remains or {}
    name, type_name = remains.get("name"), remains.get("type")
    return StoredDataSource(
        entry.id,
        "unreadable" if entry.state == "ok" else entry.state,
        name if isinstance(name, str) else None,
        type_name if isinstance(type_name, str) else None,
    )


def _as_type(stored: StoredDataSource, record: Record, shape: Shape) -> StoredDataSource:
    """Fit a record to its type: `ok` with the model, or `invalid` with what is stored."""
    document = stored.as_document()
    del document["state"], document["health"]
    hidden = shape.without_secrets(record.fields)  # what a newer plugin calls a secret is not shown
    if record.fields.keys() & RESERVED_FIELDS:  # only an edit by hand puts them there
        return replace(stored, state="invalid", fields=hidden)
    try:
        config = shape.model.model_validate_json(json.dumps(document), strict=True)
        dumped = config.model_dump(mode="json", exclude=set(BASE_FIELDS))
    except Exception:  # noqa: BLE001  # a plugin's rules run here; one record they fail on must not hide the others
        return replace(stored, state="invalid", fields=hidden)
    if any(isinstance(secret, Secret) and secret.is_clear for _, secret in shape.secrets(config.model_dump())):
        return replace(stored, state="invalid", fields=hidden)  # stored in clear, before its field was a secret
    blank = tuple(name for name in shape.secret_fields() if dumped.get(name, "") is None)
    return replace(stored, state="ok", config=config, fields=shape.without_secrets(dumped), blank_secrets=blank)
