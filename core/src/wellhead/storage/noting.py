"""What is told of a change of a data source: which, of what, and the names of the fields; no value."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import Literal

from wellhead.model.pointer import from_pointer
from wellhead.storage.records import Record
from wellhead.storage.revisions import changed_fields
from wellhead.storage.stored import StoredDataSource

Operation = Literal["create", "update", "rollback", "delete", "migrate", "purge_history"]


@dataclass(frozen=True, slots=True)
class Changed:
    """A change of a data source.

    Attributes:
        operation: What is done.
        id: The data source's id.
        name: Its name afterwards, or before it is deleted; None if it cannot be read.
        revision: Its revision afterwards, or before it is deleted; None if it cannot be read.
        fields: The names of the fields that change, sorted; of a new data source, of those that it has.
    """

    operation: Operation
    id: str
    name: str | None
    revision: int | None
    fields: tuple[str, ...] = ()

    @classmethod
    def to(cls, record: Record, former: Record | None, *, operation: Operation) -> Changed:
        """Return the change from a record to another one, or to a first one."""
        fields = _fields_of(record) if former is None else changed_fields(former, record)
        return cls(operation, record.id, record.name, record.revision, fields)

    @classmethod
    def of(cls, stored: StoredDataSource, *, operation: Operation) -> Changed:
        """Return a change that is not one of fields."""
        return cls(operation, stored.id, stored.name, stored.revision)


Noting = Callable[[Changed], AbstractAsyncContextManager[None]]
"""Surrounds the step that makes a change: entered before it, left after it is on disk or has failed."""


@asynccontextmanager
async def unnoted(_change: Changed) -> AsyncIterator[None]:
    """Tell nobody of a change."""
    yield


def _fields_of(record: Record) -> tuple[str, ...]:
    base = {name for name in ("name", "description", "labels") if getattr(record, name)}
    return tuple(sorted(base | set(record.fields) | {from_pointer(pointer)[0] for pointer in record.secrets}))
