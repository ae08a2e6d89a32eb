"""The types as the page shows them, asked for once for each set of types."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from wellhead.ui.asking import Operations
from wellhead.ui.visits import Visit


@dataclass(frozen=True)
class Types:
    """What is installed.

    Attributes:
        items: Every type and every plugin that is broken, as the API lists them.
        hint: What to do where there is none.
    """

    items: tuple[Mapping[str, Any], ...]
    hint: str | None = None

    @cached_property
    def ready(self) -> Mapping[str, Mapping[str, Any]]:
        """The types that can be used, by their names."""
        return {item["name"]: item for item in self.items if item["state"] == "ready"}

    def title(self, name: str | None) -> str:
        """Return the title of a type, whether it is there or not."""
        found = self.ready.get(name or "")
        return str(found["title"]) if found is not None else name or "unknown"

    def icon(self, name: str | None) -> str | None:
        """Return the icon of a type; None if it has none."""
        found = self.ready.get(name or "")
        return None if found is None else found["icon"]


class KnownTypes:
    """Asks for the types when they are first needed. With other plugins there is another one of this."""

    def __init__(self, operations: Operations) -> None:
        self._operations = operations
        self._found: Types | None = None

    async def of(self, visit: Visit) -> Types:
        """Return the types.

        Raises:
            RefusedError: They cannot be read.
        """
        if self._found is None:
            document = await self._operations.read(visit, "/datasources/types")
            self._found = Types(tuple(document["items"]), document.get("hint"))
        return self._found
