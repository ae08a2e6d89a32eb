"""Rewriting a stored record in the schema that its type has now. This is no change of the data source."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from wellhead.errors import RevisionMismatchError, WellheadError
from wellhead.model.pointer import from_pointer, place
from wellhead.model.shape import Shape
from wellhead.model.source import DataSourceConfig
from wellhead.storage.changes import change_of
from wellhead.storage.conflicts import conflict_of
from wellhead.storage.judging import Judging
from wellhead.storage.known_type import FindType, KnownType
from wellhead.storage.noting import Changed, Noting
from wellhead.storage.recording import record_of
from wellhead.storage.records import Record, as_stored
from wellhead.storage.sealing import Sealer
from wellhead.storage.store import RecordStore
from wellhead.storage.stored import StoredDataSource
from wellhead.storage.tries import Tries

MigrationStatus = Literal["migrated", "unchanged", "failed", "newer", "type_unavailable"]
_LEFT: Mapping[str, MigrationStatus] = {"newer_format": "newer", "type_unavailable": "type_unavailable"}
_SET = {"is_set": True}


@dataclass(frozen=True, slots=True)
class FieldChange:
    """A field of a record that a migration changes. Of secrets it says only that they are set.

    Attributes:
        name: The field's name.
        before: Its value as JSON; None where it was not there.
        after: The same of what it is then.
    """

    name: str
    before: str | None
    after: str | None

    def as_document(self) -> dict[str, Any]:
        """Return the form in which it is printed: `before` and `after`, each only where the field is there."""
        values = {"before": self.before, "after": self.after}
        return {"field": self.name, **{when: json.loads(text) for when, text in values.items() if text is not None}}


@dataclass(frozen=True, slots=True)
class MigrationOutcome:
    """What came of migrating one record.

    Attributes:
        id: The data source's id.
        name: Its name; None where that cannot be read.
        status: `migrated`; `unchanged`: it was of its type's schema already; `failed`; `newer`: a newer version of
            the plugin or of Wellhead wrote it; `type_unavailable`.
        reason: Why it is none of the first two; None if it is.
        versions: The versions of the schema that it came from and to; None if it was not migrated.
        changes: The fields that were changed.
    """

    id: str
    name: str | None
    status: MigrationStatus
    reason: str | None = None
    versions: tuple[int, int] | None = None
    changes: tuple[FieldChange, ...] = field(default=())

    def as_document(self) -> dict[str, Any]:
        """Return the form in which it is printed."""
        document: dict[str, Any] = {"id": self.id, "name": self.name, "status": self.status, "reason": self.reason}
        if self.versions is None:
            return document
        first, last = self.versions
        return {**document, "from": first, "to": last, "changes": [change.as_document() for change in self.changes]}


class Rewriter:
    """Rewrites records of one store."""

    def __init__(
        self,
        store: RecordStore,
        sealer: Sealer,
        judging: Judging,
        find_type: FindType,
        *,
        noting: Noting,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        self._sealer = sealer
        self._judging = judging
        self._find_type = find_type
        self._noting = noting
        self._monotonic = monotonic

    async def migrate(self, config_id: str, *, dry_run: bool) -> MigrationOutcome:
        """Rewrite a record, as `ConfigurationStorageService.migrate` says."""
        tries = Tries(self._monotonic)
        while True:
            stored = await self._judging.read(config_id)
            outcome = await self._migrated(stored, dry_run=dry_run)
            if outcome is not None:
                return outcome
            if tries.are_over():
                raise RevisionMismatchError(stored=stored.revision or 0)

    async def _migrated(self, stored: StoredDataSource, *, dry_run: bool) -> MigrationOutcome | None:
        """Rewrite a record in its type's schema, and keep its file as it was as a backup.

        Args:
            stored: What was read.
            dry_run: Go through all of it, but store nothing.

        Returns:
            What came of it; None if something else was stored meanwhile.
        """
        record, config = stored.record, stored.config
        known = None if record is None else self._find_type(record.type)
        if stored.state in _LEFT:
            return _told(stored, _LEFT[stored.state], conflict_of(stored))
        if record is not None and known is not None and not _waits(record, known):
            return MigrationOutcome(stored.id, stored.name, "unchanged")
        if stored.state != "ok" or record is None or record.origin is None or known is None or config is None:
            return _told(stored, "failed", conflict_of(stored))
        try:
            new = await self._rewritten(stored, record, known, config)
            new.encode()  # it is told of a dry run, too, that it would be too large
            if not dry_run:
                await self._store_migrated(record.origin.record, new)
        except RevisionMismatchError:
            return None
        except WellheadError as error:
            return _told(stored, "failed", error)
        former = record.origin.record
        versions = former.schema_version, new.schema_version
        changes = tuple(_changes(known.shape, former, new))
        return MigrationOutcome(stored.id, stored.name, "migrated", versions=versions, changes=changes)

    async def _store_migrated(self, former: Record, new: Record) -> None:
        """Store a record in its new schema.

        Raises:
            RevisionMismatchError: Something else was stored meanwhile.
            StorageError: It could not be stored.
        """
        async with self._noting(Changed.to(new, former, operation="migrate")):
            if not await self._store.migrate(former, new):
                raise RevisionMismatchError(stored=former.revision)

    async def _rewritten(
        self, stored: StoredDataSource, record: Record, known: KnownType, config: DataSourceConfig
    ) -> Record:
        """Return the record as it is to be stored: with the same secrets and facts, bound to the migrated fields."""
        change = change_of(known.shape, stored, config)
        plain = record_of(
            config,
            known,
            change.fields,
            record_id=record.id,
            created_at=record.created_at,
            updated_at=record.updated_at,
            revision=record.revision,
            extra=record.extra,
        )
        return await self._sealer.seal(plain, known.shape, change.secrets, previous=record)


def _waits(record: Record, known: KnownType) -> bool:
    """Tell whether a record is stored in an older schema; one whose migration failed has no origin."""
    return record.origin is not None or record.schema_version < known.schema_version


def _told(stored: StoredDataSource, status: MigrationStatus, error: WellheadError) -> MigrationOutcome:
    return MigrationOutcome(stored.id, stored.name, status, error.message)


def _changes(shape: Shape, former: Record, new: Record) -> Iterator[FieldChange]:
    before, after = _shown(shape, former), _shown(shape, new)
    for name in sorted(before.keys() | after.keys()):
        if before.get(name) != after.get(name):
            yield FieldChange(name, before.get(name), after.get(name))


def _shown(shape: Shape, record: Record) -> dict[str, str]:
    """Write each field as it is shown: of what is a secret there, or by the type as it is now, only that it is set."""
    document = as_stored(record.fields)
    for path, _ in list(shape.secrets(document)):
        place(document, path, _SET)
    for pointer in record.secrets:
        place(document, from_pointer(pointer), _SET)
    return {name: json.dumps(value, sort_keys=True, ensure_ascii=False) for name, value in document.items()}
