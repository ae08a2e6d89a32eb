"""The counts of data sources as they were last, so that a list need not wait for them to be counted anew."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any
from weakref import WeakValueDictionary

from wellhead.ui.asking import Operations
from wellhead.ui.visits import Visit

Document = Mapping[str, Any]
_KEPT = 256


class LastSummaries:
    """Asks for the counts of a workspace, and remembers them: who reads it may know how many there were."""

    def __init__(self, operations: Operations) -> None:
        self._operations = operations
        self._last: OrderedDict[str, Document] = OrderedDict()
        self._asked: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    def last(self, visit: Visit) -> Document | None:
        """Return the counts of the workspace as they were last; None if nobody has asked for them."""
        return self._last.get(visit.principal.workspace)

    async def now(self, visit: Visit) -> Document:
        """Return the counts of the workspace.

        Who comes while they are counted gets what comes of that: the first count of very many takes its time.

        Raises:
            RefusedError: They cannot be read.
        """
        workspace, before = visit.principal.workspace, self.last(visit)
        lock = self._asked.setdefault(workspace, asyncio.Lock())
        waits = lock.locked()
        async with lock:
            found = self.last(visit)
            if not waits or found is None or found is before:
                found = await self._operations.read(visit, "/datasources/summary")
                self._keep(workspace, found)
            return found

    def _keep(self, workspace: str, found: Document) -> None:
        self._last[workspace] = found
        self._last.move_to_end(workspace)
        while len(self._last) > _KEPT:
            self._last.popitem(last=False)
