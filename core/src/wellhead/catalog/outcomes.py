"""What comes of validating many data sources."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from wellhead.model.result import ValidationResult

GOOD = frozenset(("passed", "warning"))
"""The statuses of data sources that work."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of validating one of many data sources.

    Attributes:
        id: Its id.
        name: Its name; None where that cannot be read.
        state: Its state.
        result: The result; None where its state does not allow a validation.
    """

    id: str
    name: str | None
    state: str
    result: ValidationResult | None

    @property
    def status(self) -> str:
        """The status of the result, or else the state."""
        return self.state if self.result is None else self.result.status

    def as_document(self) -> dict[str, Any]:
        """Return the outcome as the API shows it; without a result, the state says why."""
        document: dict[str, Any] = {"id": self.id, "name": self.name}
        if self.result is None:
            return document | {"result": None, "state": self.state}
        return document | {"result": self.result.as_document()}


def totals_of(statuses: Iterable[str]) -> dict[str, int]:
    """Count how often each status came."""
    return dict(sorted(Counter(statuses).items()))
