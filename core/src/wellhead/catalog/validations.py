"""`Validations`: validates what is sent and what is stored, and keeps the results as health."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable, Sequence
from contextlib import aclosing

from wellhead.catalog.documents import Document, read_new, read_patch
from wellhead.catalog.lookup import Lookup
from wellhead.catalog.outcomes import Outcome
from wellhead.errors import RevisionMismatchError, StorageError, ValidationFailedError
from wellhead.model.result import ValidationResult
from wellhead.model.source import DataSourceConfig
from wellhead.plugins.registry import RegisteredType
from wellhead.storage.changes import change_of
from wellhead.storage.conflicts import conflict_of
from wellhead.storage.service import ConfigurationStorageService
from wellhead.storage.stored import StoredDataSource
from wellhead.validation.batch import Batch
from wellhead.validation.events import Event
from wellhead.validation.service import DataSourceValidationService, Job, Unlock


class Validations:
    """Validates the data sources of one workspace. `Catalog` says what most methods do, and raise."""

    def __init__(
        self, lookup: Lookup, storage: ConfigurationStorageService, validation: DataSourceValidationService
    ) -> None:
        self._lookup = lookup
        self._storage = storage
        self._validation = validation

    async def of_new(self, document: Document, *, timeout: float | None) -> AsyncGenerator[Event, None]:
        """Validate a document without saving it; yield each check, last the result."""
        known = self._lookup.type_of(document)
        config = read_new(known.shape, document, needs_name=False)
        change_of(known.shape, None, config)
        return self._validation.start(config, timeout=timeout)

    async def of_stored(
        self, source_id: str, changes: Document | None, *, expected: int | None = None, timeout: float | None
    ) -> AsyncGenerator[Event, None]:
        """Validate what is stored, with changes that are tried but not saved; yield each check, last the result."""
        stored = await self._storage.read(source_id)
        if expected not in {None, stored.revision}:
            raise RevisionMismatchError(stored=stored.revision or 0)
        config = stored.config
        if changes:
            stored, known = await self._lookup.changeable(source_id, changes, expected=expected)
            config = read_patch(known.shape, stored, changes)
            change_of(known.shape, stored, config)
            await self._storage.refuse_taken_name(stored, config.name)
        if config is None:
            raise conflict_of(stored)
        events = self._validation.start(config, timeout=timeout, unlock=self._unlocking(stored, config))
        return events if changes else self._keeping(stored, events)

    def of_many(self, chosen: Sequence[StoredDataSource], *, timeout: float | None) -> AsyncGenerator[Outcome, None]:
        """Validate many data sources at once, as they are stored; yield what comes of each as it ends."""
        unreadable = [stored for stored in chosen if stored.config is None]
        jobs = [self._job(stored, stored.config) for stored in chosen if stored.config is not None]
        return _outcomes(unreadable, self._validation.start_many(jobs, timeout=timeout))

    async def before_saving(
        self, known: RegisteredType, stored: StoredDataSource | None, config: DataSourceConfig, *, timeout: float | None
    ) -> ValidationResult:
        """Validate what is about to be saved; before that, hold its secrets to their destination.

        Raises:
            InputError: A secret that is kept is not meant for where it would be sent.
            ValidationFailedError: It does not validate.
        """
        change_of(known.shape, stored, config)
        unlock = None if stored is None else self._unlocking(stored, config)
        result = await self._validation.validate(config, timeout=timeout, unlock=unlock)
        if not result.success:
            raise ValidationFailedError(result.as_document())
        return result

    async def keep(self, stored: StoredDataSource, result: ValidationResult) -> None:
        """Keep a result as health; where that fails, the result is worth more than the record of it."""
        if stored.revision is None:
            return
        try:
            await self._storage.add_result(stored.id, stored.revision, result.as_document())
        except StorageError:
            return

    async def _keeping(
        self, stored: StoredDataSource, events: AsyncGenerator[Event, None]
    ) -> AsyncGenerator[Event, None]:
        async with aclosing(events):
            async for event in events:
                if isinstance(event, ValidationResult):
                    await self.keep(stored, event)
                yield event

    def _job(self, stored: StoredDataSource, config: DataSourceConfig) -> Job:
        async def keep(result: ValidationResult) -> None:
            await self.keep(stored, result)

        return Job(stored, config, self._unlocking(stored, config), keep)

    def _unlocking(self, stored: StoredDataSource, config: DataSourceConfig) -> Unlock:
        async def unlock() -> DataSourceConfig:
            return await self._storage.reveal(stored, config)

        return unlock


async def _outcomes(unreadable: Iterable[StoredDataSource], batch: Batch) -> AsyncGenerator[Outcome, None]:
    async with aclosing(batch):
        for stored in unreadable:
            yield Outcome(stored.id, stored.name, stored.state, None)
        async for job, result in batch:
            yield Outcome(job.key.id, job.key.name, job.key.state, result)
