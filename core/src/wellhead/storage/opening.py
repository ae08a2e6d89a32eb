"""Opening entries: reading a record as its type, and telling the state that it is in.

What is told depends on more than the record: on the type that is installed, and for secrets on the key ring. The basis
of a judgement is a number for all of that. While it is the same, so is the judgement.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import UUID

from pydantic import ValidationError

from wellhead import clock
from wellhead.model.pointer import from_pointer
from wellhead.model.secret import Secret
from wellhead.model.shape import Shape
from wellhead.model.source import BASE_FIELDS, RESERVED_FIELDS, DataSourceConfig
from wellhead.storage.known_type import FindType, KnownType
from wellhead.storage.migration import MigrationFailedError, migrated
from wellhead.storage.records import Record
from wellhead.storage.sealing import Basis, opens
from wellhead.storage.store import Entry
from wellhead.storage.stored import StoredDataSource


class Opener:
    """Opens entries with the types that are installed."""

    def __init__(self, find_type: FindType) -> None:
        """Open entries.

        Args:
            find_type: Returns what is known of a type; None if it is not registered.
        """
        self._find_type = find_type
        self._type_bases: dict[str, tuple[KnownType | None, bytes]] = {}
        self._bases: dict[tuple[str, bool], tuple[bytes, Basis | None, int]] = {}

    def opened(self, entry: Entry) -> StoredDataSource:
        """Read an entry as its type; whether its secrets open is not looked at."""
        return opened(entry, None if entry.record is None else self._find_type(entry.record.type))

    def type_basis(self, type_name: str) -> bytes:
        """Return what tells a type, as it is installed, from its other versions."""
        known = self._find_type(type_name)
        before = self._type_bases.get(type_name)
        if before is None or before[0] is not known:
            before = self._type_bases[type_name] = known, b"" if known is None else _basis_of(known)
        return before[1]

    def basis(self, type_name: str, sealing: Basis | None) -> int:
        """Return the basis of a judgement.

        Args:
            type_name: The type of the record.
            sealing: What decides whether its secrets open; None for a record without secrets.

        Returns:
            A number of 56 bits, never 0.
        """
        key, of_type = (type_name, sealing is None), self.type_basis(type_name)
        before = self._bases.get(key)
        if before is None or before[0] is not of_type or before[1] != sealing:
            before = self._bases[key] = of_type, sealing, _number_of(of_type, sealing)
        return before[2]


class OpeningJudge:
    """Tells the states of entries with the types, the keys and the workspace of one moment."""

    def __init__(self, opener: Opener, basis: Basis) -> None:
        """Judge by what there is just now.

        Args:
            opener: Opens entries.
            basis: The key ring and the id of the workspace.
        """
        self._opener = opener
        self._basis = basis

    def judged(self, entry: Entry) -> StoredDataSource:
        """Read an entry as its type, and look whether its secrets open."""
        stored = self._opener.opened(entry)
        if stored.state != "ok" or not stored.facts or stored.record is None or opens(stored.record, self._basis):
            return stored
        return replace(stored, state="secret_unavailable")

    def basis(self, type_name: str, *, sealed: bool) -> int:
        """Return the basis of a judgement.

        Args:
            type_name: The type of the record.
            sealed: True where the record has secrets.

        Returns:
            A number of 56 bits, never 0.
        """
        return self._opener.basis(type_name, self._basis if sealed else None)


def _number_of(of_type: bytes, sealing: Basis | None) -> int:
    digest = hashlib.blake2b(of_type, digest_size=7)
    if sealing is not None:
        ring, workspace_id = sealing
        digest.update(f"{'' if ring is None else ring.fingerprint} {workspace_id}".encode())
    return int.from_bytes(digest.digest(), "big") | 1


def _basis_of(known: KnownType) -> bytes:
    """Return what tells a type from its other versions; while it is being written, only its code changes."""
    model = known.shape.model
    modules = {str(getattr(part, "__module__", "")) for part in (model, *known.migrations.values())}
    told = f"{known.distribution} {known.version} {known.schema_version} {model.__module__}.{model.__qualname__} "
    return told.encode() + b"".join(_code_of(module) for module in sorted(modules))


def _code_of(module: str) -> bytes:
    """Return a digest of a module's code; nothing where that is not in a file."""
    source = getattr(sys.modules.get(module), "__file__", None)
    try:
        return b"" if source is None else hashlib.sha256(Path(source).read_bytes()).digest()
    except OSError:
        return b""


def opened(entry: Entry, known: KnownType | None) -> StoredDataSource:
    """Read an entry as a type; None where that type is not there."""
    record = entry.record
    if record is None:
        return without_record(entry)
    stored = _as_stored(entry, record)
    if known is None:
        return stored
    if record.schema_version > known.schema_version:
        return replace(stored, state="newer_format", fields=known.shape.without_secrets(record.fields))
    try:
        record = migrated(record, known)
    except MigrationFailedError as error:
        hidden = known.shape.without_secrets(record.fields)
        return replace(stored, state="invalid", fields=hidden, reason=str(error))
    return _as_type(_as_stored(entry, record), record, known.shape)


def as_saved(record: Record, config: DataSourceConfig, shape: Shape) -> StoredDataSource:
    """Return what a record reads as that was made of a configuration just now, without validating that once more.

    Args:
        record: The record.
        config: The configuration; its secrets may be in any state.
        shape: The shape of its type.
    """
    stored = _as_stored(Entry(record.id, "ok", record), record)
    sealed = {from_pointer(pointer): Secret.sealed(facts) for pointer, facts in stored.facts.items()}
    made = {
        "id": UUID(record.id),
        "created_at": clock.from_text(record.created_at),
        "updated_at": clock.from_text(record.updated_at),
        "revision": record.revision,
    }
    return _fitting(stored, shape.with_secrets(config, sealed).model_copy(update=made), shape)


def _as_stored(entry: Entry, record: Record) -> StoredDataSource:
    """Return what can be told of a record without its type."""
    return StoredDataSource(
        entry.id,
        "type_unavailable",
        record.name,
        record.type,
        record.revision,
        record=record,
        fields=record.fields,
        facts={pointer: sealed.facts for pointer, sealed in record.secrets.items()},
        health=current_health(entry),
    )


def current_health(entry: Entry) -> Mapping[str, Any] | None:
    """Return the summary of the newest result, if it is one of the stored revision."""
    health, record = entry.health, entry.record
    return health if health is not None and record is not None and health.get("revision") == record.revision else None


def name_of(entry: Entry) -> str | None:
    """Return the name that an entry has, and no other one may take: also one that only a newer version can read."""
    return entry.record.name if entry.record is not None else without_record(entry).name


def without_record(entry: Entry) -> StoredDataSource:
    """Return what can be told of an entry that has no record."""
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
    invalid = replace(stored, state="invalid", fields=hidden)
    if reserved := record.fields.keys() & RESERVED_FIELDS:  # only an edit by hand puts them there
        return replace(invalid, unfit=tuple(sorted(reserved)))
    try:
        config = shape.model.model_validate_json(json.dumps(document), strict=True)
        fitting = _fitting(stored, config, shape)
    except ValidationError as error:
        return replace(invalid, unfit=_fields_in(error))
    except Exception:  # noqa: BLE001  # a plugin's rules run here; one record they fail on must not hide the others
        return invalid
    clear = [path for path, found in shape.secrets(config.model_dump()) if isinstance(found, Secret) and found.is_clear]
    if clear:  # stored in clear, before its field was a secret
        return replace(invalid, unfit=tuple(sorted({path[0] for path in clear})))
    return fitting


def _fitting(stored: StoredDataSource, config: DataSourceConfig, shape: Shape) -> StoredDataSource:
    """Return a data source with the model that it fits."""
    dumped = config.model_dump(mode="json", exclude=set(BASE_FIELDS))
    blank = tuple(name for name in shape.secret_fields() if dumped.get(name, "") is None)
    return replace(stored, state="ok", config=config, fields=shape.without_secrets(dumped), blank_secrets=blank)


def _fields_in(error: ValidationError) -> tuple[str, ...]:
    """Return the names of the fields that do not fit, and of those that the type does not have; no value."""
    found = error.errors(include_url=False, include_input=False, include_context=False)
    names = {item["loc"][0] for item in found if item["loc"]}
    return tuple(sorted(name for name in names if isinstance(name, str)))
