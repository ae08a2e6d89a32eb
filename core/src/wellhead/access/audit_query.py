"""Reading the audit log: filters, and pages from the newest entry on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from wellhead import clock
from wellhead.access.audit_entry import read_line
from wellhead.access.audit_file import AuditFile
from wellhead.model.texts import name_key

DEFAULT_LIMIT = 50
MAX_LIMIT = 200

AuditEntry = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class AuditQuery:
    """Which entries are wanted; None is no condition.

    Attributes:
        workspace: Those of one workspace.
        user: Those of one user.
        operation: Those of one operation.
        data_source: Those of one data source, by its id or by the name that it had then.
        since: Those of this instant, or later.
        until: Those of this instant, or earlier.
        limit: How many at most; None for all.
        before: Those that are older than the entry of this id.
    """

    workspace: str | None = None
    user: str | None = None
    operation: str | None = None
    data_source: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    limit: int | None = DEFAULT_LIMIT
    before: str | None = None

    def fits(self, entry: AuditEntry) -> bool:
        """Tell whether an entry is wanted."""
        exact = (("workspace", self.workspace), ("user", self.user), ("operation", self.operation))
        return (
            all(wanted is None or entry[name] == wanted for name, wanted in exact)
            and self._is_of_source(entry)
            and self._is_of_time(entry)
        )

    def _is_of_source(self, entry: AuditEntry) -> bool:
        if self.data_source is None or entry.get("id") == self.data_source:
            return True
        name = entry.get("name")
        return isinstance(name, str) and name_key(name) == name_key(self.data_source)

    def _is_of_time(self, entry: AuditEntry) -> bool:
        if self.since is None and self.until is None:
            return True
        try:
            at = clock.from_text(entry["at"])
        except ValueError:
            return False
        return (self.since is None or at >= self.since) and (self.until is None or at <= self.until)


@dataclass(frozen=True, slots=True)
class AuditPage:
    """Entries, newest first.

    Attributes:
        items: The entries.
        next: The id of the last one, if there are older ones; else None.
    """

    items: list[AuditEntry]
    next: str | None

    def as_document(self) -> dict[str, Any]:
        """Return the page as the API answers it, without a cursor: whoever gets this asks for as much as they want."""
        return {"items": self.items, "next": None}


def read_page(file: AuditFile, query: AuditQuery) -> AuditPage:
    """Return the newest entries that are wanted.

    Raises:
        OSError: The log cannot be read.
    """
    found: list[AuditEntry] = []
    is_reached = query.before is None
    with file.newest_first() as lines:
        for line in lines:
            entry = read_line(line)
            if entry is None:
                continue
            if not is_reached:
                is_reached = entry["entry"] == query.before
            elif query.fits(entry):
                if query.limit is not None and len(found) == query.limit:
                    return AuditPage(found, found[-1]["entry"])
                found.append(entry)
    return AuditPage(found, None)
