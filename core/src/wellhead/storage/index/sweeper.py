"""The thread of a service that sweeps the index now and then."""

from __future__ import annotations

import threading
from collections.abc import Callable

_FIRST = 5.0
_EVERY = 10.0


class Sweeper:
    """Calls a function again and again, until it is stopped."""

    def __init__(self, sweep_if_due: Callable[[], None], *, first: float = _FIRST, every: float = _EVERY) -> None:
        """Start.

        Args:
            sweep_if_due: Sweeps, if that was not done for a while. It raises nothing.
            first: Seconds until the first call, in which the service can start.
            every: Seconds from one call to the next.
        """
        self._sweep_if_due = sweep_if_due
        self._waits = (first, every)
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="wellhead-sweep", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop, after the call that goes on."""
        self._is_over.set()
        self._thread.join()

    def _run(self) -> None:
        first, every = self._waits
        wait = first
        while not self._is_over.wait(wait):
            self._sweep_if_due()
            wait = every
