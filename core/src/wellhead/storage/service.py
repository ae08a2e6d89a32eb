"""`ConfigurationStorageService`: saves, reads, changes and deletes typed data sources, their secrets sealed."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any
from weakref import WeakKeyDictionary

from wellhead import clock
from wellhead.errors import (
    ConflictError,
    DataSourceNotFoundError,
    InputError,
    InputProblem,
    NewerFormatError,
    RecordCorruptError,
    RecordInvalidError,
    RecordUnreadableError,
    RevisionMismatchError,
    SecretUnavailableError,
    TypeUnavailableError,
)
from wellhead.model.source import BASE_FIELDS, DataSourceConfig
from wellhead.model.texts import name_key
from wellhead.secrets.keyring import KeyProvider
from wellhead.storage.changes import Change, change_of
from wellhead.storage.opening import FindType, KnownType, Opener
from wellhead.storage.records import Record, as_stored
from wellhead.storage.sealing import Basis, Sealer
from wellhead.storage.selection import Chosen, Selection, Shown
from wellhead.storage.store import Entry, RecordStore
from wellhead.storage.stored import StoredDataSource

_ATTEMPTS = 10


class ConfigurationStorageService:
    """Keeps the data sources of one workspace."""

    def __init__(self, store: RecordStore, keys: KeyProvider, find_type: FindType) -> None:
        """Keep data sources in a store.

        Args:
            store: Where the records are.
            keys: The keys that secrets are sealed with.
            find_type: Returns what is known of a type; None if it is not registered.
        """
        self._store = store
        self._sealer = Sealer(store, keys)
        self._opener = Opener(keys, find_type, self._sealer.opens)
        self._find_type = find_type
        self._before: WeakKeyDictionary[Entry, tuple[KnownType | None, Basis, StoredDataSource]] = WeakKeyDictionary()

    async def save_config(self, config: DataSourceConfig) -> DataSourceConfig:
        """Save a new data source, and return when it is on disk.

        Args:
            config: The configuration. Its id, instants and revision are made here, whatever it has.

        Returns:
            The configuration as saved, with its secrets sealed.

        Raises:
            InputError: A secret is neither a value nor a reference (`secret_required`).
            NameTakenError: Another data source has the name.
            RecordTooLargeError: It has more than 64 KiB.
            StorageError: It could not be saved.
            KeyRingError: There is no key to seal its secrets with.
        """
        return (await self.save(config)).config or config

    async def save(self, config: DataSourceConfig) -> StoredDataSource:
        """Save as `save_config` does, and return what is stored now."""
        known = self._known(config.type)
        change = change_of(known.shape, None, config)
        now = clock.to_text(clock.now())
        record = self._record(str(uuid.uuid4()), known, config, created_at=now, updated_at=now, revision=1)
        record = await self._sealer.seal(record, known.shape, change, previous=None)
        await self._store.create(record)
        return self._opener.opened(Entry(record.id, "ok", record))

    async def get_config(self, config_id: str) -> DataSourceConfig:
        """Return a data source, with its secrets sealed.

        Raises:
            DataSourceNotFoundError: There is none of this id.
            ConflictError: It cannot be read as its type: the error's code is that of its state.
        """
        stored = await self.read(config_id)
        if stored.config is None:
            raise conflict_of(stored)
        return stored.config.model_copy(deep=True)

    async def list_configs(self) -> Sequence[StoredDataSource]:
        """Return all data sources, in no order, each with its state. One that is damaged does not hide the others."""
        return await self._found(await self._store.entries())

    async def choose(self, selection: Selection) -> Chosen | None:
        """Return the data sources that are wanted, each with its state; None if only `list_configs` can tell now.

        One that is damaged does not hide the others.
        """
        return await self._store.choose(selection, self._opener)

    async def show(self, config_id: str) -> Shown | None:
        """Return a data source as it is read, if that is known without opening its record; else None."""
        return await self._store.show(config_id, self._opener)

    async def find(self, key: str) -> StoredDataSource | None:
        """Return the data source whose name has a key; None if there is none."""
        chosen = await self.choose(Selection(name=key, limit=1)) if key else None
        if chosen is not None and not chosen.items:
            return None
        if chosen is not None:
            with suppress(DataSourceNotFoundError):
                stored = await self.read(json.loads(chosen.items[0])["id"])
                if stored.name is not None and name_key(stored.name) == key:
                    return stored
        named = (item for item in await self.list_configs() if item.name is not None and name_key(item.name) == key)
        return next(named, None)

    async def update_config(
        self, config_id: str, config: DataSourceConfig, *, expected: int | None = None
    ) -> DataSourceConfig:
        """Save a new state of a data source, and return when it is on disk.

        A secret that is sealed in the new state is kept. If the state is equal to what is stored, nothing is written
        and the revision stays.

        Args:
            config_id: Its id.
            config: The new state.
            expected: The revision that it was made from; any if left out.

        Raises:
            DataSourceNotFoundError: There is none of this id.
            RevisionMismatchError: Another revision is stored.
            InputError: A secret is to be kept that cannot be (`secret_required`, `secret_state_changed`).
            ConflictError: The record cannot be changed, or the name is taken.
            RecordTooLargeError: It has more than 64 KiB.
            StorageError: It could not be saved.
        """
        stored = await self.update(config_id, config, expected=expected)
        return config if stored.config is None else stored.config.model_copy(deep=True)

    async def update(
        self, config_id: str, config: DataSourceConfig, *, expected: int | None = None
    ) -> StoredDataSource:
        """Save as `update_config` does, and return what is stored now."""
        for _ in range(_ATTEMPTS):
            stored = await self.read(config_id)
            if expected is not None and stored.revision != expected:
                raise RevisionMismatchError(stored=stored.revision or 0)
            known = self._changeable(stored, config)
            change = change_of(known.shape, stored, config)
            if not change.is_change and stored.config is not None:
                return stored
            record = await self._next(stored, known, config, change)
            try:
                await self._store.replace(record, expected=stored.revision or 0)
            except RevisionMismatchError:
                continue
            return self._opener.opened(Entry(record.id, "ok", record))
        raise RevisionMismatchError(stored=stored.revision or 0)

    async def delete_config(self, config_id: str, *, expected: int | None = None, force: bool = False) -> None:
        """Delete a data source with all that belongs to it, and return when that is on disk.

        Args:
            config_id: Its id.
            expected: The revision that must be stored; any if left out.
            force: Delete it even if its record cannot be read.

        Raises:
            DataSourceNotFoundError: There is none of this id.
            RevisionMismatchError: Another revision is stored.
            ConflictError: The record cannot be read, and `force` is not set.
            StorageError: It could not be deleted.
        """
        stored = await self.read(config_id)
        if stored.record is None and not force:
            raise conflict_of(stored)
        if expected is not None and stored.revision != expected:
            raise RevisionMismatchError(stored=stored.revision or 0)
        await self._store.delete(config_id, expected=expected if stored.record is not None else None)

    async def read(self, config_id: str) -> StoredDataSource:
        """Return what is stored of a data source, whatever its state.

        Raises:
            DataSourceNotFoundError: There is none of this id.
        """
        entry = await self._store.read(config_id)
        if entry is None:
            raise DataSourceNotFoundError("There is no such data source.")
        return (await self._found([entry]))[0]

    async def reveal(self, stored: StoredDataSource, config: DataSourceConfig | None = None) -> DataSourceConfig:
        """Return a configuration with its sealed secrets in clear; references stay references.

        Args:
            stored: The data source as it is stored.
            config: The configuration to open; the stored one if left out.

        Raises:
            SecretUnavailableError: A secret does not open.
        """
        config = config or stored.config
        if config is None or stored.record is None:
            raise conflict_of(stored)
        return await self._sealer.reveal(stored.record, self._known(config.type).shape, config)

    async def results(self, config_id: str) -> list[dict[str, Any]]:
        """Return the last results of validating a data source, newest first."""
        return await self._store.results(config_id)

    async def add_result(self, config_id: str, revision: int, result: dict[str, Any]) -> None:
        """Keep the result of validating one revision of a data source."""
        summary = {
            "status": result["status"],
            "checked_at": result["started_at"],
            "revision": revision,
            "duration_ms": result["duration_ms"],
        }
        await self._store.add_result(config_id, summary, {**result, "revision": revision})

    def _known(self, type_name: str) -> KnownType:
        known = self._find_type(type_name)
        if known is None:
            raise TypeUnavailableError(f"The plugin that provides type '{type_name}' is not there.")
        return known

    def _changeable(self, stored: StoredDataSource, config: DataSourceConfig) -> KnownType:
        """Refuse changes of records that are not to be touched."""
        if stored.record is None or stored.state == "type_unavailable":
            raise conflict_of(stored)
        if stored.record.type != config.type:
            raise InputError([InputProblem("/type", "immutable", "The type cannot be changed.")])
        return self._known(config.type)

    async def _next(
        self, stored: StoredDataSource, known: KnownType, config: DataSourceConfig, change: Change
    ) -> Record:
        previous = stored.record
        if previous is None:
            raise conflict_of(stored)
        record = self._record(
            previous.id,
            known,
            config,
            created_at=previous.created_at,
            updated_at=clock.to_text(clock.now()),
            revision=previous.revision + 1,
            extra=previous.extra,
        )
        return await self._sealer.seal(record, known.shape, change, previous=previous)

    def _record(
        self,
        record_id: str,
        known: KnownType,
        config: DataSourceConfig,
        *,
        extra: Mapping[str, Any] | None = None,
        **made: Any,
    ) -> Record:
        return Record(
            id=record_id,
            type=config.type,
            name=config.name,
            description=config.description,
            labels=config.labels,
            fields=as_stored(known.shape.without_secrets(config.model_dump(mode="json", exclude=set(BASE_FIELDS)))),
            plugin=(known.distribution, known.version),
            extra=extra or {},
            **made,
        )

    async def _found(self, entries: Sequence[Entry]) -> list[StoredDataSource]:
        """Read entries as their types, and look whether their secrets open: once, for as long as nothing changes."""
        sealed = any(entry.record is not None and entry.record.secrets for entry in entries)
        basis = await self._sealer.basis() if sealed else (None, None)
        found = []
        for entry in entries:
            known = None if entry.record is None else self._find_type(entry.record.type)
            before = self._before.get(entry)
            if before is None or before[:2] != (known, basis):
                before = (known, basis, self._opener.judged(entry, basis[1]))
                self._before[entry] = before
            found.append(before[2])
        return found


_CONFLICTS: Mapping[str, tuple[type[ConflictError], str]] = {
    "type_unavailable": (
        TypeUnavailableError,
        "The plugin that provides this type is not there: see 'wellhead types'.",
    ),
    "invalid": (RecordInvalidError, "What is stored does not fit its type. Change the fields that do not fit."),
    "secret_unavailable": (SecretUnavailableError, "A stored secret does not open. Send the secrets anew."),
    "unreadable": (
        RecordUnreadableError,
        "The stored record cannot be opened. Check the file's owner and permissions.",
    ),
    "corrupt": (RecordCorruptError, "The stored record is damaged. Restore it from a backup, or delete it by force."),
    "newer_format": (NewerFormatError, "A newer Wellhead wrote this record. Install that version again."),
}


def conflict_of(stored: StoredDataSource) -> ConflictError:
    """Return the error for what cannot be done with a data source in its state."""
    kind, message = _CONFLICTS[stored.state]
    return kind(message)
