"""What a document that was sent is for: the type that it names, or the data source that it changes."""

from __future__ import annotations

import difflib
from typing import Any

from wellhead.catalog.documents import Document, check_echoed_revision
from wellhead.errors import InputError, InputProblem, RevisionMismatchError
from wellhead.plugins.registry import DataSourceTypeRegistry, RegisteredType, unknown_type
from wellhead.storage.conflicts import conflict_of
from wellhead.storage.service import ConfigurationStorageService
from wellhead.storage.stored import StoredDataSource


class Lookup:
    """Finds types and data sources for documents."""

    def __init__(self, registry: DataSourceTypeRegistry, storage: ConfigurationStorageService) -> None:
        self._registry = registry
        self._storage = storage

    def type_of(self, document: Document) -> RegisteredType:
        """Return the type that a document names.

        Raises:
            InputError: `required`, `wrong_type` or `unknown_type` at `/type`.
        """
        name = document.get("type")
        found = self._registry.find(name) if isinstance(name, str) else None
        if found is None:
            raise InputError([_problem_of(name, self._registry.list_types())])
        return found

    async def changeable(
        self, source_id: str, document: Document, *, expected: int | None = None
    ) -> tuple[StoredDataSource, RegisteredType]:
        """Return what is stored and its type, where the one can be changed and the other is there.

        Args:
            source_id: The data source's id.
            document: The change; a revision that it repeats has to be the stored one.
            expected: The revision that the change was made for; any if None.

        Raises:
            DataSourceNotFoundError: There is none of this id.
            RevisionMismatchError: Another revision is stored.
            ConflictError: It cannot be changed.
        """
        stored = await self._storage.read(source_id)
        if expected is not None and stored.revision != expected:
            raise RevisionMismatchError(stored=stored.revision or 0)
        check_echoed_revision(stored, document)
        known = self._registry.find(stored.type) if stored.type is not None else None
        if known is None or stored.is_left_alone:
            raise conflict_of(stored)
        return stored, known


def _problem_of(name: Any, installed: list[str]) -> InputProblem:
    """Say what is wrong with the name of a type that was not found."""
    allowed = tuple(installed)
    if name is None:
        return InputProblem("/type", "required", "The field is required.", allowed=allowed)
    if not isinstance(name, str):
        return InputProblem("/type", "wrong_type", "Must be a string.", allowed=allowed)
    close = difflib.get_close_matches(name, installed, n=1)
    hint = f"Did you mean '{close[0]}'?" if close else None
    return InputProblem("/type", "unknown_type", unknown_type(installed).message, hint, allowed)
