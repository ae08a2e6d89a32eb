"""What a soak has found."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from statistics import quantiles
from typing import Any

_SHOWN = 40


@dataclass(slots=True)
class Report:
    """Gathers what a soak finds.

    Attributes:
        statuses: How often each status was answered; 0 stands for no answer.
        operations: How often each action of the load was done.
        fired: What proves each firing of each fault.
        skipped: Why a fault cannot be brought about on this machine.
        violations: How often each invariant was broken.
    """

    statuses: Counter[int] = field(default_factory=Counter)
    operations: Counter[str] = field(default_factory=Counter)
    fired: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    skipped: dict[str, str] = field(default_factory=dict)
    violations: Counter[str] = field(default_factory=Counter)
    examples: list[str] = field(default_factory=list)
    quiet_ms: list[float] = field(default_factory=list)
    all_ms: list[float] = field(default_factory=list)
    facts: dict[str, Any] = field(default_factory=dict)

    def broke(self, invariant: str, what: str) -> None:
        """Say that an invariant was broken, and how; without secrets."""
        self.violations[invariant] += 1
        if len(self.examples) < _SHOWN:
            self.examples.append(f"{invariant}: {what}")

    def answered(self, status: int, seconds: float, *, quiet: bool) -> None:
        """Count an answer, which came while no fault was on if it is quiet."""
        self.statuses[status] += 1
        self.all_ms.append(seconds * 1000)
        if quiet:
            self.quiet_ms.append(seconds * 1000)

    def as_document(self) -> dict[str, Any]:
        """Return all of it, as JSON has it."""
        return {
            "violations": dict(self.violations),
            "examples": self.examples,
            "requests": len(self.all_ms),
            "statuses": {str(status): count for status, count in sorted(self.statuses.items())},
            "operations": dict(sorted(self.operations.items())),
            "ms": {"quiet": _percentiles(self.quiet_ms), "all": _percentiles(self.all_ms)},
            "faults": {name: {"fired": len(proofs), "proof": proofs[-1]} for name, proofs in self.fired.items()},
            "skipped": self.skipped,
            **self.facts,
        }


def _percentiles(times: list[float]) -> dict[str, float]:
    if len(times) < 2:
        return {}
    cuts = quantiles(times, n=100, method="inclusive")
    return {"p50": round(cuts[49], 1), "p99": round(cuts[98], 1), "max": round(max(times), 1)}
