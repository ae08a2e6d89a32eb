"""The outcome of a validation: named checks, each with a status, a code and what to do."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from wellhead.clock import to_text

CheckStatus = Literal["passed", "warning", "failed", "timeout", "skipped"]
ValidationStatus = Literal["passed", "warning", "failed", "timeout", "not_supported", "error"]


@dataclass(frozen=True, slots=True)
class Check:
    """One named step of a validation.

    Attributes:
        name: The step, such as `authenticate`.
        status: How it ended.
        code: The stable code; None if it passed.
        message: What happened, in one sentence; None if it passed.
        hint: What to do about it.
        fields: JSON Pointers of the fields to look at.
        duration_ms: How long it took, in milliseconds.
    """

    name: str
    status: CheckStatus
    code: str | None = None
    message: str | None = None
    hint: str | None = None
    fields: tuple[str, ...] = ()
    duration_ms: float = 0.0

    def as_document(self) -> dict[str, Any]:
        """Return the check as the API shows it."""
        return {
            "name": self.name,
            "status": self.status,
            "code": self.code,
            "message": self.message,
            "hint": self.hint,
            "fields": list(self.fields),
            "duration_ms": round(self.duration_ms, 1),
        }

    def as_finding(self) -> dict[str, Any]:
        """Return the short form that the result's `errors` and `warnings` have."""
        return {"code": self.code, "message": self.message, "check": self.name, "fields": list(self.fields)}


@dataclass(frozen=True, slots=True)
class ValidationResult:
    """What a validation found out.

    Attributes:
        status: `passed`; `warning`: it works, but see the warnings; `failed`: a check failed; `timeout`: the time
            was over; `not_supported`: the type has no validator; `error`: the plugin or the service has a defect.
        checks: The steps, in the order in which they ended.
        details: Facts that were found on the way, such as the server's version.
        started_at: When it began, in UTC.
        duration_ms: How long it took, in milliseconds.
    """

    status: ValidationStatus
    checks: tuple[Check, ...]
    started_at: datetime
    duration_ms: float
    details: dict[str, Any] = field(default_factory=dict)

    @property
    def success(self) -> bool:
        """True where the data source works: `passed` or `warning`."""
        return self.status in {"passed", "warning"}

    @property
    def errors(self) -> tuple[Check, ...]:
        """The checks that failed or ran out of time."""
        return tuple(check for check in self.checks if check.status in {"failed", "timeout"})

    @property
    def warnings(self) -> tuple[Check, ...]:
        """The checks that passed with a warning."""
        return tuple(check for check in self.checks if check.status == "warning")

    def as_document(self) -> dict[str, Any]:
        """Return the result as the API shows it."""
        return {
            "success": self.success,
            "status": self.status,
            "checks": [check.as_document() for check in self.checks],
            "errors": [check.as_finding() for check in self.errors],
            "warnings": [check.as_finding() for check in self.warnings],
            "details": self.details,
            "started_at": to_text(self.started_at),
            "duration_ms": round(self.duration_ms, 1),
        }
