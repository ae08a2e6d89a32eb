"""The interface of a store of records. Nothing above it knows that records are files."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from wellhead.storage.findings import Finding
from wellhead.storage.records import Record
from wellhead.storage.revisions import Revision, Rewritten
from wellhead.storage.selection import Chosen, Group, Selection, Shown
from wellhead.storage.stored import StoredDataSource

EntryState = Literal["ok", "corrupt", "unreadable", "newer_format"]


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
class Entry:
    """What a store has under one id.

    Attributes:
        id: The id.
        state: `ok`, or why there is no record.
        record: The record; None unless the state is `ok`.
        remains: What could be read of a record in a newer format.
        health: The summary of the newest result of validating it; None if it was never validated.
    """

    id: str
    state: EntryState
    record: Record | None = None
    remains: dict[str, Any] | None = None
    health: dict[str, Any] | None = None


class Judge(Protocol):
    """Tells the states of entries, which depend on the types that are installed and on the key ring."""

    def judged(self, entry: Entry) -> StoredDataSource:
        """Return the data source that an entry is, with its state."""
        ...

    def basis(self, type_name: str, *, sealed: bool) -> int:
        """Return a number, never 0: while it is the same, so is the judgement of an entry of this type.

        Args:
            type_name: The type of the record.
            sealed: True where the record has secrets.
        """
        ...


class RecordStore(Protocol):
    """Keeps the records of one workspace. All methods are safe to call at the same time, from many processes."""

    async def workspace_id(self) -> str | None:
        """Return the id of the workspace; None if none was made yet, or it cannot be read."""
        ...

    async def make_workspace_id(self) -> str:
        """Return the id of the workspace, made now if there is none.

        Raises:
            StorageError: There is one that cannot be read, or it could not be stored.
        """
        ...

    async def read(self, record_id: str) -> Entry | None:
        """Return what is stored under an id; None if nothing is. What did not change is the same object as before."""
        ...

    async def entries(self) -> Sequence[Entry]:
        """Return all that is stored, in no order. An entry that did not change is the same object as before."""
        ...

    async def choose(self, selection: Selection, judge: Judge) -> Chosen | None:
        """Return the entries that are wanted, without reading all; None if the store has no other way just now."""
        ...

    async def summarize(self, selection: Selection, judge: Judge) -> Counter[Group] | None:
        """Count the entries that are wanted, whatever the page, without reading all; None as with `choose`."""
        ...

    async def show(self, record_id: str, judge: Judge) -> Shown | None:
        """Return an entry as it was judged before, if it did not change since; None where it has to be read."""
        ...

    async def create(self, record: Record) -> None:
        """Store a new record; return when it is on disk.

        Raises:
            NameTakenError: Another record has the name.
            StorageError: It could not be stored; nothing was changed.
        """
        ...

    async def replace(
        self, record: Record, *, expected: int, by: str | None = None, changed: Sequence[str] | None = None
    ) -> None:
        """Store a new state of a record, and keep the one before in its history; return when both are on disk.

        Args:
            record: The new state.
            expected: The revision that it was made from.
            by: Who changes it; None where nobody knows.
            changed: The names of the fields that it changes, for the history; found by comparing if left out.

        Raises:
            DataSourceNotFoundError: Nothing is stored under its id.
            RevisionMismatchError: Another revision is stored.
            NameTakenError: Another record has the name.
            RecordUnreadableError: Its history cannot be read.
            StorageError: It could not be stored.
        """
        ...

    async def rewrite(self, record_id: str, change: Callable[[Record], Record]) -> bool:
        """Write a record anew as a function makes it of what is stored; return whether it differs, when it is on disk.

        This is for what is no change of the data source, such as another encryption of the same secrets: the
        revision stays. What cannot be read, or is not there, is left alone.

        Args:
            record_id: The id.
            change: Returns the record as it is to be. It is called in another thread, perhaps more than once.

        Raises:
            StorageError: It could not be stored; what is stored is as it was.
        """
        ...

    async def migrate(self, found: Record, record: Record) -> bool:
        """Store a record in the schema that its type has now, and what was stored as its backup.

        This is no change of the data source: the revision is the same.

        Args:
            found: The record that it was made from, as it is stored.
            record: The record to store.

        Returns:
            True when both are on disk; False, and nothing is done, if something else is stored by now.

        Raises:
            StorageError: It could not be stored; what is stored is as it was.
        """
        ...

    async def remove_backup(self, record_id: str) -> None:
        """Remove the backup of a record, if there is one; return when that is on disk.

        Raises:
            StorageError: It could not be removed.
        """
        ...

    async def delete(self, record_id: str, *, expected: int | None) -> None:
        """Delete what is stored under an id, its results, history and backup too; return when that is on disk.

        Args:
            record_id: The id.
            expected: The revision that must be stored; None to delete whatever is there.

        Raises:
            DataSourceNotFoundError: Nothing is stored under the id.
            RevisionMismatchError: Another revision is stored.
            StorageError: It could not be deleted.
        """
        ...

    async def history(self, record_id: str) -> list[Revision]:
        """Return the former revisions of a record that are kept and can be read, newest first.

        Right after a crash, the revision that is still stored can be among them.

        Raises:
            RecordUnreadableError: The history cannot be read.
        """
        ...

    async def rewrite_history(
        self, record_id: str, change: Callable[[Revision], Revision], *, drop_unreadable: bool = False
    ) -> Rewritten:
        """Change former revisions where they are kept; return when that is on disk.

        Args:
            record_id: The record's id.
            change: Returns a revision as it is to be. It is called in another thread, while nobody else writes.
            drop_unreadable: Take out what cannot be read; else it is left as it is.

        Raises:
            RecordUnreadableError: The history cannot be read.
            StorageError: It could not be stored.
        """
        ...

    async def inspect(self, *, repair: bool) -> list[Finding]:
        """Look over what the records are kept in, but not into the records.

        Args:
            repair: Mend what is safe to mend. No record is ever written or removed.
        """
        ...

    async def results(self, record_id: str) -> list[dict[str, Any]]:
        """Return the last results of validating a data source, newest first."""
        ...

    async def add_result(self, record_id: str, summary: dict[str, Any], result: dict[str, Any]) -> None:
        """Keep a result and its summary; the 50 newest results are kept. A power cut may lose it.

        Raises:
            StorageError: It could not be stored.
        """
        ...

    async def lead(self, work: str) -> bool:
        """Take on a work that one process at a time does for the store; it stays this one's until it ends.

        Returns:
            Whether the work is this process's.

        Raises:
            StorageError: That cannot be found out.
        """
        ...
