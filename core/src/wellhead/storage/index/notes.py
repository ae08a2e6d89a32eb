"""What writers tell the index, and ask of it, each while it holds the store's lock.

Before a record gets its new state its id is noted, and the note is taken back with the new row. A note that is found
while nobody holds the store's lock is that of a process that crashed in between: the record is read anew. Whatever
cannot be kept true is removed, and made anew.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress

from wellhead.errors import StorageError
from wellhead.storage.disk.reading import Seen, as_written
from wellhead.storage.index.file import IndexFile, IndexUnusableError
from wellhead.storage.index.upkeep import write_pending, write_rows
from wellhead.storage.index.writes import mark
from wellhead.storage.records import Record

ID_OF = (
    "SELECT id FROM sources WHERE name_key = :key AND id <> :but"
    " UNION ALL SELECT id FROM pending WHERE name_key = :key AND id <> :but LIMIT 1"
)
COUNT = (
    "SELECT (SELECT count(*) FROM sources) + count(*) FROM pending"
    " WHERE NOT EXISTS (SELECT 1 FROM sources WHERE sources.id = pending.id)"
)

Written = tuple[Record, bytes]
"""A record and the content of its file."""


class IndexNotes:
    """The index of one store, as writers use it. The store's lock must be held for all of it."""

    def __init__(self, file: IndexFile) -> None:
        self._file = file

    @contextmanager
    def change(
        self, directory: int, record_id: str, written: Written | None = None, *, is_new: bool = False
    ) -> Iterator[None]:
        """Surround the step that changes a record.

        Args:
            directory: The descriptor of the store's directory.
            record_id: The record's id.
            written: The record that there will be, with the content of its file; looked up if left out.
            is_new: Whether nothing was ever stored under the id.

        Raises:
            OSError: There is an index that can neither be kept true nor removed; nothing was changed.
        """
        noted = self._note(directory, record_id)
        seen = None
        try:
            yield
            seen = as_written(directory, *written, has_results=not is_new) if written is not None else None
        finally:
            if noted:
                self._keep_true(directory, [record_id], seen)

    def id_of(self, directory: int, key: str, *, but: str) -> str | None:
        """Return the id of the record that has a name, by the index.

        Args:
            directory: The descriptor of the store's directory.
            key: The key of the name.
            but: An id that does not count.

        Raises:
            IndexUnusableError: There is no index.
        """
        if self._file.rests:
            raise IndexUnusableError(damaged=False)
        for _ in range(2):
            with self._file.connection(directory) as connection:
                left = noted_in(connection)
                if not left:
                    found = connection.execute(ID_OF, {"key": key, "but": but}).fetchone()
                    return None if found is None else str(found[0])
            self._keep_true(directory, left)
            if self._file.rests:  # the notes are still there
                raise IndexUnusableError(damaged=False)
        raise self.distrusted(directory)

    def count(self, directory: int) -> int:
        """Return how many records there are, by the index.

        Raises:
            IndexUnusableError: There is no index.
        """
        if self._file.rests:
            raise IndexUnusableError(damaged=False)
        with self._file.connection(directory) as connection:
            return int(connection.execute(COUNT).fetchone()[0])

    def refresh(self, directory: int, record_ids: Iterable[str]) -> None:
        """Read records anew. What cannot be told any more is removed."""
        self._keep_true(directory, record_ids)

    def distrusted(self, directory: int) -> IndexUnusableError:
        """Remove an index that contradicts the records even after they were read anew; return what to raise."""
        self._give_up(directory)
        return IndexUnusableError(damaged=True)

    def _note(self, directory: int, record_id: str) -> bool:
        """Note that a record is about to change; without an index that takes the note there must be none at all."""
        try:
            with self._file.connection(directory) as connection:
                left = noted_in(connection)
                mark(connection, record_id)
            if left:
                self._keep_true(directory, left)
                with self._file.connection(directory) as connection:
                    mark(connection, record_id)
        except IndexUnusableError:
            self._file.discard(directory)
            return False
        return True

    def _keep_true(self, directory: int, record_ids: Iterable[str], seen: Seen | None = None) -> None:
        """Bring the rows of records up to their files, or of one to what was seen."""
        try:
            with self._file.connection(directory) as connection:
                if seen is not None:
                    write_pending(connection, seen)
                else:
                    write_rows(connection, directory, record_ids)
        except StorageError:
            self._file.rest()  # the note is still there, and tells whoever can mend it
        except IndexUnusableError as error:
            if error.damaged:
                self._give_up(directory)
            else:
                self._file.rest()

    def _give_up(self, directory: int) -> None:
        """Remove the index, and do without one for now."""
        with suppress(OSError):
            self._file.discard(directory)
        self._file.rest()


def noted_in(connection: sqlite3.Connection) -> list[str]:
    """Return the ids of the records that are noted to be about to change."""
    return [row[0] for row in connection.execute("SELECT id FROM changing")]
