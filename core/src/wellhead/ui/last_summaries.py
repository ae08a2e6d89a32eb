"""The counts of data sources as they were last, so that a list need not wait for them to be counted anew."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

from wellhead.ui.asking import Operations, Query
from wellhead.ui.visits import Visit

Document = Mapping[str, Any]
_KEPT = 256


class LastSummaries:
    """Asks for the counts of a workspace, and remembers them; without filters, as who reads one may read the other."""

    def __init__(self, operations: Operations) -> None:
        self._operations = operations
        self._last: OrderedDict[str, Document] = OrderedDict()

    def last(self, visit: Visit) -> Document | None:
        """Return the counts of the workspace as they were last; None if nobody has asked for them."""
        return self._last.get(visit.principal.workspace)

    async def now(self, visit: Visit, query: Query = ()) -> Document:
        """Return the counts of the workspace.

        Raises:
            RefusedError: They cannot be read.
        """
        query = list(query)
        found = await self._operations.read(visit, "/datasources/summary", query=query)
        if not query:
            self._last[visit.principal.workspace] = found
            self._last.move_to_end(visit.principal.workspace)
            while len(self._last) > _KEPT:
                self._last.popitem(last=False)
        return found
