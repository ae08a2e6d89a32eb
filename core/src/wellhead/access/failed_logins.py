"""Failed logins in the audit log: counted by address and written once a minute, so that a flood is one entry."""

from __future__ import annotations

import asyncio
from collections import Counter

from wellhead.access.audit_entry import Entry
from wellhead.access.audit_log import AuditLog
from wellhead.access.limits import origin_of

PERIOD = 60.0
"""Seconds in which they are counted."""

_ADDRESSES = 20
"""Of how many addresses there is an entry of their own; those of all others are counted together."""


class FailedLogins:
    """Counts the tokens that were nobody's. What a process has counted is written at its end, too."""

    def __init__(self, log: AuditLog, workspace: str) -> None:
        """Count for a log.

        Args:
            log: Where entries are written.
            workspace: The one workspace of local mode; else empty, since a token that is nobody's has none.
        """
        self._log = log
        self._workspace = workspace
        self._counts: Counter[str | None] = Counter()
        self._timer: asyncio.TimerHandle | None = None

    def count(self, address: str | None) -> None:
        """Count one from an address; of an IPv6 address, from its network."""
        origin = origin_of(address) or None
        self._counts[origin if origin in self._counts or len(self._counts) < _ADDRESSES else None] += 1
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(PERIOD, self._write_if_there_is_room)

    def write(self) -> None:
        """Write what was counted; wait for room, if there is none."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        counts, self._counts = self._counts, Counter()
        for origin, count in counts.items():
            self._log.add(_entry(self._workspace, origin, count))

    def _write_if_there_is_room(self) -> None:
        if self._log.is_full:
            self._timer = asyncio.get_running_loop().call_later(PERIOD, self._write_if_there_is_room)
        else:
            self.write()


def _entry(workspace: str, origin: str | None, count: int) -> Entry:
    return Entry(
        user="",
        workspace=workspace,
        operation="login",
        outcome="refused",
        status=401,
        code="unauthorized",
        address=origin,
        count=count,
    )
