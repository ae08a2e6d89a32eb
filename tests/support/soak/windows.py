"""When which fault is on, and what it excuses: a 5xx or a broken connection at another time breaks an invariant."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

SETTLING = 2.0
"""Seconds after the end of a fault for which it excuses what it does."""


@dataclass(frozen=True, slots=True)
class Excuses:
    """What a fault may do to requests.

    Attributes:
        codes: The codes of problems by their statuses, each of 500 or more.
        workspace: The only workspace where they may come; any, if None.
        breaks: Whether connections may break.
        spoils: Whether validations may end otherwise than their targets say.
    """

    codes: Mapping[int, frozenset[str]] = field(default_factory=dict)
    workspace: str | None = None
    breaks: bool = False
    spoils: bool = False


@dataclass(slots=True)
class _Window:
    excuses: Excuses
    began: float
    ended: float = math.inf


class Windows:
    """The faults that were on."""

    def __init__(self) -> None:
        self._windows: list[_Window] = []

    @contextmanager
    def opened(self, excuses: Excuses) -> Iterator[None]:
        """Say that a fault is on."""
        window = _Window(excuses, time.monotonic())
        self._windows.append(window)
        try:
            yield
        finally:
            window.ended = time.monotonic() + SETTLING

    def are_open_since(self, began: float) -> list[Excuses]:
        """Return what is excused of a request that began at a moment and ends now."""
        return [window.excuses for window in self._windows if window.ended >= began]

    def excuse_status(self, status: int, code: str, workspace: str | None, began: float) -> bool:
        """Tell whether a fault excuses an answer."""
        return any(
            code in excuses.codes.get(status, ()) and excuses.workspace in {None, workspace}
            for excuses in self.are_open_since(began)
        )

    def excuse_break(self, began: float) -> bool:
        """Tell whether a fault excuses a broken connection."""
        return any(excuses.breaks for excuses in self.are_open_since(began))

    def excuse_verdict(self, began: float) -> bool:
        """Tell whether a fault excuses a validation that says something else than its target."""
        return any(excuses.spoils for excuses in self.are_open_since(began))
