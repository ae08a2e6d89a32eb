"""`DataSourceValidationService`: runs the checks of a data source, and always answers by the deadline."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Callable

from wellhead.guard.egress import EgressPolicy
from wellhead.guard.files import FileGuard
from wellhead.model.families import APIDataSource, DatabaseDataSource, FileDataSource
from wellhead.model.result import Check, ValidationResult
from wellhead.model.source import DataSourceConfig
from wellhead.secrets.references import References
from wellhead.validation.run import KnownType, Run, Unlock, resolve_references

__all__ = ["DataSourceValidationService", "Event", "KnownType", "Unlock"]

_GRACE = 0.1

Event = Check | ValidationResult


class DataSourceValidationService:
    """Validates data sources."""

    def __init__(
        self,
        describe: Callable[[str], KnownType],
        *,
        files: FileGuard,
        policy: EgressPolicy,
        references: References,
        timeout: float = 10.0,
    ) -> None:
        """Validate data sources.

        Args:
            describe: Returns what is known of a type, or raises `UnknownTypeError`.
            files: Opens files.
            policy: What may be dialled.
            references: Looks references up.
            timeout: Seconds that a validation may take, if it does not say otherwise.
        """
        self._describe = describe
        self._files = files
        self._policy = policy
        self._references = references
        self._timeout = timeout

    async def validate(
        self, config: DataSourceConfig, *, timeout: float | None = None, unlock: Unlock | None = None
    ) -> ValidationResult:
        """Run all checks of a data source.

        Args:
            config: The configuration, with its secrets in clear or as references.
            timeout: Seconds that it may take.
            unlock: Returns the configuration with its stored secrets in clear, where `config` has them sealed.

        Returns:
            The result, whatever the target does.

        Raises:
            UnknownTypeError: Its type is not registered.
        """
        async with contextlib.aclosing(self.stream(config, timeout=timeout, unlock=unlock)) as events:
            async for event in events:
                if isinstance(event, ValidationResult):
                    return event
        raise RuntimeError("a validation always ends with its result")

    async def validate_database_connection(
        self, config: DatabaseDataSource, *, timeout: float | None = None
    ) -> ValidationResult:
        """Run all checks of a database.

        Raises:
            TypeError: It is of another family.
        """
        return await self._validate_family(config, DatabaseDataSource, timeout)

    async def validate_file_access(self, config: FileDataSource, *, timeout: float | None = None) -> ValidationResult:
        """Run all checks of a file.

        Raises:
            TypeError: It is of another family.
        """
        return await self._validate_family(config, FileDataSource, timeout)

    async def validate_api_endpoint(self, config: APIDataSource, *, timeout: float | None = None) -> ValidationResult:
        """Run all checks of a web API.

        Raises:
            TypeError: It is of another family.
        """
        return await self._validate_family(config, APIDataSource, timeout)

    def resolve(self, config: DataSourceConfig) -> DataSourceConfig:
        """Return a configuration with the values that its references point to.

        Raises:
            SecretUnavailableError: One does not resolve.
        """
        return resolve_references(self._describe(config.type).shape, config, self._references)

    async def _validate_family(
        self, config: DataSourceConfig, family: type[DataSourceConfig], timeout: float | None
    ) -> ValidationResult:
        if not isinstance(config, family):
            raise TypeError(f"a {family.__name__} is needed, not a {type(config).__name__}")
        return await self.validate(config, timeout=timeout)

    async def stream(
        self, config: DataSourceConfig, *, timeout: float | None = None, unlock: Unlock | None = None
    ) -> AsyncGenerator[Event, None]:
        """Run all checks of a data source, as `validate` does, and yield each as it ends; last, the result."""
        seconds = self._timeout if timeout is None else timeout
        run = Run(self._describe(config.type), config, self._files, self._policy, seconds)
        task = run.start(unlock or _already(config), self._references)
        try:
            while (check := await run.next_check()) is not None:
                yield check
            yield run.result()
        finally:
            run.close()
            task.cancel()
            await asyncio.wait({task}, timeout=_GRACE)  # one that swallows its cancellation is not waited for


def _already(config: DataSourceConfig) -> Unlock:
    async def unlock() -> DataSourceConfig:
        return config

    return unlock
