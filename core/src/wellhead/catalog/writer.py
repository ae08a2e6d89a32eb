"""`Writer`: saves data sources, if that is wanted only after they validate."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from wellhead.catalog.documents import Document, read_new, read_patch, read_replacement
from wellhead.catalog.lookup import Lookup
from wellhead.catalog.validations import Validations
from wellhead.errors import RevisionMismatchError
from wellhead.model.result import ValidationResult
from wellhead.model.source import DataSourceConfig
from wellhead.plugins.registry import RegisteredType
from wellhead.storage.service import ConfigurationStorageService
from wellhead.storage.stored import StoredDataSource
from wellhead.storage.tries import Tries

Finished = tuple[dict[str, Any], int]
"""A data source as it is read, and its revision."""


class Writer:
    """Saves the data sources of one workspace. `Catalog` says what each method does, and raises."""

    def __init__(
        self,
        lookup: Lookup,
        storage: ConfigurationStorageService,
        validations: Validations,
        *,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._lookup = lookup
        self._storage = storage
        self._validations = validations
        self._monotonic = monotonic

    async def create(self, document: Document, *, verify: bool, timeout: float | None) -> Finished:
        """Make a data source."""
        known = self._lookup.type_of(document)
        config = read_new(known.shape, document)
        result = await self._validations.before_saving(known, None, config, timeout=timeout) if verify else None
        return await self._finish(await self._storage.save(config), result)

    async def replace(
        self, source_id: str, document: Document, *, expected: int | None, verify: bool, timeout: float | None
    ) -> Finished:
        """Replace a data source; secrets that the document leaves out are kept."""
        stored, known = await self._lookup.changeable(source_id, document, expected=expected)
        config = read_replacement(known.shape, stored, document)
        return await self._update(stored, known, config, verify=verify, timeout=timeout)

    async def patch(
        self, source_id: str, patch: Document, *, expected: int | None, verify: bool, timeout: float | None
    ) -> Finished:
        """Change a data source by a merge patch (RFC 7396); applied again if somebody saved in between."""
        is_for_one_revision = expected is not None or "revision" in patch
        tries = Tries(self._monotonic)
        while True:
            stored, known = await self._lookup.changeable(source_id, patch, expected=expected)
            config = read_patch(known.shape, stored, patch)
            try:
                return await self._update(stored, known, config, verify=verify, timeout=timeout)
            except RevisionMismatchError:
                # Somebody saved in between. The patch says what to change, so it can be applied to what is there now.
                if is_for_one_revision or tries.are_over():
                    raise

    async def rollback(self, source_id: str, revision: int, *, expected: int | None) -> Finished:
        """Restore a former revision of a data source whole, its secrets too; it becomes a new revision."""
        return await self._finish(await self._storage.rollback(source_id, revision, expected=expected), None)

    async def _update(
        self,
        stored: StoredDataSource,
        known: RegisteredType,
        config: DataSourceConfig,
        *,
        verify: bool,
        timeout: float | None,
    ) -> Finished:
        result = await self._validations.before_saving(known, stored, config, timeout=timeout) if verify else None
        return await self._finish(await self._storage.update(stored.id, config, expected=stored.revision), result)

    async def _finish(self, saved: StoredDataSource, result: ValidationResult | None) -> Finished:
        """Return a saved data source as it is read, with the validation that it passed as its health."""
        if result is not None and saved.revision is not None:
            await self._validations.keep(saved, result)
            saved = await self._storage.read(saved.id)
        return saved.as_document(), saved.revision or 0
