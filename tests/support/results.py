"""Results of validations, as the store keeps them."""

from __future__ import annotations

from typing import Any

from wellhead import clock
from wellhead.model.result import Check, ValidationResult

WHEN = "2026-11-23T08:15:00.120Z"
_CHECKS = (
    Check("connect", "passed", duration_ms=0.5),
    Check("tls", "warning", "certificate_expires", "It expires soon.", "Renew it.", ("/host",), 0.25),
    Check("authenticate", "failed", "auth_failed", "It was refused.", None, ("/username", "/password"), 0.75),
)


def result(**changes: Any) -> dict[str, Any]:
    """Return a result that passed, as a validation answers it."""
    return ValidationResult("passed", (), clock.from_text(WHEN), 1.5).as_document() | changes


def failed_result(**changes: Any) -> dict[str, Any]:
    """Return a result in which something was found of each kind, as a validation answers it."""
    details = {"version": "17.2", "tables": ["a", "b"]}
    found = ValidationResult("failed", _CHECKS, clock.from_text(WHEN), 1.5, details)
    return found.as_document() | changes


def summary(**changes: Any) -> dict[str, Any]:
    """Return the line that sums up a result."""
    return {"status": "passed", "checked_at": WHEN, "revision": 1, "duration_ms": 1.5} | changes
