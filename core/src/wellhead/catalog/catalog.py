"""`Catalog`: all that can be done with the data sources of one workspace. Every face calls this, and nothing below."""

from __future__ import annotations

import difflib
import json
from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence
from contextlib import aclosing, suppress
from dataclasses import replace
from typing import Any
from uuid import UUID

from wellhead.catalog.documents import Document, check_echoed_revision, read_new, read_patch, read_replacement
from wellhead.catalog.listing import MAX_LIMIT, ListQuery, Page, matches, page_from, page_of, selection_of
from wellhead.catalog.outcomes import Outcome
from wellhead.catalog.types import type_detail, type_items
from wellhead.errors import (
    DataSourceNotFoundError,
    InputError,
    InputProblem,
    RevisionMismatchError,
    StorageError,
    ValidationFailedError,
)
from wellhead.model.result import ValidationResult
from wellhead.model.source import DataSourceConfig
from wellhead.model.texts import name_key
from wellhead.plugins.loader import PluginReport
from wellhead.plugins.registry import DataSourceTypeRegistry, RegisteredType, unknown_type
from wellhead.storage.changes import change_of
from wellhead.storage.conflicts import conflict_of
from wellhead.storage.history import Rewritten
from wellhead.storage.selection import Shown
from wellhead.storage.service import ConfigurationStorageService
from wellhead.storage.stored import StoredDataSource
from wellhead.validation.batch import Batch
from wellhead.validation.service import DataSourceValidationService, Event, Job, Unlock

_ATTEMPTS = 100  # each one that is lost is a change of somebody else that was saved

Finished = tuple[dict[str, Any], int]
"""A data source as it is read, and its revision."""


class Catalog:
    """What can be done with the data sources of one workspace."""

    def __init__(
        self,
        *,
        registry: DataSourceTypeRegistry,
        plugins: Sequence[PluginReport],
        storage: ConfigurationStorageService,
        validation: DataSourceValidationService,
    ) -> None:
        self.registry = registry
        self.plugins = tuple(plugins)
        self.storage = storage
        self.validation = validation

    def types(self) -> list[dict[str, Any]]:
        """Return every type that is installed, and every plugin that is broken."""
        return type_items(self.registry, self.plugins)

    def type(self, type_name: str) -> dict[str, Any]:
        """Return one type, with its JSON Schema and examples.

        Raises:
            UnknownTypeError: There is none of this name.
        """
        return type_detail(self.registry, type_name)

    async def create(self, document: Document, *, verify: bool = False, timeout: float | None = None) -> Finished:
        """Make a data source.

        Args:
            document: Its name, type and fields.
            verify: Save it only if it validates.
            timeout: Seconds that the validation may take.

        Raises:
            InputError: The document does not fit its type.
            NameTakenError: Another data source has the name.
            ValidationFailedError: It does not validate, and `verify` is set.
            StorageError: It could not be saved.
        """
        known = self._type_of(document)
        config = read_new(known.shape, document)
        result = await self._verify(known, None, config, timeout) if verify else None
        return await self._finish(await self.storage.save(config), result)

    async def read(self, source_id: str) -> StoredDataSource:
        """Return a data source, whatever its state.

        Raises:
            DataSourceNotFoundError: There is none of this id.
        """
        return await self.storage.read(source_id)

    async def show(self, source_id: str) -> Shown | None:
        """Return a data source as it is read, if that is known without opening its record; else None: `read` it."""
        return await self.storage.show(source_id)

    async def find(self, name_or_id: str) -> StoredDataSource:
        """Return the data source of this id, or else of this name.

        Raises:
            DataSourceNotFoundError: There is neither.
        """
        if is_source_id(name_or_id):
            with suppress(DataSourceNotFoundError):
                return await self.storage.read(name_or_id)
        found = await self.storage.find(name_key(name_or_id))
        if found is None:
            raise DataSourceNotFoundError(f"No data source has the name or id '{name_or_id}'. See 'wellhead list'.")
        return found

    async def list(self, query: ListQuery) -> Page:
        """Return one page of the data sources that a query asks for.

        Raises:
            InputError: The cursor is not one of this query.
        """
        chosen = await self.storage.choose(selection_of(query))
        return page_of(await self.storage.list_configs(), query) if chosen is None else page_from(chosen, query)

    async def replace(
        self,
        source_id: str,
        document: Document,
        *,
        expected: int | None = None,
        verify: bool = False,
        timeout: float | None = None,
    ) -> Finished:
        """Replace a data source; secrets that the document leaves out are kept.

        Args:
            source_id: Its id.
            document: The new state.
            expected: The revision that the change was made for; any if None.
            verify: Save it only if it validates.
            timeout: Seconds that the validation may take.

        Raises:
            DataSourceNotFoundError: There is none of this id.
            RevisionMismatchError: Another revision is stored.
            InputError: The document does not fit.
            ConflictError: The record cannot be changed, or the name is taken.
            ValidationFailedError: It does not validate, and `verify` is set.
            StorageError: It could not be saved.
        """
        stored, known = await self._changeable(source_id, document, expected)
        config = read_replacement(known.shape, stored, document)
        return await self._update(stored, known, config, verify=verify, timeout=timeout)

    async def patch(
        self,
        source_id: str,
        patch: Document,
        *,
        expected: int | None = None,
        verify: bool = False,
        timeout: float | None = None,
    ) -> Finished:
        """Change a data source by a merge patch (RFC 7396).

        Arguments and errors are those of `replace`.
        """
        for attempt in range(_ATTEMPTS):
            stored, known = await self._changeable(source_id, patch, expected)
            config = read_patch(known.shape, stored, patch)
            try:
                return await self._update(stored, known, config, verify=verify, timeout=timeout)
            except RevisionMismatchError:
                # Somebody saved in between. The patch says what to change, so it can be applied to what is there now.
                if expected is not None or "revision" in patch or attempt == _ATTEMPTS - 1:
                    raise
        raise RuntimeError("the last attempt returns or raises")

    async def delete(self, source_id: str, *, expected: int | None = None, force: bool = False) -> None:
        """Delete a data source.

        Args:
            source_id: Its id.
            expected: The revision that must be stored; any if None.
            force: Delete it even if its record cannot be read.

        Raises:
            DataSourceNotFoundError: There is none of this id.
            RevisionMismatchError: Another revision is stored.
            ConflictError: The record cannot be read, and `force` is not set.
            StorageError: It could not be deleted.
        """
        await self.storage.delete_config(source_id, expected=expected, force=force)

    async def validate_new(self, document: Document, *, timeout: float | None = None) -> ValidationResult:
        """Validate a document without saving it; it needs no name.

        Raises:
            InputError: The document does not fit its type.
        """
        known = self._type_of(document)
        config = read_new(known.shape, document, needs_name=False)
        change_of(known.shape, None, config)
        return await self.validation.validate(config, timeout=timeout)

    async def stream_validation(
        self, source_id: str, changes: Document | None = None, *, timeout: float | None = None
    ) -> AsyncGenerator[Event, None]:
        """Validate what is stored, with changes that are tried but not saved; yield each check, last the result.

        The result of validating what is stored, without changes, is kept as its health.

        Raises:
            DataSourceNotFoundError: There is none of this id.
            InputError: The changes do not fit, or leave out a secret that they need.
            ConflictError: The record cannot be read as its type.
            ValidationBusyError: Too many validations wait already.
        """
        stored = await self.storage.read(source_id)
        config = stored.config
        if changes:
            stored, known = await self._changeable(source_id, changes, None)
            config = read_patch(known.shape, stored, changes)
            change_of(known.shape, stored, config)
        if config is None:
            raise conflict_of(stored)
        events = self.validation.start(config, timeout=timeout, unlock=self._unlocking(stored, config))
        return self._events(stored, events, keep=not changes)

    async def validate(
        self, source_id: str, changes: Document | None = None, *, timeout: float | None = None
    ) -> ValidationResult:
        """Validate as `stream_validation` does, and return the result."""
        async with aclosing(await self.stream_validation(source_id, changes, timeout=timeout)) as events:
            async for event in events:
                if isinstance(event, ValidationResult):
                    return event
        raise RuntimeError("a validation always ends with its result")

    async def select(self, query: ListQuery) -> Sequence[StoredDataSource]:
        """Return all data sources that a query's filters ask for, in no order."""
        found = []
        async for document in self.documents(query):
            with suppress(DataSourceNotFoundError):  # it was deleted meanwhile
                found.append(await self.storage.read(document["id"]))
        return found

    async def documents(self, query: ListQuery) -> AsyncGenerator[dict[str, Any], None]:
        """Yield all data sources that a query's filters ask for, each as it is read; many are not held at once."""
        seen = set()
        selection = replace(selection_of(query), limit=MAX_LIMIT)
        while (chosen := await self.storage.choose(selection)) is not None:
            for item in chosen.items:
                document = json.loads(item)
                seen.add(document["id"])
                yield document
            if chosen.next is None:
                return
            selection = replace(selection, after=chosen.next)
        for stored in await self.storage.list_configs():  # there is no index, or no more
            if stored.id not in seen and matches(stored, query):
                yield stored.as_document()

    def validate_many(
        self, chosen: Sequence[StoredDataSource], *, timeout: float | None = None
    ) -> AsyncGenerator[Outcome, None]:
        """Validate many data sources at once, as they are stored; yield what comes of each as it ends.

        The results are kept as their health.

        Raises:
            ValidationBusyError: Too many validations wait already.
        """
        unreadable = [stored for stored in chosen if stored.config is None]
        jobs = [self._job(stored, stored.config) for stored in chosen if stored.config is not None]
        return self._outcomes(unreadable, self.validation.start_many(jobs, timeout=timeout))

    async def health(self, source_id: str) -> Sequence[dict[str, Any]]:
        """Return the last 50 results of validating a data source, newest first.

        Raises:
            DataSourceNotFoundError: There is none of this id.
        """
        await self.storage.read(source_id)
        return await self.storage.results(source_id)

    async def history(self, source_id: str) -> Sequence[dict[str, Any]]:
        """Return the former revisions of a data source that are kept, newest first, without any value.

        Each has its number, when it was changed, by whom, and in which fields.

        Raises:
            DataSourceNotFoundError: There is none of this id.
            RecordUnreadableError: The history cannot be read.
        """
        return [found.as_document() for found in await self.storage.history(source_id)]

    async def rollback(self, source_id: str, revision: int, *, expected: int | None = None) -> Finished:
        """Restore a former revision of a data source whole, its secrets too; it becomes a new revision.

        Args:
            source_id: Its id.
            revision: The revision to restore.
            expected: The revision that must be stored; any if None.

        Raises:
            DataSourceNotFoundError: There is none of this id.
            RevisionMismatchError: Another revision is stored.
            InputError: The revision is not kept.
            ConflictError: The record cannot be changed, the revision cannot be restored, or its name is taken.
            StorageError: It could not be saved.
        """
        return await self._finish(await self.storage.rollback(source_id, revision, expected=expected), None)

    async def purge_history(self, source_id: str) -> Rewritten:
        """Take the values of secrets out of all former revisions of a data source.

        Raises:
            DataSourceNotFoundError: There is none of this id.
            ConflictError: A newer version wrote the record, or the history cannot be read.
            StorageError: It could not be stored.
        """
        return await self.storage.purge_history(source_id)

    async def reveal(self, stored: StoredDataSource) -> DataSourceConfig:
        """Return a data source with its secrets in clear, those of references too.

        Raises:
            ConflictError: It cannot be read as its type, or a secret does not open or resolve.
        """
        return self.validation.resolve(await self.storage.reveal(stored))

    async def _events(
        self, stored: StoredDataSource, events: AsyncGenerator[Event, None], *, keep: bool
    ) -> AsyncGenerator[Event, None]:
        async with aclosing(events):
            async for event in events:
                if isinstance(event, ValidationResult) and keep and stored.revision is not None:
                    await self._keep(stored.id, stored.revision, event)
                yield event

    def _job(self, stored: StoredDataSource, config: DataSourceConfig) -> Job:
        async def keep(result: ValidationResult) -> None:
            if stored.revision is not None:
                await self._keep(stored.id, stored.revision, result)

        return Job(stored, config, self._unlocking(stored, config), keep)

    async def _outcomes(self, unreadable: Iterable[StoredDataSource], batch: Batch) -> AsyncGenerator[Outcome, None]:
        async with aclosing(batch):
            for stored in unreadable:
                yield Outcome(stored.id, stored.name, stored.state, None)
            async for job, result in batch:
                yield Outcome(job.key.id, job.key.name, job.key.state, result)

    def _unlocking(self, stored: StoredDataSource, config: DataSourceConfig) -> Unlock:
        async def unlock() -> DataSourceConfig:
            return await self.storage.reveal(stored, config)

        return unlock

    async def _verify(
        self, known: RegisteredType, stored: StoredDataSource | None, config: DataSourceConfig, timeout: float | None
    ) -> ValidationResult:
        """Validate what is about to be saved; before that, hold its secrets to their destination."""
        change_of(known.shape, stored, config)
        unlock = None if stored is None else self._unlocking(stored, config)
        result = await self.validation.validate(config, timeout=timeout, unlock=unlock)
        if not result.success:
            raise ValidationFailedError(result.as_document())
        return result

    async def _update(
        self,
        stored: StoredDataSource,
        known: RegisteredType,
        config: DataSourceConfig,
        *,
        verify: bool,
        timeout: float | None,
    ) -> Finished:
        result = await self._verify(known, stored, config, timeout) if verify else None
        saved = await self.storage.update(stored.id, config, expected=stored.revision)
        return await self._finish(saved, result)

    async def _finish(self, saved: StoredDataSource, result: ValidationResult | None) -> Finished:
        """Return a saved data source as it is read, with the validation that it passed as its health."""
        if result is not None and saved.revision is not None:
            await self._keep(saved.id, saved.revision, result)
            saved = await self.storage.read(saved.id)
        return saved.as_document(), saved.revision or 0

    async def _keep(self, source_id: str, revision: int, result: ValidationResult) -> None:
        """Keep a result as health; where that fails, the result is worth more than the record of it."""
        try:
            await self.storage.add_result(source_id, revision, result.as_document())
        except StorageError:
            return

    async def _changeable(
        self, source_id: str, document: Document, expected: int | None
    ) -> tuple[StoredDataSource, RegisteredType]:
        """Return what is stored and its type, where the one can be changed and the other is there."""
        stored = await self.storage.read(source_id)
        if expected is not None and stored.revision != expected:
            raise RevisionMismatchError(stored=stored.revision or 0)
        check_echoed_revision(stored, document)
        known = self.registry.find(stored.type) if stored.type is not None else None
        if known is None or stored.record is None:
            raise conflict_of(stored)
        return stored, known

    def _type_of(self, document: Mapping[str, Any]) -> RegisteredType:
        """Return the type that a document names.

        Raises:
            InputError: `required`, `wrong_type` or `unknown_type` at `/type`.
        """
        name = document.get("type")
        installed = self.registry.list_types()
        found = self.registry.find(name) if isinstance(name, str) else None
        if found is not None:
            return found
        allowed = tuple(installed)
        if name is None:
            problem = InputProblem("/type", "required", "The field is required.", allowed=allowed)
        elif not isinstance(name, str):
            problem = InputProblem("/type", "wrong_type", "Must be a string.", allowed=allowed)
        else:
            close = difflib.get_close_matches(name, installed, n=1)
            hint = f"Did you mean '{close[0]}'?" if close else None
            problem = InputProblem("/type", "unknown_type", unknown_type(installed).message, hint, allowed)
        raise InputError([problem])


def is_source_id(text: str) -> bool:
    """Tell whether a text is an id: a UUID in its canonical lower-case form (RFC 9562)."""
    try:
        return str(UUID(text)) == text
    except ValueError:
        return False
