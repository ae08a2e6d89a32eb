"""The file of the index: a SQLite database beside the records, its connections, and what is written to it.

It is derived from the records, holds no secret, and may be deleted at any time. Whoever opens it looks first whether
the file that has the name is still the one that was open: another process may have made it anew.
"""

from __future__ import annotations

import os
import secrets
import sqlite3
import stat
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

from wellhead.storage.index.schema import INDEXES, TABLES, VERSION

INDEX_NAME = ".index.sqlite"
_BESIDE = ("-wal", "-shm", "-journal")
_WAIT = 5.0
_REST = 30.0
_IDLE = 4
"""Connections that are kept for the next who ask: as many as a store lists at once. Each may take two megabytes."""
# SQLite's answers that say nothing of the file: it cannot be opened, is locked, may not be written, or has no room.
_PASSING = frozenset((sqlite3.SQLITE_PERM, sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_NOMEM,
                      sqlite3.SQLITE_READONLY, sqlite3.SQLITE_FULL, sqlite3.SQLITE_CANTOPEN))  # fmt: skip


class IndexUnusableError(Exception):
    """There is no index to be used now. `damaged` tells whether making it anew would help."""

    def __init__(self, *, damaged: bool) -> None:
        super().__init__("no index")
        self.damaged = damaged


class IndexFile:
    """The index of one store."""

    def __init__(self, directory: Path) -> None:
        """Use the index in a store's directory, if there is one.

        Args:
            directory: The directory of the store.
        """
        self._path = directory / INDEX_NAME
        self._lock = threading.Lock()
        self._identity: tuple[int, int] | None = None
        self._idle: list[sqlite3.Connection] = []
        self._rests_until = 0.0

    @property
    def rests(self) -> bool:
        """Whether it is done without for now."""
        return time.monotonic() < self._rests_until

    def rest(self) -> None:
        """Do without an index for half a minute."""
        self._rests_until = time.monotonic() + _REST

    @contextmanager
    def connection(self, directory: int) -> Iterator[sqlite3.Connection]:
        """Lend a connection.

        Args:
            directory: The descriptor of the store's directory.

        Raises:
            IndexUnusableError: There is no index, it is damaged, or it cannot be used just now.
        """
        with _translated():
            identity, connection = self._take(directory)
            try:
                yield connection
            except BaseException:
                connection.close()
                raise
            with self._lock:
                if identity == self._identity and len(self._idle) < _IDLE:
                    self._idle.append(connection)
                    return
            connection.close()

    def identity(self, directory: int) -> tuple[int, int] | None:
        """Return what tells the index from one that is made later; None if there is none."""
        try:
            seen = os.stat(INDEX_NAME, dir_fd=directory, follow_symlinks=False)
        except FileNotFoundError:
            return None
        if not stat.S_ISREG(seen.st_mode) or seen.st_uid != os.geteuid():
            raise IndexUnusableError(damaged=True)
        return seen.st_dev, seen.st_ino

    def discard(self, directory: int) -> None:
        """Remove the index. The store's lock must be held.

        Raises:
            OSError: It is there and cannot be removed.
        """
        for name in (INDEX_NAME, *(INDEX_NAME + ending for ending in _BESIDE)):
            with suppress(FileNotFoundError):
                os.unlink(name, dir_fd=directory)

    def put_in_place(self, directory: int, made: str) -> None:
        """Give a finished index its name. The store's lock must be held.

        Args:
            directory: The descriptor of the store's directory.
            made: The name under which it was made.

        Raises:
            OSError: It cannot be renamed.
        """
        self.discard(directory)
        os.rename(made, INDEX_NAME, src_dir_fd=directory, dst_dir_fd=directory)

    def close(self) -> None:
        """Close all idle connections."""
        with self._lock:
            idle, self._idle, self._identity = self._idle, [], None
        for connection in idle:
            connection.close()

    def _take(self, directory: int) -> tuple[tuple[int, int], sqlite3.Connection]:
        identity = self.identity(directory)
        if identity is None:
            raise IndexUnusableError(damaged=True)
        if identity != self._identity:
            self.close()
        with self._lock:
            self._identity = identity
            if self._idle:
                return identity, self._idle.pop()
        connection = _connect(self._path)
        if connection.execute("PRAGMA user_version").fetchone()[0] != VERSION or self.identity(directory) != identity:
            connection.close()
            raise IndexUnusableError(damaged=True)
        return identity, connection


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(
        f"{path.as_uri()}?mode=rw", uri=True, timeout=_WAIT, isolation_level=None, check_same_thread=False
    )
    connection.execute("PRAGMA synchronous = NORMAL")
    return connection


@contextmanager
def making(path: Path) -> Iterator[sqlite3.Connection]:
    """Make a new index under another name; it is finished and on disk afterwards.

    Args:
        path: The file, which must not be there yet.

    Yields:
        A connection in a transaction; `finish` is to be called in it when all rows are in.

    Raises:
        IndexUnusableError: It cannot be made here.
    """
    with _translated():
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600))
        with closing(_connect(path)) as connection:
            for pragma in ("journal_mode = OFF", "synchronous = OFF", "cache_size = -16384", "temp_store = MEMORY"):
                connection.execute(f"PRAGMA {pragma}")
            connection.executescript(TABLES)
            connection.execute("BEGIN")
            yield connection
            connection.execute(f"PRAGMA user_version = {VERSION}")
            connection.execute("PRAGMA journal_mode = WAL")
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


@contextmanager
def finished(path: Path) -> Iterator[sqlite3.Connection]:
    """Open an index that was made, and is not in its place yet.

    Raises:
        IndexUnusableError: It cannot be used.
    """
    with _translated(), closing(_connect(path)) as connection:
        yield connection


def finish(connection: sqlite3.Connection, boot: str) -> None:
    """End the transaction of all rows, and make what finds them."""
    connection.execute("COMMIT")
    connection.executescript(INDEXES)
    # The file may get the number of an index that was removed; what was counted in that one is not to count here.
    connection.execute("INSERT INTO meta VALUES (?, ?, 0)", (secrets.randbits(62), boot))


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """Write in one piece; whoever has counted something before will see that it has to count anew."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("UPDATE meta SET generation = generation + 1")
        connection.execute("COMMIT")
    except BaseException:
        with suppress(sqlite3.Error):
            connection.execute("ROLLBACK")
        raise


@contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        code = getattr(error, "sqlite_errorcode", None)
        raise IndexUnusableError(damaged=code is None or code & 0xFF not in _PASSING) from error
    except UnicodeDecodeError as error:  # the damaged text of a message of SQLite's own
        raise IndexUnusableError(damaged=True) from error
    except OSError as error:
        raise IndexUnusableError(damaged=False) from error
