"""The audit of one workspace: who did what to which data source when, from where, and how that went; no values."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Literal

from wellhead.access.audit_entry import Entry
from wellhead.access.audit_log import AuditLog
from wellhead.access.audit_query import AuditPage, AuditQuery, read_page
from wellhead.access.principal import acting_user
from wellhead.errors import AuditUnavailableError, StorageError, WellheadError
from wellhead.storage.noting import Changed

Use = Literal["resolve", "run"]


@dataclass(slots=True)
class Request:
    """A request in progress, whose one entry is written when it is known how it went.

    Attributes:
        request_id: Its id.
        address: Where it came from.
        changed: What it has changed.
    """

    request_id: str
    address: str | None
    changed: Changed | None = None


_REQUEST: ContextVar[Request | None] = ContextVar("wellhead_audited_request", default=None)


@contextmanager
def request_audited(request: Request) -> Iterator[None]:
    """Gather what is changed in this task for a request's entry."""
    before = _REQUEST.set(request)
    try:
        yield
    finally:
        _REQUEST.reset(before)


class Audit:
    """Writes and reads what happens in one workspace."""

    def __init__(self, log: AuditLog, workspace: str, *, is_required: bool) -> None:
        """Audit a workspace.

        Args:
            log: Where entries are written.
            workspace: The workspace's name, in local mode its directory.
            is_required: Whether a change needs an entry on disk before it is made.
        """
        self._log = log
        self._workspace = workspace
        self._is_required = is_required

    @asynccontextmanager
    async def noting(self, change: Changed) -> AsyncIterator[None]:
        """Surround a change: in a request it becomes part of the request's entry, else it gets an entry of its own.

        Raises:
            AuditUnavailableError: Entries are required, and none can be written; the change must not be made.
        """
        request = _REQUEST.get()
        if self._is_required:
            await self._written(self._entry(change, request, outcome="begun"))
        try:
            yield
        except WellheadError as error:
            if request is None:
                await self._kept(self._entry(change, None, **_went(error)))
            raise
        if request is None:
            await self._kept(self._entry(change, None))
        else:
            request.changed = change

    def use(self, operation: Use, source_id: str, name: str | None, revision: int | None) -> None:
        """Write that the secrets of a data source are given out, and return when that is on disk.

        Raises:
            AuditUnavailableError: It could not be written, so the use must not happen.
        """
        entry = self._bare(operation, id=source_id, name=name, revision=revision)
        try:
            self._log.file.append(entry.encode())
        except OSError as error:
            message = f"The audit log {self._log.file.path} cannot be written: {error.strerror}."
            raise AuditUnavailableError(message) from error

    @contextmanager
    def doing(self, operation: str, **facts: Any) -> Iterator[dict[str, Any]]:
        """Surround what a command does; its one entry is on disk afterwards.

        Args:
            operation: What is done.
            **facts: What there is to say of it: members of the entry.

        Yields:
            The facts, for what is known only when it is done.

        Raises:
            AuditUnavailableError: Entries are required, and none can be written; then nothing is done.
        """
        if self._is_required:
            self._log.add(self._bare(operation, outcome="begun", **facts)).result()
        went: dict[str, Any] = {"outcome": "failed", "code": "internal_error"}
        try:
            yield facts
            went = {}
        except WellheadError as error:
            went = _went(error)
            raise
        finally:
            with suppress(AuditUnavailableError):
                self._log.add(self._bare(operation, **facts, **went)).result()

    async def answered(self, entry: Entry, *, wait: bool) -> None:
        """Write how a request went.

        Args:
            entry: What there is to say; `entry` makes it.
            wait: Whether to wait until it is on disk.
        """
        if wait:
            await self._kept(entry)
        else:
            await self._add(entry)

    def entry(self, operation: str, request: Request, **more: Any) -> Entry:
        """Make the entry of a request: of what it has changed, or else of what is given."""
        return self._entry(request.changed, request, operation=operation, **more)

    async def page(self, query: AuditQuery) -> AuditPage:
        """Return the newest entries of this workspace that are wanted.

        Raises:
            AuditUnavailableError: The log cannot be read.
        """
        return await asyncio.to_thread(self.read, query)

    def read(self, query: AuditQuery) -> AuditPage:
        """Return what `page` does, in this thread."""
        try:
            return read_page(self._log.file, query)
        except OSError as error:
            message = f"The audit log {self._log.file.path} cannot be read: {error.strerror}."
            raise AuditUnavailableError(message) from error

    @property
    def workspace(self) -> str:
        """The workspace's name, in local mode its directory."""
        return self._workspace

    def _entry(self, change: Changed | None, request: Request | None, **more: Any) -> Entry:
        facts: dict[str, Any] = {}
        if change is not None:
            facts |= {name: getattr(change, name) for name in ("operation", "id", "name", "revision", "fields")}
        if request is not None:
            facts |= {"request_id": request.request_id, "address": request.address}
        return self._bare(**{**more, **facts})

    def _bare(self, operation: str, **facts: Any) -> Entry:
        return Entry(**{"user": acting_user(), "workspace": self._workspace, "operation": operation, **facts})

    async def _kept(self, entry: Entry) -> None:
        """Wait until an entry is on disk; where that fails, the log says so and counts it, and the work goes on."""
        with suppress(AuditUnavailableError):
            await self._written(entry)

    async def _written(self, entry: Entry) -> None:
        await asyncio.wrap_future(await self._add(entry))

    async def _add(self, entry: Entry) -> Any:
        return await asyncio.to_thread(self._log.add, entry) if self._log.is_full else self._log.add(entry)


def _went(error: WellheadError) -> dict[str, Any]:
    return {"outcome": "failed" if isinstance(error, StorageError) else "refused", "code": error.code}
