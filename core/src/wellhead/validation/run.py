"""One validation, as the service sees it: its checks as they come, its deadline, and what became of it."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from wellhead import clock
from wellhead.model.check_code import CheckCode
from wellhead.model.result import Check, CheckStatus, ValidationResult, ValidationStatus
from wellhead.model.secret import Secret
from wellhead.model.shape import Shape
from wellhead.model.source import DataSourceConfig
from wellhead.model.validator import ValidatorClass
from wellhead.validation.wire import Message, WireError
from wellhead.validation.wording import Wording

MAX_BYTES = 64 * 1024
"""What a worker may say of one validation."""
MAX_DEFECTS = 100
_MAX_CHECKS, _MAX_FACTS = 110, 50


class KnownType(Protocol):
    """What a validation needs to know of a type."""

    @property
    def name(self) -> str:
        """Its name."""
        ...

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

    @property
    def codes(self) -> Mapping[str, CheckCode]:
        """Codes of its own, and what they mean."""
        ...


@dataclass(slots=True, eq=False)
class _Step:
    """A check that has begun."""

    name: str
    fields: tuple[str, ...]
    started: float = field(default_factory=time.perf_counter)


class Run:
    """One validation. What a worker says of it is taken as what a stranger says.

    Attributes:
        known: The type of the data source.
        config: The data source.
        ended: Set when nothing more comes: it is over, or its worker is gone.
        is_over: Whether the result is certain.
        has_dialled: Whether it has begun to reach out.
        ends: When each check ended, in nanoseconds since 1970.
    """

    def __init__(self, known: KnownType, config: DataSourceConfig, *, defect: Callable[[list[str]], None]) -> None:
        """Prepare one validation.

        Args:
            known: The type of the data source.
            config: The data source.
            defect: Is told where in the code something went wrong that nobody understood.
        """
        self.known = known
        self.config = config
        self.ended = asyncio.Event()
        self.is_over = False
        self.has_dialled = False
        self.ends: list[int] = []
        self._defect = defect
        self._defects = 0
        self._left = MAX_BYTES
        self._wording = wording_for(known, config)
        self._queue: asyncio.Queue[Check | None] = asyncio.Queue()
        self._checks: list[Check] = []
        self._details: dict[str, Any] = {}
        self._steps: list[_Step] = []
        self._status: ValidationStatus | None = None
        self._took = 0.0
        self.begin()

    def begin(self) -> None:
        """Let its time begin; it may have waited for its turn."""
        self._started_at = clock.now()
        self._started = time.monotonic()

    def unlocked(self, config: DataSourceConfig) -> None:
        """Learn the secrets in clear, which are then taken out of what is said."""
        self.config = config
        self._wording = wording_for(self.known, config)

    async def next_check(self) -> Check | None:
        """Return the next check that ended; None when it is over."""
        return await self._queue.get()

    def result(self) -> ValidationResult:
        """Return what was found."""
        status = self._status or self._status_of_checks()
        steps = self._steps_to_come() if status in {"failed", "timeout", "error"} else ()
        skipped = [self._wording.check(name, "skipped", "not_reached") for name in steps]
        return ValidationResult(
            status=status,
            checks=(*self._checks, *skipped),
            started_at=self._started_at,
            duration_ms=self._took * 1000,
            details=dict(self._details),
        )

    def take(self, message: Message, size: int) -> None:
        """Take what a worker says.

        Raises:
            WireError: It is nothing that a worker says, or too much; the plugin is to blame, and it is over.
        """
        self._left -= size
        try:
            if self._left < 0:
                raise WireError("too much")
            if not self.is_over:
                self._take(message)
        except Exception:  # noqa: BLE001  # where a plugin speaks: there is no end to what can be wrong with it
            self.fail("plugin_error")
            raise WireError("not what a worker says") from None

    def _take(self, message: Message) -> None:
        if "begin" in message:
            name, fields = message["begin"]
            self.open_step(_text(name), [_text(field) for field in fields])
        elif "check" in message:
            self._take_check(**message["check"])
        elif "fact" in message:
            name, value = message["fact"]
            if len(self._details) < _MAX_FACTS:
                self._details[self._wording.word(name)] = self._wording.fact(value)
        elif "dialled" in message:
            self.has_dialled = True
        elif "defect" in message:
            self._defects += 1
            if self._defects <= MAX_DEFECTS:
                self._defect([self._wording.line(line) for line in message["defect"]])
        elif message["end"] == "error":
            self.fail("plugin_error")
        else:
            self.end()

    def _take_check(self, name: object, status: CheckStatus, duration_ms: float, **said: Any) -> None:
        name = _text(name)
        if status not in {"passed", "warning", "failed"} or len(self._checks) > _MAX_CHECKS:
            raise WireError("no check")
        step = next((step for step in reversed(self._steps) if step.name == name), None)
        if step is not None:
            self._steps.remove(step)
        self._emit(self._wording.check(name, status, **said, seconds=self._seconds(duration_ms)))

    def _seconds(self, milliseconds: float) -> float:
        """Read how long a check took, which is no longer than all of it has."""
        if not milliseconds >= 0:  # also where it is no number, of which JSON in Python has one
            raise WireError("no duration")
        return min(milliseconds, (time.monotonic() - self._started) * 1000) / 1000

    def open_step(self, name: str, fields: Sequence[str] = ()) -> None:
        """Remember that a check has begun, in case that it does not end."""
        if len(self._steps) > _MAX_CHECKS:
            raise WireError("too many checks")
        self._steps.append(_Step(name, tuple(fields)))

    def close_step(self, status: CheckStatus, code: str | None = None, message: str | None = None) -> None:
        """End the check that has begun last."""
        step = self._steps.pop()
        seconds = time.perf_counter() - step.started
        self._emit(self._wording.check(step.name, status, code, message=message, fields=step.fields, seconds=seconds))

    def expire(self) -> None:
        """End it, because its time is over; the checks that ended are kept."""
        self._end_as("timeout", "timeout", "deadline")

    def fail(self, code: str, message: str | None = None) -> None:
        """End it with a defect of the plugin or of the service, in the check that was running or in one of its own."""
        if not self.is_over and not self._steps and not any(check.code == code for check in self._checks):
            self.open_step("validator")
        self._end_as("error", "failed", code, message)

    def refuse(self) -> None:
        """End it, because its type has nothing that validates."""
        self._end_as("not_supported", "skipped", None)

    def end(self) -> None:
        """End it; what comes later is not taken."""
        if not self.is_over:
            self.is_over = True
            self._took = time.monotonic() - self._started
            self._queue.put_nowait(None)
        self.ended.set()

    def lose(self) -> None:
        """Learn that its worker is gone; whoever gave it to the worker knows what that means."""
        self.ended.set()

    def _end_as(
        self, status: ValidationStatus, of_checks: CheckStatus, code: str | None, message: str | None = None
    ) -> None:
        if not self.is_over:
            self._status = status
            while self._steps:
                self.close_step(of_checks, code, message)
            self.end()

    def _emit(self, check: Check) -> None:
        self._checks.append(check)
        self.ends.append(time.time_ns())
        self._queue.put_nowait(check)

    def _steps_to_come(self) -> tuple[str, ...]:
        """Return the steps after the last one that was reached; one before it that was left out had no use here."""
        steps: tuple[str, ...] = tuple(getattr(self.known.validator, "steps", ()))
        reached = [steps.index(check.name) for check in self._checks if check.name in steps]
        return steps[max(reached, default=-1) + 1 :]

    def _status_of_checks(self) -> ValidationStatus:
        statuses = {check.status for check in self._checks}
        if "failed" in statuses:
            return "failed"
        return "warning" if "warning" in statuses else "passed"


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise WireError("no text")
    return value


def secrets_of(shape: Shape, config: DataSourceConfig) -> list[Secret]:
    """Return the secrets of a configuration, in whatever state."""
    return [value for _, value in shape.secrets(config.model_dump()) if isinstance(value, Secret)]


def wording_for(known: KnownType, config: DataSourceConfig) -> Wording:
    """Return what makes a plugin's texts fit to be shown, for one configuration."""
    return Wording(
        [secret.reveal() for secret in secrets_of(known.shape, config) if secret.is_clear],
        fields=known.shape.model.model_fields,
        steps=getattr(known.validator, "steps", ()),
        codes=known.codes,
    )
