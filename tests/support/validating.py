"""Running a type's validator in a test, as the service runs it: in a process of its own."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from wellhead import DataSourceConfig, DataSourceType, DataSourceTypeRegistry, DataSourceValidationService
from wellhead.guard.egress import EgressPolicy
from wellhead.guard.files import FileGuard
from wellhead.model.result import Check, ValidationResult
from wellhead.plugins.origin import origin_of
from wellhead.plugins.registry import describe
from wellhead.secrets.references import References
from wellhead.validation.pool import WorkerPool

LOCAL = EgressPolicy((), (), public_only=False)
"""The policy of a service of one user, without rules."""


def pool_for(policy: EgressPolicy = LOCAL, *, workers: int = 64, waiting: int = 1000, memory: int = 512) -> WorkerPool:
    """Make a pool of workers; `memory` in megabytes."""
    rules = {"egress": policy.as_document(), "hidden": [], "memory": memory << 20}
    return WorkerPool(rules=rules, workers=workers, waiting=waiting)


async def started(pool: WorkerPool) -> WorkerPool:
    """Start the process that a pool's workers are forked from, before anybody counts processes."""
    pool.server()
    return pool


SHARED = pool_for()
"""One pool for all tests that need nothing special; a fixture closes it at the end."""


def service_for(
    *types: DataSourceType,
    files: FileGuard,
    references: References | None = None,
    timeout: float = 10.0,
    pool: WorkerPool = SHARED,
) -> DataSourceValidationService:
    """Make a service that knows some types."""
    registry = DataSourceTypeRegistry()
    for one in types:
        registry.add(describe(one))
    return DataSourceValidationService(
        registry.describe,
        locate=lambda name: origin_of(registry.describe(name)),
        pool=pool,
        files=files,
        references=references or References(environment={}),
        timeout=timeout,
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
