"""What became of a plugin: its state, and if it is not used, the reason and the remedy."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, get_args

State = Literal["ready", "broken", "conflict", "incompatible", "disabled"]
STATES: tuple[State, ...] = get_args(State)


@dataclass(frozen=True, slots=True)
class PluginReport:
    """What became of one plugin.

    Attributes:
        entry_point: The name of its entry point.
        distribution: The name of its distribution.
        version: The distribution's version.
        state: `ready`, or why it is not.
        types: The names of the types that it provides, or wanted to provide.
        reason: What is wrong with it.
        remedy: What to type.
        load_ms: How long loading took, in milliseconds.
        needs_restart: Whether another version or other code of it is installed than this process has.
    """

    entry_point: str
    distribution: str
    version: str
    state: State = "ready"
    types: tuple[str, ...] = ()
    reason: str | None = None
    remedy: str | None = None
    load_ms: float = 0.0
    needs_restart: bool = False

    @property
    def is_bad(self) -> bool:
        """Whether it is not used, and nobody chose that."""
        return self.state not in {"ready", "disabled"}


class PluginRefusedError(Exception):
    """A plugin is not used: its state, the reason, and the remedy."""

    def __init__(self, state: State, reason: str, remedy: str) -> None:
        super().__init__(reason)
        self.state: State = state
        self.reason = reason
        self.remedy = remedy


def report_it(distribution: str) -> str:
    """Return the remedy for a defect that only the plugin's author can mend."""
    return f"Report it to the author of {distribution}, or remove it: pip uninstall {distribution}"


def count_states(reports: Iterable[PluginReport]) -> dict[str, int]:
    """Count the plugins in each state."""
    counts = Counter(report.state for report in reports)
    return {state: counts[state] for state in STATES}
