"""What the kit finds: findings of one rule, and what became of each rule."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

Status = Literal["passed", "failed", "waived", "skipped", "info"]


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that a rule found.

    Attributes:
        message: What was found where, and what to do, in one line.
        is_defect: False for what is only told, to be looked at.
    """

    message: str
    is_defect: bool = True


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one rule.

    Attributes:
        number: The rule's number.
        name: Its name.
        status: `passed`, `failed`, `waived` (it failed, and the plugin's author says why that is right), `skipped`
            (it could not be checked), or `info` (there is something to look at).
        messages: What was found.
        reason: Why it is waived.
        remedy: What to do, where it failed.
    """

    number: str
    name: str
    status: Status
    messages: tuple[str, ...] = ()
    reason: str | None = None
    remedy: str | None = None

    def as_document(self) -> dict[str, Any]:
        """Return the outcome as JSON."""
        return {
            "rule": self.number,
            "name": self.name,
            "status": self.status,
            "messages": list(self.messages),
            "reason": self.reason,
            "remedy": self.remedy,
        }


@dataclass(frozen=True, slots=True)
class Report:
    """What became of all rules.

    Attributes:
        distribution: The name of the plugin's distribution.
        version: Its version.
        outcomes: One for each rule, in the order of their numbers.
    """

    distribution: str
    version: str
    outcomes: Sequence[Outcome]

    @property
    def is_good(self) -> bool:
        """Whether no rule failed."""
        return all(outcome.status != "failed" for outcome in self.outcomes)

    def as_document(self) -> dict[str, Any]:
        """Return the report as JSON."""
        return {
            "distribution": self.distribution,
            "version": self.version,
            "passed": self.is_good,
            "rules": [outcome.as_document() for outcome in self.outcomes],
        }
