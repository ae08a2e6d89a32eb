"""Keeping the index true: to our own writes at once, which tell it themselves, to edits by hand after a sweep.

A sweep compares the files' signatures with those of the rows. What a crash left half done is seen by a note, which
`notes` tells of. Whatever cannot be kept true is removed, and made anew.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path

from wellhead.errors import StorageError
from wellhead.mounts import boot_id, is_shared
from wellhead.storage.disk.locks import StoreLock
from wellhead.storage.disk.reading import scan
from wellhead.storage.index.file import IndexFile, IndexUnusableError
from wellhead.storage.index.making import make_anew
from wellhead.storage.index.notes import IndexNotes, noted_in
from wellhead.storage.index.upkeep import BATCH, differences, take_in_pending

SWEEP_EVERY = 45.0
"""Seconds from one sweep to the next; with what a sweeper waits, it is less than a minute."""
LOOKED_AT_ALWAYS = 250
"""Of a store with up to this many records all files are looked at before each answer: half a millisecond."""
_COUNT_FEW = "SELECT count(*) FROM (SELECT 1 FROM sources LIMIT ?)"
_SWEEPER_WAITS = 15.0
_BUILD_TIMEOUT = 120.0
_BUILD_LOCK = ".index.lock"

Watch = Callable[[int, int], None]
"""Told how many records of how many are in the index."""


class Indexing:
    """The index of one store, kept true."""

    def __init__(self, path: Path, lock: StoreLock) -> None:
        """Keep the index of a store true.

        Args:
            path: The store's directory.
            lock: The store's lock.
        """
        self.file = IndexFile(path)
        self.notes = IndexNotes(self.file)
        self.watch: Watch | None = None
        self.has_sweeper = False
        self._path = path
        self._lock = lock
        self._build_lock = StoreLock(_BUILD_TIMEOUT, name=_BUILD_LOCK)
        self._boot = boot_id()
        self._is_shared: bool | None = None
        self._looked_at: tuple[object, int] | None = None

    @contextmanager
    def reading(self, directory: int) -> Iterator[sqlite3.Connection]:
        """Lend a connection to an index that is true, in a transaction that sees one state of it.

        Args:
            directory: The descriptor of the store's directory.

        Raises:
            IndexUnusableError: There can be none just now.
        """
        self._prepare(directory)
        with self.file.connection(directory) as connection:
            connection.execute("BEGIN")
            try:
                yield connection
            finally:
                connection.execute("ROLLBACK")

    def prepare(self, directory: int) -> bool:
        """See to it that there is an index that is true; return False if there can be none just now."""
        return self._is_prepared(directory, to_read=True)

    def prepare_to_write(self, directory: int) -> bool:
        """See to it that there is an index for a write; return False if there can be none just now.

        An edit by hand that no list or sweep has seen yet is not looked for: a write changes one record only.
        """
        return self._is_prepared(directory, to_read=False)

    def sweep(self, directory: int) -> int:
        """Compare all rows with the files, and mend what differs; return how many did.

        Raises:
            IndexUnusableError: There is no index.
            StorageError: The store cannot be read or locked.
        """
        began = time.monotonic()
        with self.file.connection(directory) as connection:
            take_in_pending(connection)
            changed = differences(connection, directory)
        done = 0
        while batch := changed[done : done + BATCH]:
            with self._lock.hold(directory):
                self.notes.refresh(directory, batch)
            done += len(batch)
            self._tell(done, len(changed))
        with self.file.connection(directory) as connection:
            connection.execute("UPDATE meta SET swept_at = ?, boot = ?", (began, self._boot))
        return len(changed)

    def count_stale(self, directory: int) -> int:
        """Return how many files are not as the index has them.

        Raises:
            IndexUnusableError: There is no index.
            StorageError: The store cannot be read.
        """
        with self.file.connection(directory) as connection:
            take_in_pending(connection)
            return len(differences(connection, directory))

    def rebuild(self, directory: int) -> int:
        """Make the index anew, and return how many records it has.

        Raises:
            IndexUnusableError: There can be none here.
            StorageError: The store cannot be read or locked.
        """
        with self._build_lock.hold(directory):
            return self._build(directory)

    def renew(self, directory: int) -> bool:
        """Make an index anew that was found to be damaged; return False if that cannot be done now."""
        try:
            self.rebuild(directory)
        except (IndexUnusableError, StorageError, OSError):
            self.file.rest()
            return False
        return True

    def sweep_if_due(self, directory: int, after: float = SWEEP_EVERY) -> None:
        """Sweep, unless this or another process did so a short time ago or is at it.

        Args:
            directory: The descriptor of the store's directory.
            after: Seconds since the last sweep.

        Raises:
            IndexUnusableError: There is no index.
            StorageError: The store cannot be read or locked.
        """
        self._prepare(directory)
        with self._build_lock.hold_if_free(directory) as held:
            if held and self._age(directory) > after:
                self.sweep(directory)

    @property
    def is_watched_over(self) -> bool:
        """Whether this process sweeps, and has not given the index up for now."""
        return self.has_sweeper and not self.file.rests

    def is_large(self, connection: sqlite3.Connection) -> bool:
        """Tell whether the store has so many records that their files are not looked at before each answer."""
        [few] = connection.execute(_COUNT_FEW, (LOOKED_AT_ALWAYS + 1,)).fetchone()
        return int(few) > LOOKED_AT_ALWAYS

    def _is_prepared(self, directory: int, *, to_read: bool) -> bool:
        try:
            self._prepare(directory, to_read=to_read)
        except IndexUnusableError:
            return False
        return True

    def _prepare(self, directory: int, *, to_read: bool = True) -> None:
        if self.file.rests or self._is_on_shared_disk():
            raise IndexUnusableError(damaged=False)
        try:
            is_true = self._look(directory, to_read=to_read)
        except OSError:
            raise IndexUnusableError(damaged=False) from None
        except IndexUnusableError as error:
            if not error.damaged:
                raise
            is_true = False
        if not is_true:
            self._make_true(directory)

    def _look(self, directory: int, *, to_read: bool = True) -> bool:
        """Mend what is seen at a glance not to be true; return False if all has to be looked through."""
        with self.file.connection(directory) as connection:
            found = connection.execute("SELECT boot, swept_at FROM meta").fetchone()
            if found is None:
                raise IndexUnusableError(damaged=True)
            age = self._age_of(*found)
            if age == float("inf") or (age > SWEEP_EVERY + _SWEEPER_WAITS and not self.has_sweeper):
                return False
            if not to_read:
                return True
            self._take_in(connection)
            noted = noted_in(connection)
            is_large = self.is_large(connection)
        if not is_large:
            noted += self._seen_changed(directory)
        if noted:
            self._mend(directory, noted)
        return True

    def _take_in(self, connection: sqlite3.Connection) -> None:
        """Take in what waits. If somebody else keeps the index locked, each list would wait in vain: only one does."""
        try:
            take_in_pending(connection)
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY:
                self.file.rest()
            raise

    def _make_true(self, directory: int) -> None:
        """Sweep, or make the index anew, unless somebody else did so while this thread waited for its turn."""
        try:
            with self._build_lock.hold(directory):
                try:
                    if not self._look(directory):
                        self.sweep(directory)
                except IndexUnusableError as error:
                    if not error.damaged:
                        raise
                    self._build(directory)
        except (IndexUnusableError, StorageError, OSError):
            self.file.rest()
            raise IndexUnusableError(damaged=False) from None

    def _seen_changed(self, directory: int) -> list[str]:
        """Look at the files of a small store, and return the ids of those that are not as in the index."""
        found = frozenset(islice(scan(directory), 4 * LOOKED_AT_ALWAYS))
        mark = self.file.identity(directory), hash(found)
        if self._looked_at == mark:
            return []
        with self.file.connection(directory) as connection:
            changed = differences(connection, directory)
        self._looked_at = None if changed else mark
        return changed

    def _mend(self, directory: int, record_ids: Sequence[str]) -> None:
        """Read records anew, if nobody writes just now; who writes takes up the own record, and is not waited for."""
        with self._lock.hold_if_free(directory) as held:
            if held:
                self.notes.refresh(directory, record_ids)

    def _build(self, directory: int) -> int:
        return make_anew(self.file, self._path, directory, self._lock, boot=self._boot, tell=self._tell)

    def _age(self, directory: int) -> float:
        with self.file.connection(directory) as connection:
            return self._age_of(*connection.execute("SELECT boot, swept_at FROM meta").fetchone())

    def _age_of(self, boot: str, swept_at: float) -> float:
        """Return how many seconds ago a sweep was; one before the machine was started does not count."""
        age = time.monotonic() - swept_at
        return age if boot == self._boot and age >= 0 else float("inf")

    def _tell(self, done: int, total: int) -> None:
        if self.watch is not None and total > BATCH:
            self.watch(done, total)

    def _is_on_shared_disk(self) -> bool:
        if self._is_shared is None:
            self._is_shared = is_shared(self._path)
        return self._is_shared
