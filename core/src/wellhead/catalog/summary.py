"""How many data sources there are, by type, state and health."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

from wellhead.storage.selection import Group
from wellhead.storage.stored import StoredDataSource


@dataclass(frozen=True, slots=True)
class Summary:
    """How many data sources there are.

    Attributes:
        counts: How many of each type, state and health.
    """

    counts: Counter[Group]

    def as_document(self) -> dict[str, Any]:
        """Return it as the API shows it, sorted; without what there is none of."""
        items = sorted(self.counts.items(), key=lambda item: (item[0].type or "", *item[0][1:]))
        return {
            "total": self.counts.total(),
            "items": [{**group._asdict(), "count": count} for group, count in items],
        }


def group_of(item: StoredDataSource) -> Group:
    """Return what a data source is counted with."""
    return Group(item.type, item.state, str((item.health or {}).get("status", "none")))
