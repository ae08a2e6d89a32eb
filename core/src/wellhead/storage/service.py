"""`ConfigurationStorageService`: saves, reads, changes and deletes typed data sources, their secrets sealed."""

from __future__ import annotations

import json
import time
import uuid
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any
from weakref import WeakKeyDictionary

from wellhead import clock
from wellhead.errors import (
    DataSourceNotFoundError,
    InputError,
    InputProblem,
    RecordInvalidError,
    RevisionMismatchError,
    TypeUnavailableError,
)
from wellhead.model.source import DataSourceConfig
from wellhead.model.texts import name_key
from wellhead.storage.changes import Change, change_of
from wellhead.storage.conflicts import conflict_of, name_taken
from wellhead.storage.former import before, changed_since, is_stored, restorable
from wellhead.storage.history import Rewritten
from wellhead.storage.known_type import FindType, KnownType
from wellhead.storage.live_keys import LiveKeys
from wellhead.storage.noting import Changed, Noting, unnoted
from wellhead.storage.opening import Opener, OpeningJudge
from wellhead.storage.recording import record_of
from wellhead.storage.records import Record
from wellhead.storage.revisions import Revision, without_values
from wellhead.storage.rewriting import MigrationOutcome, Rewriter
from wellhead.storage.sealing import Basis, Sealer
from wellhead.storage.selection import Chosen, Group, Selection, Shown
from wellhead.storage.store import Entry, RecordStore
from wellhead.storage.stored import StoredDataSource
from wellhead.storage.tries import Tries


def _nobody() -> None:
    """Name nobody, where nobody knows who makes a change."""


class ConfigurationStorageService:
    """Keeps the data sources of one workspace."""

    def __init__(
        self,
        store: RecordStore,
        keys: LiveKeys,
        find_type: FindType,
        *,
        acting: Callable[[], str | None] = _nobody,
        noting: Noting = unnoted,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Keep data sources in a store.

        Args:
            store: Where the records are.
            keys: The keys that secrets are sealed with.
            find_type: Returns what is known of a type; None if it is not registered.
            acting: Returns who makes a change, for the history; nobody knows if left out.
            noting: Is told of each change, before and after; nobody is if left out.
            monotonic: Tells how long a change has been tried again because others saved in between.
        """
        self._store = store
        self._sealer = Sealer(store, keys)
        self._opener = Opener(find_type)
        self._rewriter = Rewriter(store, self._sealer, find_type, noting=noting)
        self._find_type = find_type
        self._acting = acting
        self._noting = noting
        self._monotonic = monotonic
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
        record = record_of(config, known, record_id=str(uuid.uuid4()), created_at=now, updated_at=now, revision=1)
        record = await self._sealer.seal(record, known.shape, change, previous=None)
        async with self._noting(Changed.to(record, None, operation="create")):
            await self._store.create(record)
        return self._opened(record)

    async def get_config(self, config_id: str | uuid.UUID) -> DataSourceConfig:
        """Return a data source, with its secrets sealed.

        Raises:
            DataSourceNotFoundError: There is none of this id.
            ConflictError: It cannot be read as its type: the error's code is that of its state.
        """
        stored = await self.read(str(config_id))
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
        return await self._store.choose(selection, OpeningJudge(self._opener, await self._sealer.basis()))

    async def summarize(self, selection: Selection) -> Counter[Group] | None:
        """Count the data sources that are wanted, whatever the page; None if only `list_configs` can tell now."""
        return await self._store.summarize(selection, OpeningJudge(self._opener, await self._sealer.basis()))

    async def show(self, config_id: str) -> Shown | None:
        """Return a data source as it is read, if that is known without opening its record; else None."""
        return await self._store.show(config_id, OpeningJudge(self._opener, await self._sealer.basis()))

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

    async def refuse_taken_name(self, stored: StoredDataSource, name: str) -> None:
        """Refuse a new name for a data source that another one has just now.

        Raises:
            NameTakenError: Another data source has the name.
        """
        key = name_key(name)
        if stored.name is None or name_key(stored.name) != key:
            found = await self.find(key)
            if found is not None and found.id != stored.id:
                raise name_taken()

    async def update_config(
        self, config_id: str | uuid.UUID, config: DataSourceConfig, *, expected: int | None = None
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
        stored = await self.update(str(config_id), config, expected=expected)
        return config if stored.config is None else stored.config.model_copy(deep=True)

    async def update(
        self, config_id: str, config: DataSourceConfig, *, expected: int | None = None
    ) -> StoredDataSource:
        """Save as `update_config` does, and return what is stored now."""
        tries = Tries(self._monotonic)
        while True:
            stored = await self.read(config_id)
            if expected is not None and stored.revision != expected:
                raise RevisionMismatchError(stored=stored.revision or 0)
            known = self._changeable(stored, config)
            change = change_of(known.shape, stored, config)
            if not change.is_change and stored.config is not None:
                return stored
            record = await self._next(stored, known, config, change)
            changed = changed_since(stored, record)
            try:
                async with self._noting(Changed.to(record, stored.record, operation="update")):
                    await self._store.replace(record, expected=stored.revision or 0, by=self._acting(), changed=changed)
            except RevisionMismatchError:
                if tries.are_over():
                    raise
            else:
                return self._opened(record)

    async def history(self, config_id: str) -> list[Revision]:
        """Return the former revisions of a data source that are kept, newest first.

        Raises:
            DataSourceNotFoundError: There is none of this id.
            RecordUnreadableError: The history cannot be read.
        """
        stored = await self.read(config_id)
        return before(stored, await self._store.history(config_id))

    async def rollback(self, config_id: str, revision: int, *, expected: int | None = None) -> StoredDataSource:
        """Restore a former revision whole, as a new one, and return when it is on disk.

        Its secrets come back with the destination that they were bound to. One that is still the stored one keeps its
        facts; every other one counts as set in the new revision. If nothing differs, nothing is written.

        Args:
            config_id: The data source's id.
            revision: The revision to restore.
            expected: The revision that must be stored; any if left out.

        Returns:
            What is stored now.

        Raises:
            DataSourceNotFoundError: There is none of this id.
            RevisionMismatchError: Another revision is stored.
            InputError: The revision is not kept (`revision_not_kept`).
            ConflictError: The record cannot be changed, the revision does not fit its type any more, its secrets were
                purged or do not open, or its name is taken.
            StorageError: It could not be saved.
        """
        tries = Tries(self._monotonic)
        while True:
            stored = await self.read(config_id)
            if expected is not None and stored.revision != expected:
                raise RevisionMismatchError(stored=stored.revision or 0)
            if stored.record is None or stored.is_left_alone:
                raise conflict_of(stored)
            if revision == stored.revision:
                return stored
            former = self._opened(restorable(before(stored, await self._store.history(config_id)), revision))
            if former.record is not None and is_stored(former.record, stored):
                return stored
            record = await self._restored(former, stored.record)
            changed = changed_since(stored, record)
            try:
                async with self._noting(Changed.to(record, stored.record, operation="rollback")):
                    expected_now = stored.record.revision
                    await self._store.replace(record, expected=expected_now, by=self._acting(), changed=changed)
            except RevisionMismatchError:
                if tries.are_over():
                    raise
            else:
                return self._opened(record)

    async def migrate(self, config_id: str, *, dry_run: bool = False) -> MigrationOutcome:
        """Rewrite a record in the schema that its type has now; return when that is on disk.

        This is no change of the data source: its revision stays, and its secrets keep their facts. The record's file as
        it was is kept as a backup.

        Args:
            config_id: The data source's id.
            dry_run: Find out what would be done, and store nothing.

        Raises:
            DataSourceNotFoundError: There is none of this id.
            StorageError: The store cannot be read.
        """
        tries = Tries(self._monotonic)
        while True:
            stored = await self.read(config_id)
            outcome = await self._rewriter.migrate(stored, dry_run=dry_run)
            if outcome is not None:
                return outcome
            if tries.are_over():
                raise RevisionMismatchError(stored=stored.revision or 0)

    async def purge_history(self, config_id: str) -> Rewritten:
        """Take the values of secrets out of all former revisions of a data source; return when that is on disk.

        Lines that cannot be read may hold secrets too, so they are taken out whole; the backup of a migration is, too.

        Raises:
            DataSourceNotFoundError: There is none of this id.
            NewerFormatError: A newer version wrote the record; only that one can tell what is secret in its history.
            RecordUnreadableError: The history cannot be read.
            StorageError: It could not be stored.
        """
        stored = await self.read(config_id)
        if stored.state == "newer_format":
            raise conflict_of(stored)
        async with self._noting(Changed.of(stored, operation="purge_history")):
            done = await self._store.rewrite_history(config_id, without_values, drop_unreadable=True)
            await self._store.remove_backup(config_id)
            return done

    async def delete_config(
        self, config_id: str | uuid.UUID, *, expected: int | None = None, force: bool = False
    ) -> None:
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
        stored = await self.read(str(config_id))
        if stored.record is None and not force:
            raise conflict_of(stored)
        if expected is not None and stored.revision != expected:
            raise RevisionMismatchError(stored=stored.revision or 0)
        async with self._noting(Changed.of(stored, operation="delete")):
            await self._store.delete(stored.id, expected=expected if stored.record is not None else None)

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

    async def check_keys(self) -> None:
        """Look whether there is a key ring that can be used.

        Raises:
            KeyRingError: There is none; the error says why.
        """
        await self._sealer.check_keys()

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

    def _opened(self, record: Record) -> StoredDataSource:
        """Read a record as its type, whether or not it is the one that is stored."""
        return self._opener.opened(Entry(record.id, "ok", record))

    async def _restored(self, former: StoredDataSource, present: Record) -> Record:
        """Make the new revision that has all that a former one had."""
        known, config, source = self._known(present.type), former.config, former.record
        if former.state == "newer_format":
            raise conflict_of(former)
        if config is None or source is None:
            raise RecordInvalidError(
                "That revision does not fit its type any more. Change the data source instead: see 'wellhead edit'."
            )
        secrets = await self._sealer.restored(source, {at: sealed.facts for at, sealed in present.secrets.items()})
        record = record_of(
            config,
            known,
            record_id=present.id,
            created_at=present.created_at,
            updated_at=clock.to_text(clock.now()),
            revision=present.revision + 1,
            extra=source.extra,
        )
        change = Change(is_change=True, secrets=secrets, moved=())
        return await self._sealer.seal(record, known.shape, change, previous=source)

    async def lead(self, work: str) -> bool:
        """Take on a work that one process at a time does for the workspace; tell whether it is this one's."""
        return await self._store.lead(work)

    def _known(self, type_name: str) -> KnownType:
        known = self._find_type(type_name)
        if known is None:
            raise TypeUnavailableError(f"The plugin that provides type '{type_name}' is not there.")
        return known

    def _changeable(self, stored: StoredDataSource, config: DataSourceConfig) -> KnownType:
        """Refuse changes of records that are not to be touched."""
        if stored.record is None or stored.is_left_alone:
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
        record = record_of(
            config,
            known,
            record_id=previous.id,
            created_at=previous.created_at,
            updated_at=clock.to_text(clock.now()),
            revision=previous.revision + 1,
            extra=previous.extra,
        )
        return await self._sealer.seal(record, known.shape, change, previous=previous)

    async def _found(self, entries: Sequence[Entry]) -> list[StoredDataSource]:
        """Read entries as their types, and look whether their secrets open: once, for as long as nothing changes."""
        sealed = any(entry.record is not None and entry.record.secrets for entry in entries)
        basis = await self._sealer.basis() if sealed else (None, None)
        judge = OpeningJudge(self._opener, basis)
        found = []
        for entry in entries:
            known = None if entry.record is None else self._find_type(entry.record.type)
            before = self._before.get(entry)
            if before is None or before[:2] != (known, basis):
                before = (known, basis, judge.judged(entry))
                self._before[entry] = before
            found.append(before[2])
        return found
