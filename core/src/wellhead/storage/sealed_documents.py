"""All documents of a store that may hold sealed secrets: what each data source is, and what it was."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from wellhead.errors import RecordUnreadableError
from wellhead.storage.records import Record
from wellhead.storage.revisions import Revision, Rewritten
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
        is_former: True for a revision of the history.
    """

    id: str
    name: str | None = None
    revision: int | None = None
    key_id: str | None = None
    record: Record | None = None
    trouble: str | None = None
    is_former: bool = False


class SealedDocuments:
    """The sealed documents of one store."""

    def __init__(self, store: RecordStore) -> None:
        self._store = store

    async def all(self, *, thorough: bool = False) -> list[SealedDocument]:
        """Return the sealed documents of all data sources.

        Args:
            thorough: Tell of lines of a history, too, that cannot be read. This needs a store that can be written.

        Raises:
            StorageError: The store cannot be read.
        """
        found = []
        for entry in await self._store.entries():
            found += await self._of(entry, thorough=thorough)
        return found

    async def of(self, record_id: str) -> list[SealedDocument]:
        """Return the sealed documents of one data source, read from disk once more."""
        entry = await self._store.read(record_id)
        return [] if entry is None else await self._of(entry, thorough=False)

    async def rewrite(self, record_id: str, change: Callable[[Record], Record]) -> Rewritten:
        """Write the documents of one data source anew; return what became of them, when that is on disk.

        Args:
            record_id: The data source.
            change: Returns a document as it is to be. It is called in another thread, perhaps more than once.

        Raises:
            RecordUnreadableError: Its history cannot be read.
            StorageError: It could not be stored; what was not changed is as it was.
        """

        def change_revision(revision: Revision) -> Revision:
            return replace(revision, record=change(revision.record))

        # In this order: what a save moves into the history meanwhile is either still to come, or changed already.
        is_changed = await self._store.rewrite(record_id, change)
        done = await self._store.rewrite_history(record_id, change_revision)
        return replace(done, changed=done.changed + is_changed)

    async def _of(self, entry: Entry, *, thorough: bool) -> list[SealedDocument]:
        present = _document_of(entry)
        found = [] if present is None else [present]
        try:
            former = [revision.record for revision in await self._store.history(entry.id)]
            unreadable = (await self._store.rewrite_history(entry.id, _as_it_is)).left if thorough else 0
        except RecordUnreadableError:
            return [*found, _unreadable(entry, "its history cannot be read")]
        found += [replace(_document(record), is_former=True) for record in former if _is_sealed(record)]
        return found + [_unreadable(entry, "a line of its history cannot be read")] * unreadable


def _as_it_is(revision: Revision) -> Revision:
    return revision


def _is_sealed(record: Record) -> bool:
    """Tell whether a record has anything that a key sealed; what was purged from a history has not."""
    return any(sealed.box for sealed in record.secrets.values())


def _document(record: Record) -> SealedDocument:
    return SealedDocument(record.id, record.name, record.revision, record.key_id, record)


def _unreadable(entry: Entry, trouble: str) -> SealedDocument:
    name = None if entry.record is None else entry.record.name
    return SealedDocument(entry.id, name, trouble=trouble, is_former=True)


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
    return _document(record) if _is_sealed(record) else None
