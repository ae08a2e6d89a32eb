"""Running a type's validator in a test, as the service runs it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from wellhead import DataSourceConfig, DataSourceType, DataSourceTypeRegistry, DataSourceValidationService
from wellhead.guard.egress import EgressPolicy
from wellhead.guard.files import FileGuard
from wellhead.model.result import Check, ValidationResult
from wellhead.plugins.registry import describe
from wellhead.secrets.references import References

LOCAL = EgressPolicy((), (), public_only=False)
"""The policy of a service of one user, without rules."""


def service_for(
    *types: DataSourceType,
    files: FileGuard,
    policy: EgressPolicy = LOCAL,
    references: References | None = None,
    timeout: float = 10.0,
) -> DataSourceValidationService:
    """Make a service that knows some types."""
    registry = DataSourceTypeRegistry()
    for one in types:
        registry.add(describe(one))
    references = references or References(environment={})
    return DataSourceValidationService(
        registry.describe, files=files, policy=policy, references=references, timeout=timeout
    )


async def validate(
    one: DataSourceType, config: DataSourceConfig, *, workspace: Path = Path("/tmp"), **keywords: Any
) -> ValidationResult:
    """Validate a configuration of one type."""
    files = FileGuard(workspace)
    try:
        return await service_for(one, files=files, **keywords).validate(config)
    finally:
        files.close()


def outcomes(result: ValidationResult) -> list[tuple[str, str, str | None]]:
    """Return name, status and code of each check that was reached."""
    return [(check.name, check.status, check.code) for check in result.checks if check.status != "skipped"]


def last(result: ValidationResult) -> Check:
    """Return the last check that was reached."""
    return [check for check in result.checks if check.status != "skipped"][-1]
