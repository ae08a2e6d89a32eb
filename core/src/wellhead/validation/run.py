"""One validation: its checks as they come, its deadline, and what became of it."""

from __future__ import annotations

import asyncio
import inspect
import threading
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Protocol

from pydantic import ValidationError

from wellhead import clock
from wellhead.errors import CheckFailedError, SecretUnavailableError, WellheadError
from wellhead.guard.egress import EgressPolicy
from wellhead.guard.files import FileGuard
from wellhead.guard.threads import in_thread
from wellhead.model.pointer import place, to_pointer
from wellhead.model.result import Check, ValidationResult, ValidationStatus
from wellhead.model.secret import Secret
from wellhead.model.shape import Shape
from wellhead.model.source import DataSourceConfig
from wellhead.model.validator import ValidationContext, ValidatorClass
from wellhead.secrets.references import References, UnresolvedReferenceError
from wellhead.validation.context import RunContext
from wellhead.validation.wording import Wording

Unlock = Callable[[], Awaitable[DataSourceConfig]]


class KnownType(Protocol):
    """What a validation needs to know of a type."""

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


class Run:
    """One validation."""

    def __init__(
        self, known: KnownType, config: DataSourceConfig, files: FileGuard, policy: EgressPolicy, seconds: float
    ) -> None:
        """Prepare one validation, whose time begins now.

        Args:
            known: The type of the data source.
            config: The data source.
            files: Opens files.
            policy: What may be dialled.
            seconds: How long it may take.
        """
        self._known = known
        self._config = config
        self._files = files
        self._policy = policy
        self._started_at = clock.now()
        self._started = time.monotonic()
        self._seconds = seconds
        self._queue: asyncio.Queue[Check | None] = asyncio.Queue()
        self._loop = asyncio.get_running_loop()
        self._thread = threading.get_ident()
        self._checks: list[Check] = []
        self._wording = self._wording_for(config)
        self._context = self._new_context()
        self._over = False
        self._status: ValidationStatus | None = None

    def start(self, unlock: Unlock, references: References) -> asyncio.Task[None]:
        """Begin; the deadline holds whether or not anybody takes the checks."""
        task = asyncio.create_task(self._work(unlock, references))
        timer = self._loop.call_later(self._seconds, self._expire, task)
        task.add_done_callback(lambda _: timer.cancel())
        task.add_done_callback(lambda _: self._queue.put_nowait(None))
        return task

    async def next_check(self) -> Check | None:
        """Return the next check that ended; None when the run is over, by itself or by its deadline."""
        return await self._queue.get()

    def result(self) -> ValidationResult:
        """Return what was found."""
        status = self._status_of_checks()
        steps = self._steps_to_come() if status in {"failed", "timeout"} else ()
        skipped = [self._wording.check(name, "skipped", "not_reached") for name in steps]
        return ValidationResult(
            status=self._status or status,
            checks=(*self._checks, *skipped),
            started_at=self._started_at,
            duration_ms=(time.monotonic() - self._started) * 1000,
            details=dict(self._context.details),
        )

    def close(self) -> None:
        """Close what the validator left open."""
        self._over = True
        self._context.close()

    async def _work(self, unlock: Unlock, references: References) -> None:
        """Open the secrets, then run the validator; whatever it raises becomes part of the result."""
        try:
            config = await self._unlock(unlock, references)
            if self._known.validator is None:
                self._status = "not_supported"
            else:
                await self._run_validator(self._known.validator, config)
        except CheckFailedError as error:
            if not any(check.status == "failed" for check in self._checks):  # it was raised outside a check
                self._emit(self._wording.failure("validator", error))
        except BaseException:  # noqa: BLE001  # where a plugin is called: it may even raise `SystemExit`
            if not self._over:
                self._plugin_failed()

    async def _unlock(self, unlock: Unlock, references: References) -> DataSourceConfig:
        """Bring the secrets in clear, as the first check where there are any."""
        sealed = self._known.shape.secrets(self._config.model_dump())
        fields = sorted(to_pointer(path) for path, value in sealed if isinstance(value, Secret))
        if not fields:
            return self._config
        async with self._context.check("secrets", fields=fields):
            try:
                config = resolve_references(self._known.shape, await unlock(), references)
            except SecretUnavailableError as error:
                raise CheckFailedError("secret_unavailable", error.message) from None
            except WellheadError:
                raise CheckFailedError("secret_unavailable") from None
            if not all(secret.is_clear for secret in self._secrets(config)):
                raise CheckFailedError("secret_unavailable")
        self._wording = self._wording_for(config)
        self._context = self._new_context()
        return config

    async def _run_validator(self, validator: ValidatorClass, config: DataSourceConfig) -> None:
        made: Any = validator() if inspect.isclass(validator) else validator
        function: Callable[[DataSourceConfig, ValidationContext], Any] = getattr(made, "validate", made)
        if inspect.iscoroutinefunction(function):
            await function(config, self._context)
            return
        returned = await in_thread(function, config, self._context)
        if inspect.isawaitable(returned):  # a wrapper around a coroutine function, such as a lambda
            await returned

    def _secrets(self, config: DataSourceConfig) -> list[Secret]:
        values = (value for _, value in self._known.shape.secrets(config.model_dump()))
        return [value for value in values if isinstance(value, Secret)]

    def _wording_for(self, config: DataSourceConfig) -> Wording:
        return Wording(
            [secret.reveal() for secret in self._secrets(config) if secret.is_clear],
            fields=self._known.shape.model.model_fields,
            steps=getattr(self._known.validator, "steps", ()),
        )

    def _new_context(self) -> RunContext:
        return RunContext(
            files=self._files,
            policy=self._policy,
            wording=self._wording,
            errors=self._known.errors,
            deadline=self._started + self._seconds,
            emit=self._emit_from_any_thread,
        )

    def _emit_from_any_thread(self, check: Check) -> None:
        if threading.get_ident() == self._thread:
            self._emit(check)
        else:
            self._loop.call_soon_threadsafe(self._emit, check)

    def _emit(self, check: Check) -> None:
        if not self._over:
            self._checks.append(check)
            self._queue.put_nowait(check)

    def _expire(self, task: asyncio.Task[None]) -> None:
        if task.done():
            return
        self._status = "timeout"
        self._context.end("timeout", "deadline")
        self._over = True
        self._queue.put_nowait(None)
        task.cancel()

    def _plugin_failed(self) -> None:
        """Record a defect of the plugin, in the check that it happened in, or else in one of its own."""
        self._status = "error"
        self._context.end("failed", "plugin_error")
        if not any(check.code == "plugin_error" for check in self._checks):
            self._emit(self._wording.check("validator", "failed", "plugin_error"))

    def _steps_to_come(self) -> tuple[str, ...]:
        """Return the steps after the last one that was reached; one before it that was left out had no use here."""
        steps: tuple[str, ...] = tuple(getattr(self._known.validator, "steps", ()))
        reached = [steps.index(check.name) for check in self._checks if check.name in steps]
        return steps[max(reached, default=-1) + 1 :]

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
        SecretUnavailableError: One does not resolve, or to what does not fit; the message names the field.
    """
    document: dict[str, Any] = config.model_dump()
    found = [(path, value) for path, value in shape.secrets(document) if isinstance(value, Secret) and value.reference]
    for path, secret in found:
        try:
            place(document, path, Secret(references.resolve(secret.reference or "")))
        except UnresolvedReferenceError as error:
            raise SecretUnavailableError(f"The reference of {to_pointer(path)} does not resolve: {error}.") from None
    if not found:
        return config
    try:
        return shape.model.model_validate(document)
    except ValidationError:
        names = ", ".join(to_pointer(path) for path, _ in found)
        raise SecretUnavailableError(f"What the reference of {names} points to does not fit the field.") from None
