"""All documents of a store that may hold sealed secrets: the state of each data source. Keys are counted by them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from wellhead.storage.records import Record
from wellhead.storage.store import Entry, RecordStore

_UNREADABLE = {
    "corrupt": "the record is damaged",
    "unreadable": "the record cannot be opened",
    "newer_format": "a newer Wellhead wrote the record",
}


@dataclass(frozen=True, slots=True)
class SealedDocument:
    """One state of a data source with sealed secrets, or one of which nobody can tell.

    Attributes:
        id: The data source's id.
        name: Its name; None if that cannot be read.
        revision: The number of the state; None if that cannot be read.
        key_id: The key that its secrets are sealed with; None if that cannot be read.
        record: The record; None if it cannot be read.
        trouble: Why it cannot be read; None if it can.
    """

    id: str
    name: str | None
    revision: int | None
    key_id: str | None
    record: Record | None
    trouble: str | None = None


class SealedDocuments:
    """The sealed documents of one store."""

    def __init__(self, store: RecordStore) -> None:
        self._store = store

    async def all(self) -> list[SealedDocument]:
        """Return the sealed documents of all data sources."""
        return [found for entry in await self._store.entries() if (found := _document_of(entry)) is not None]

    async def of(self, record_id: str) -> list[SealedDocument]:
        """Return the sealed documents of one data source, read from disk once more."""
        entry = await self._store.read(record_id)
        found = None if entry is None else _document_of(entry)
        return [] if found is None else [found]

    async def rewrite(self, record_id: str, change: Callable[[Record], Record]) -> int:
        """Write the documents of one data source anew, and return how many were changed, when that is on disk.

        Args:
            record_id: The data source.
            change: Returns a document as it is to be. It is called in another thread, perhaps more than once.

        Raises:
            StorageError: It could not be stored; what was not changed is as it was.
        """
        return int(await self._store.rewrite(record_id, change))


def _document_of(entry: Entry) -> SealedDocument | None:
    """Return what an entry holds; None where it holds no secret."""
    record = entry.record
    if record is None:
        remains = entry.remains or {}
        name, revision, encryption = (remains.get(key) for key in ("name", "revision", "encryption"))
        key_id = encryption.get("key_id") if isinstance(encryption, dict) else None
        return SealedDocument(
            entry.id,
            name if isinstance(name, str) else None,
            revision if type(revision) is int else None,
            key_id if isinstance(key_id, str) else None,
            None,
            _UNREADABLE.get(entry.state, entry.state),
        )
    if not record.secrets:
        return None
    return SealedDocument(record.id, record.name, record.revision, record.key_id, record)
