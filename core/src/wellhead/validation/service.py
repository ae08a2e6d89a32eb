"""`DataSourceValidationService`: runs the checks of a data source, and always answers by the deadline."""

from __future__ import annotations

import asyncio
import inspect
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any, Protocol

from wellhead import clock
from wellhead.codes import CODES
from wellhead.errors import CheckFailedError, SecretUnavailableError
from wellhead.guard.files import FileGuard
from wellhead.model.families import APIDataSource, DatabaseDataSource, FileDataSource
from wellhead.model.pointer import place, to_pointer
from wellhead.model.result import Check, ValidationResult, ValidationStatus
from wellhead.model.secret import Secret
from wellhead.model.shape import Shape
from wellhead.model.source import DataSourceConfig
from wellhead.model.validator import ValidationContext, ValidatorClass
from wellhead.secrets.redaction import Redactor
from wellhead.secrets.references import References, UnresolvedReferenceError
from wellhead.validation.context import MAX_CHECKS, RunContext

_GRACE = 0.1
_SECRET_TEXT = "A stored secret or a reference cannot be used."

Unlock = Callable[[], Awaitable[DataSourceConfig]]
Event = Check | ValidationResult


class KnownType(Protocol):
    """What the service needs to know of a type."""

    @property
    def shape(self) -> Shape:
        """The shape of its model."""
        ...

    @property
    def validator(self) -> ValidatorClass | None:
        """What validates it."""
        ...

    @property
    def errors(self) -> Mapping[str, str]:
        """What its driver's exceptions mean."""
        ...


class DataSourceValidationService:
    """Validates data sources."""

    def __init__(
        self,
        describe: Callable[[str], KnownType],
        *,
        files: FileGuard,
        references: References,
        timeout: float = 10.0,
    ) -> None:
        """Validate data sources.

        Args:
            describe: Returns what is known of a type, or raises `UnknownTypeError`.
            files: Opens files.
            references: Looks references up.
            timeout: Seconds that a validation may take, if it does not say otherwise.
        """
        self._describe = describe
        self._files = files
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
        async for event in self.stream(config, timeout=timeout, unlock=unlock):
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
    ) -> AsyncIterator[Event]:
        """Run all checks of a data source, as `validate` does, and yield each as it ends; last, the result."""
        known = self._describe(config.type)
        run = _Run(known, config, self._files, self._timeout if timeout is None else timeout)
        task = asyncio.create_task(run.work(unlock or _already(config), self._references))
        try:
            while (check := await run.next_check(task)) is not None:
                yield check
            yield run.result()
        finally:
            task.cancel()
            await asyncio.wait({task}, timeout=_GRACE)  # one that swallows its cancellation is not waited for
            run.close()


def _already(config: DataSourceConfig) -> Unlock:
    async def unlock() -> DataSourceConfig:
        return config

    return unlock


class _Run:
    """One validation: its checks as they come, and what became of it."""

    def __init__(self, known: KnownType, config: DataSourceConfig, files: FileGuard, timeout: float) -> None:
        self._known = known
        self._config = config
        self._files = files
        self._started_at = clock.now()
        self._started = time.monotonic()
        self._deadline = self._started + timeout
        self._queue: asyncio.Queue[Check] = asyncio.Queue()
        self._loop = asyncio.get_running_loop()
        self._thread = threading.get_ident()
        self._checks: list[Check] = []
        self._context: RunContext | None = None
        self._over = False
        self._status: ValidationStatus | None = None

    async def next_check(self, task: asyncio.Task[None]) -> Check | None:
        """Return the next check that ended; None when the run is over, by itself or by its deadline."""
        while self._queue.empty() and not task.done():
            left = self._deadline - time.monotonic()
            if left <= 0:
                self._expire()
                break
            getter = asyncio.ensure_future(self._queue.get())
            await asyncio.wait({getter, task}, timeout=left, return_when=asyncio.FIRST_COMPLETED)
            if getter.done():
                return getter.result()
            getter.cancel()
        return None if self._queue.empty() else self._queue.get_nowait()

    async def work(self, unlock: Unlock, references: References) -> None:
        """Open the secrets, then run the validator; whatever it raises becomes part of the result."""
        try:
            config = await self._unlock(unlock, references)
            if self._known.validator is None:
                self._status = "not_supported"
            else:
                await self._run_validator(self._known.validator, config)
        except CheckFailedError:
            return
        except Exception:  # noqa: BLE001  # the line where a plugin is called; its text may hold a secret
            self._plugin_failed()
        except (SystemExit, KeyboardInterrupt):  # a plugin that wants to end the service
            self._plugin_failed()

    def result(self) -> ValidationResult:
        """Return what was found."""
        self._over = True
        names = {check.name for check in self._checks}
        steps = getattr(self._known.validator, "steps", ()) if self._status_of_checks() in {"failed", "timeout"} else ()
        entry = CODES["not_reached"]
        skipped = [Check(name, "skipped", "not_reached", entry.title, entry.remedy) for name in steps if name not in names]
        return ValidationResult(
            status=self._status or self._status_of_checks(),
            checks=(*self._checks, *skipped),
            started_at=self._started_at,
            duration_ms=(time.monotonic() - self._started) * 1000,
            details=dict(self._context.details) if self._context else {},
        )

    def close(self) -> None:
        """Close what the validator left open."""
        self._over = True
        if self._context is not None:
            self._context.close()

    async def _unlock(self, unlock: Unlock, references: References) -> DataSourceConfig:
        """Bring the secrets in clear, as the first check where there are any."""
        sealed = dict(self._known.shape.secrets(self._config.model_dump()))
        secrets = {to_pointer(path) for path, value in sealed.items() if isinstance(value, Secret)}
        self._context = context = self._new_context(self._config)
        if not secrets:
            return self._config
        async with context.check("secrets", fields=sorted(secrets)):
            try:
                config = resolve_references(self._known.shape, await unlock(), references)
            except SecretUnavailableError as error:
                raise CheckFailedError("secret_unavailable", error.message) from None
        self._context = self._new_context(config)
        return config

    def _new_context(self, config: DataSourceConfig) -> RunContext:
        values = [value for _, value in self._known.shape.secrets(config.model_dump()) if isinstance(value, Secret)]
        return RunContext(
            files=self._files,
            redactor=Redactor(secret.reveal() for secret in values if secret.is_clear),
            errors=self._known.errors,
            deadline=self._deadline,
            emit=self._emit_from_any_thread,
        )

    async def _run_validator(self, validator: ValidatorClass, config: DataSourceConfig) -> None:
        made: Any = validator() if inspect.isclass(validator) else validator
        function: Callable[[DataSourceConfig, ValidationContext], Any] = getattr(made, "validate", made)
        if self._context is None:
            raise RuntimeError("the secrets come first")
        if inspect.iscoroutinefunction(function):
            await function(config, self._context)
        else:
            await asyncio.to_thread(function, config, self._context)

    def _emit_from_any_thread(self, check: Check) -> None:
        if threading.get_ident() == self._thread:
            self._emit(check)
        else:
            self._loop.call_soon_threadsafe(self._emit, check)

    def _emit(self, check: Check) -> None:
        if not self._over and len(self._checks) < MAX_CHECKS:
            self._checks.append(check)
            self._queue.put_nowait(check)

    def _expire(self) -> None:
        self._status = "timeout"
        if self._context is not None:
            self._context.expire()

    def _plugin_failed(self) -> None:
        self._status = "error"
        entry = CODES["plugin_error"]
        self._emit(Check("validator", "failed", "plugin_error", entry.title, entry.remedy))

    def _status_of_checks(self) -> ValidationStatus:
        statuses = {check.status for check in self._checks}
        if "timeout" in statuses:
            return "timeout"
        if "failed" in statuses:
            return "failed"
        return "warning" if "warning" in statuses else "passed"


def resolve_references(shape: Shape, config: DataSourceConfig, references: References) -> DataSourceConfig:
    """Return a configuration with the values that its references point to.

    Raises:
        SecretUnavailableError: One does not resolve; the message names the field and says why.
    """
    document: dict[str, Any] = config.model_dump()
    found = [(path, value) for path, value in shape.secrets(document) if isinstance(value, Secret) and value.reference]
    for path, secret in found:
        try:
            place(document, path, Secret(references.resolve(secret.reference or "")))
        except UnresolvedReferenceError as error:
            raise SecretUnavailableError(f"The reference of {to_pointer(path)} does not resolve: {error}.") from None
    return shape.model.model_validate(document) if found else config
