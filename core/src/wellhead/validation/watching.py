"""Who is told when a validation has ended: what counts validations, and what traces them."""

from __future__ import annotations

from collections.abc import Callable

from wellhead.validation.run import Run

Watcher = Callable[[Run], None]
"""Is told of a validation that somebody waited for to its end."""


class Watchers:
    """Those who are told; they may come after the first validation."""

    def __init__(self) -> None:
        self._watchers: list[Watcher] = []

    def add(self, watcher: Watcher) -> None:
        """Tell one more from now on."""
        self._watchers.append(watcher)

    def ended(self, run: Run) -> None:
        """Tell all that a validation has ended."""
        for watcher in self._watchers:
            watcher(run)
