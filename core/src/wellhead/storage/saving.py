"""Saving data sources: new ones, new states of them, and former states as new ones."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Mapping
from typing import Any

from wellhead import clock
from wellhead.errors import InputError, InputProblem, RecordInvalidError, RevisionMismatchError
from wellhead.model.secret import Secret
from wellhead.model.source import DataSourceConfig
from wellhead.storage.changes import change_of, fields_of
from wellhead.storage.conflicts import conflict_of
from wellhead.storage.former import before, changed_since, is_stored, restorable
from wellhead.storage.judging import Judging
from wellhead.storage.known_type import FindType, KnownType, known_type
from wellhead.storage.noting import Changed, Noting, Operation
from wellhead.storage.opening import as_saved
from wellhead.storage.recording import record_of
from wellhead.storage.records import Record
from wellhead.storage.sealing import Sealer
from wellhead.storage.store import RecordStore
from wellhead.storage.stored import StoredDataSource
from wellhead.storage.tries import Tries


class Saver:
    """Saves the data sources of one store. `ConfigurationStorageService` says what each method does, and raises."""

    def __init__(
        self,
        store: RecordStore,
        sealer: Sealer,
        judging: Judging,
        find_type: FindType,
        *,
        acting: Callable[[], str | None],
        noting: Noting,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        self._sealer = sealer
        self._judging = judging
        self._find_type = find_type
        self._acting = acting
        self._noting = noting
        self._monotonic = monotonic

    async def save(self, config: DataSourceConfig) -> StoredDataSource:
        """Save a new data source."""
        known = known_type(self._find_type, config.type)
        change = change_of(known.shape, None, config)
        now = clock.to_text(clock.now())
        record = record_of(
            config, known, change.fields, record_id=str(uuid.uuid4()), created_at=now, updated_at=now, revision=1
        )
        record = await self._sealer.seal(record, known.shape, change.secrets, previous=None)
        async with self._noting(Changed.to(record, None, operation="create")):
            await self._store.create(record)
        return as_saved(record, config, known.shape)

    async def update(self, config_id: str, config: DataSourceConfig, *, expected: int | None) -> StoredDataSource:
        """Save a new state of a data source."""
        tries = Tries(self._monotonic)
        while True:
            stored = await self._judging.read(config_id)
            if expected is not None and stored.revision != expected:
                raise RevisionMismatchError(stored=stored.revision or 0)
            previous, known = self._changeable(stored, config)
            change = change_of(known.shape, stored, config)
            if not change.is_change and stored.config is not None:
                return stored
            record = _next(previous, config, known, change.fields, extra=previous.extra)
            record = await self._sealer.seal(record, known.shape, change.secrets, previous=previous)
            if await self._replace(stored, record, tries, operation="update"):
                return as_saved(record, config, known.shape)

    async def rollback(self, config_id: str, revision: int, *, expected: int | None) -> StoredDataSource:
        """Restore a former revision whole, as a new one."""
        tries = Tries(self._monotonic)
        while True:
            stored = await self._judging.read(config_id)
            if expected is not None and stored.revision != expected:
                raise RevisionMismatchError(stored=stored.revision or 0)
            if stored.record is None or stored.is_left_alone:
                raise conflict_of(stored)
            if revision == stored.revision:
                return stored
            former = self._judging.opened(restorable(before(stored, await self._store.history(config_id)), revision))
            if former.record is not None and is_stored(former.record, stored):
                return stored
            record = await self._restored(former, stored.record)
            if await self._replace(stored, record, tries, operation="rollback"):
                return self._judging.opened(record)

    async def _replace(self, stored: StoredDataSource, record: Record, tries: Tries, *, operation: Operation) -> bool:
        """Store a new state in place of what was read; return False where that is to be tried anew.

        Raises:
            RevisionMismatchError: Others have saved in between, again and again.
        """
        changed, expected = changed_since(stored, record), stored.revision or 0
        try:
            async with self._noting(Changed.to(record, stored.record, operation=operation)):
                await self._store.replace(record, expected=expected, by=self._acting(), changed=changed)
        except RevisionMismatchError:
            if tries.are_over():
                raise
            return False
        return True

    def _changeable(self, stored: StoredDataSource, config: DataSourceConfig) -> tuple[Record, KnownType]:
        """Refuse changes of records that are not to be touched."""
        if stored.record is None or stored.is_left_alone:
            raise conflict_of(stored)
        if stored.record.type != config.type:
            raise InputError([InputProblem("/type", "immutable", "The type cannot be changed.")])
        return stored.record, known_type(self._find_type, config.type)

    async def _restored(self, former: StoredDataSource, present: Record) -> Record:
        """Make the new revision that has all that a former one had."""
        known, config, source = known_type(self._find_type, present.type), former.config, former.record
        if former.state == "newer_format":
            raise conflict_of(former)
        if config is None or source is None:
            raise RecordInvalidError(
                "That revision does not fit its type any more. Change the data source instead: see 'wellhead edit'."
            )
        facts = {pointer: sealed.facts for pointer, sealed in present.secrets.items()}
        secrets: Mapping[str, Secret] = await self._sealer.restored(source, facts)
        record = _next(present, config, known, fields_of(known.shape, config), extra=source.extra)
        return await self._sealer.seal(record, known.shape, secrets, previous=source)


def _next(
    previous: Record,
    config: DataSourceConfig,
    known: KnownType,
    fields: Mapping[str, Any],
    *,
    extra: Mapping[str, Any],
) -> Record:
    """Make the record of the next revision, without its secrets."""
    return record_of(
        config,
        known,
        fields,
        record_id=previous.id,
        created_at=previous.created_at,
        updated_at=clock.to_text(clock.now()),
        revision=previous.revision + 1,
        extra=extra,
    )
