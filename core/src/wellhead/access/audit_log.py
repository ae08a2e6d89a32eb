"""Writing the audit log beside the work: entries wait in a queue that one thread writes to disk, many at once.

An entry that somebody waits for is on disk when the wait is over. All others are on disk soon after, and when the log
is closed. Where the queue is full, who adds an entry waits for room: none is dropped.
"""

from __future__ import annotations

import queue
import threading
from concurrent.futures import Future
from contextlib import suppress

import structlog

from wellhead.access.audit_entry import Entry
from wellhead.access.audit_file import AuditFile
from wellhead.errors import AuditUnavailableError

_WAITING = 10_000
_AT_ONCE = 500

_Written = Future[None]


class AuditLog:
    """The audit log of one process."""

    def __init__(self, file: AuditFile, *, waiting: int = _WAITING) -> None:
        """Write to a file.

        Args:
            file: The file.
            waiting: How many entries may wait to be written.
        """
        self.file = file
        self.lost = 0
        """How many entries could not be written."""
        self._queue: queue.Queue[tuple[Entry, _Written] | None] = queue.Queue(waiting)
        self._thread: threading.Thread | None = None
        self._turn = threading.Lock()
        self._is_failing = False
        self._log = structlog.get_logger("wellhead.access")

    @property
    def is_full(self) -> bool:
        """Whether `add` would wait for room."""
        return self._queue.full()

    def add(self, entry: Entry) -> _Written:
        """Take an entry in, and return what is done when it is on disk.

        That fails with `AuditUnavailableError` where it could not be written.
        """
        written: _Written = Future()
        written.set_running_or_notify_cancel()  # whoever stops waiting does not cancel it: it is written all the same
        with self._turn:
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="wellhead-audit", daemon=True)
                self._thread.start()
            self._queue.put((entry, written))
        return written

    def close(self) -> None:
        """Return when all entries are on disk. More may be added afterwards."""
        with self._turn:
            thread, self._thread = self._thread, None
            if thread is not None:
                self._queue.put(None)
                thread.join()
            self.file.close()

    def _work(self) -> None:
        """Write entries until the end is told."""
        while (first := self._queue.get()) is not None:
            batch, is_end = [first], False
            while len(batch) < _AT_ONCE and not is_end:
                try:
                    item = self._queue.get_nowait()
                except queue.Empty:
                    break
                if item is None:
                    is_end = True
                else:
                    batch.append(item)
            self._write(batch)
            if is_end:
                return

    def _write(self, batch: list[tuple[Entry, _Written]]) -> None:
        """Write entries, and tell those who wait for them before anybody else: they must not wait for ever."""
        try:
            self.file.append(b"".join(entry.encode() for entry, _ in batch))
        except OSError as error:
            self.lost += len(batch)
            problem = AuditUnavailableError(f"The audit log {self.file.path} cannot be written: {error.strerror}.")
            for _, written in batch:
                written.set_exception(problem)
            self._tell(error)
        else:
            for _, written in batch:
                written.set_result(None)
            self._tell(None)

    def _tell(self, trouble: OSError | None) -> None:
        """Log when writing begins to fail, and when it works again."""
        was_failing, self._is_failing = self._is_failing, trouble is not None
        with suppress(OSError, ValueError):  # the service's log may be closed, which is not to end this thread
            if trouble is not None and not was_failing:
                self._log.error("audit_unwritable", path=str(self.file.path), reason=trouble.strerror)
            elif trouble is None and was_failing:
                self._log.warning("audit_writable_again", lost=self.lost)
