"""How long a change is tried again while others save in between: by time, as a count does not say how long it takes."""

from __future__ import annotations

import time
from collections.abc import Callable

SECONDS = 10.0
"""Seconds for which a change is tried again, each time that somebody else saved in between."""
LEAST = 3
"""Times that it is tried at least, however long each takes: a try may have to wait for others, or be a validation."""


class Tries:
    """The tries of one change."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        """Begin the first try."""
        self._monotonic = monotonic
        self._give_up_at = monotonic() + SECONDS
        self._lost = 0

    def are_over(self) -> bool:
        """Count a try that was lost, and tell whether it was the last."""
        self._lost += 1
        return self._lost >= LEAST and self._monotonic() >= self._give_up_at
