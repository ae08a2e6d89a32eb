"""`ConfigurationStorageService`: saves, reads, changes and deletes typed data sources, their secrets sealed."""

from __future__ import annotations

import time
import uuid
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from wellhead.errors import RevisionMismatchError
from wellhead.model.source import DataSourceConfig
from wellhead.model.texts import name_key
from wellhead.storage.conflicts import conflict_of, name_taken
from wellhead.storage.former import before
from wellhead.storage.judging import Judging
from wellhead.storage.known_type import FindType, known_type
from wellhead.storage.live_keys import LiveKeys
from wellhead.storage.noting import Changed, Noting, unnoted
from wellhead.storage.revisions import Revision, Rewritten, without_values
from wellhead.storage.rewriting import MigrationOutcome, Rewriter
from wellhead.storage.saving import Saver
from wellhead.storage.sealing import Sealer
from wellhead.storage.selection import Chosen, Group, Selection, Shown
from wellhead.storage.store import RecordStore
from wellhead.storage.stored import StoredDataSource


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
        self._find_type = find_type
        self._noting = noting
        self._sealer = Sealer(store, keys)
        self._judging = Judging(store, self._sealer, find_type)
        self._rewriter = Rewriter(store, self._sealer, self._judging, find_type, noting=noting, monotonic=monotonic)
        self._saver = Saver(
            store, self._sealer, self._judging, find_type, acting=acting, noting=noting, monotonic=monotonic
        )

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
        saved = await self._saver.save(config)
        return config if saved.config is None else saved.config.model_copy(deep=True)

    async def save(self, config: DataSourceConfig) -> StoredDataSource:
        """Save as `save_config` does, and return what is stored now."""
        return await self._saver.save(config)

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
        return await self._judging.all()

    async def choose(self, selection: Selection) -> Chosen | None:
        """Return the data sources that are wanted, each with its state; None if only `list_configs` can tell now.

        One that is damaged does not hide the others.
        """
        return await self._store.choose(selection, await self._judging.judge())

    async def summarize(self, selection: Selection) -> Counter[Group] | None:
        """Count the data sources that are wanted, whatever the page; None if only `list_configs` can tell now."""
        return await self._store.summarize(selection, await self._judging.judge())

    async def show(self, config_id: str) -> Shown | None:
        """Return a data source as it is read, if that is known without opening its record; else None."""
        return await self._store.show(config_id, await self._judging.judge())

    async def find(self, key: str) -> StoredDataSource | None:
        """Return the data source whose name has a key; None if there is none."""
        return await self._judging.find(key)

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
        return await self._saver.update(config_id, config, expected=expected)

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
        return await self._saver.rollback(config_id, revision, expected=expected)

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
        return await self._rewriter.migrate(config_id, dry_run=dry_run)

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
        return await self._judging.read(config_id)

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
        return await self._sealer.reveal(stored.record, known_type(self._find_type, config.type).shape, config)

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

    async def lead(self, work: str) -> bool:
        """Take on a work that one process at a time does for the workspace; tell whether it is this one's."""
        return await self._store.lead(work)
