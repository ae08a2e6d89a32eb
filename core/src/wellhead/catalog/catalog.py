"""`Catalog`: all that can be done with the data sources of one workspace. Every face calls this, and nothing below.

Its work is done by `Reader`, `Writer` and `Validations`; here is what each method promises.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from typing import Any

from wellhead.catalog.documents import Document
from wellhead.catalog.listing import ListQuery, Page
from wellhead.catalog.lookup import Lookup
from wellhead.catalog.outcomes import Outcome
from wellhead.catalog.reader import Reader
from wellhead.catalog.summary import Summary
from wellhead.catalog.type_page import type_page
from wellhead.catalog.types import type_detail, type_items
from wellhead.catalog.validations import Validations
from wellhead.catalog.writer import Finished, Writer
from wellhead.errors import SecretUnavailableError
from wellhead.model.result import ValidationResult
from wellhead.model.source import DataSourceConfig
from wellhead.plugins.registry import DataSourceTypeRegistry
from wellhead.plugins.reports import PluginReport
from wellhead.storage.revisions import Rewritten
from wellhead.storage.selection import Shown
from wellhead.storage.service import ConfigurationStorageService
from wellhead.storage.stored import StoredDataSource
from wellhead.validation.events import Event, result_of
from wellhead.validation.service import DataSourceValidationService


class Catalog:
    """What can be done with the data sources of one workspace.

    Where a change takes `expected`, that is the revision that it was made for and that has to be stored; any if None.
    """

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
        lookup = Lookup(registry, storage)
        self._reader = Reader(storage)
        self._validations = Validations(lookup, storage, validation)
        self._writer = Writer(lookup, storage, self._validations)

    def types(self) -> list[dict[str, Any]]:
        """Return every type that is installed, and every plugin that is broken."""
        return type_items(self.registry, self.plugins)

    def type(self, type_name: str) -> dict[str, Any]:
        """Return one type, with its JSON Schema and examples.

        Raises:
            UnknownTypeError: There is none of this name.
        """
        return type_detail(self.registry, type_name)

    def type_page(self, type_name: str) -> str:
        """Return the page of one type, in Markdown.

        Raises:
            UnknownTypeError: There is none of this name.
        """
        return type_page(self.registry.describe(type_name))

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
        return await self._writer.create(document, verify=verify, timeout=timeout)

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
        return await self._reader.find(name_or_id)

    async def list(self, query: ListQuery) -> Page:
        """Return one page of the data sources that a query asks for."""
        return await self._reader.list(query)

    async def summary(self, query: ListQuery) -> Summary:
        """Count the data sources that a query's filters ask for, by type, state and health."""
        return await self._reader.summary(query)

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

        Arguments and errors are those of `create`, and these.

        Raises:
            DataSourceNotFoundError: There is none of this id.
            RevisionMismatchError: Another revision is stored.
            ConflictError: The record cannot be changed, or the name is taken.
        """
        return await self._writer.replace(source_id, document, expected=expected, verify=verify, timeout=timeout)

    async def patch(
        self,
        source_id: str,
        patch: Document,
        *,
        expected: int | None = None,
        verify: bool = False,
        timeout: float | None = None,
    ) -> Finished:
        """Change a data source by a merge patch (RFC 7396), which is applied again if somebody saved in between.

        Arguments and errors are those of `replace`.
        """
        return await self._writer.patch(source_id, patch, expected=expected, verify=verify, timeout=timeout)

    async def delete(self, source_id: str, *, expected: int | None = None, force: bool = False) -> None:
        """Delete a data source; with `force`, even if its record cannot be read.

        Raises:
            DataSourceNotFoundError: There is none of this id.
            RevisionMismatchError: Another revision is stored.
            ConflictError: The record cannot be read, and `force` is not set.
            StorageError: It could not be deleted.
        """
        await self.storage.delete_config(source_id, expected=expected, force=force)

    async def stream_new(self, document: Document, *, timeout: float | None = None) -> AsyncGenerator[Event, None]:
        """Validate a document without saving it; it needs no name. Yield each check, last the result.

        Raises:
            InputError: The document does not fit its type.
            ValidationBusyError: Too many validations wait already.
        """
        return await self._validations.of_new(document, timeout=timeout)

    async def validate_new(self, document: Document, *, timeout: float | None = None) -> ValidationResult:
        """Validate as `stream_new` does, and return the result."""
        return await result_of(await self.stream_new(document, timeout=timeout))

    async def stream_validation(
        self,
        source_id: str,
        changes: Document | None = None,
        *,
        expected: int | None = None,
        timeout: float | None = None,
    ) -> AsyncGenerator[Event, None]:
        """Validate what is stored, with changes that are tried but not saved; yield each check, last the result.

        The result of validating what is stored, without changes, is kept as its health.

        Raises:
            DataSourceNotFoundError: There is none of this id.
            RevisionMismatchError: Another revision is stored.
            InputError: The changes do not fit, or leave out a secret that they need.
            ConflictError: The record cannot be read as its type, or the changes have a name that is taken.
            ValidationBusyError: Too many validations wait already.
        """
        return await self._validations.of_stored(source_id, changes, expected=expected, timeout=timeout)

    async def validate(
        self, source_id: str, changes: Document | None = None, *, timeout: float | None = None
    ) -> ValidationResult:
        """Validate as `stream_validation` does, and return the result."""
        return await result_of(await self.stream_validation(source_id, changes, timeout=timeout))

    async def select(self, query: ListQuery) -> Sequence[StoredDataSource]:
        """Return all data sources that a query's filters ask for, in no order."""
        return await self._reader.select(query)

    def documents(self, query: ListQuery) -> AsyncGenerator[dict[str, Any], None]:
        """Yield all data sources that a query's filters ask for, each as it is read; many are not held at once."""
        return self._reader.documents(query)

    def validate_many(
        self, chosen: Sequence[StoredDataSource], *, timeout: float | None = None
    ) -> AsyncGenerator[Outcome, None]:
        """Validate many data sources at once, as they are stored; keep each result as health, and yield it as it ends.

        Raises:
            ValidationBusyError: Too many validations wait already.
        """
        return self._validations.of_many(chosen, timeout=timeout)

    async def health(self, source_id: str) -> Sequence[dict[str, Any]]:
        """Return the last 50 results of validating a data source, newest first.

        Raises:
            DataSourceNotFoundError: There is none of this id.
        """
        await self.storage.read(source_id)
        return await self.storage.results(source_id)

    async def history(self, source_id: str) -> Sequence[dict[str, Any]]:
        """Return the former revisions that are kept, newest first: number, instant, by whom, and fields; no value.

        Raises:
            DataSourceNotFoundError: There is none of this id.
            RecordUnreadableError: The history cannot be read.
        """
        return [found.as_document() for found in await self.storage.history(source_id)]

    async def rollback(self, source_id: str, revision: int, *, expected: int | None = None) -> Finished:
        """Restore a former revision of a data source whole, its secrets too; it becomes a new revision.

        Raises:
            DataSourceNotFoundError: There is none of this id.
            RevisionMismatchError: Another revision is stored.
            InputError: The revision is not kept.
            ConflictError: The record cannot be changed, the revision cannot be restored, or its name is taken.
            StorageError: It could not be saved.
        """
        return await self._writer.rollback(source_id, revision, expected=expected)

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
            KeyRingError: A secret does not open because the key ring cannot be used.
        """
        try:
            revealed = await self.storage.reveal(stored)
        except SecretUnavailableError:
            await self.storage.check_keys()
            raise
        return self.validation.resolve(revealed)
