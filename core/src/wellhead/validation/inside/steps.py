"""The checks of a run while they run, and where the run says what happens in it."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Literal, Protocol, Self

from wellhead.errors import CheckFailedError
from wellhead.model.result import Check, CheckStatus
from wellhead.validation.wording import Wording

_OF_TASK: ContextVar[tuple[Step, ...]] = ContextVar("checks")
"""The checks that a task has entered, and those it was started in. It is a fact of the task, and of its threads."""


def _nobody(*_: Any) -> None:
    """Tell nobody."""


@dataclass(frozen=True, slots=True)
class Reports:
    """Where a run says what happens in it.

    Attributes:
        check: Gets each check when it has ended.
        begin: Is told name and fields of each check when it begins.
        fact: Is told name and value of each detail.
        dial: Is told before a connection is made.
        defect: Gets the classes and source lines, for the operator's log, of each exception that nothing knew.
        texts: Whether it gets the exceptions' texts too: in the tests of a plugin, where no secret is a real one.
    """

    check: Callable[[Check], None]
    begin: Callable[[str, tuple[str, ...]], None] = _nobody
    fact: Callable[[str, Any], None] = _nobody
    dial: Callable[[], None] = _nobody
    defect: Callable[[list[str]], None] = _nobody
    texts: bool = False


class Context(Protocol):
    """The run that a check belongs to."""

    reports: Reports
    wording: Wording
    running: list[Step]

    def failure_of(self, error: Exception) -> CheckFailedError:
        """Return what to report of an exception that a check raised."""
        ...


class Step:
    """One running check; it works with `with` and `async with`."""

    def __init__(self, context: Context, name: str, fields: tuple[str, ...]) -> None:
        self._context = context
        self._name = name
        self._fields = fields
        self._started = time.perf_counter()
        self.warning: tuple[str, str | None, str | None] | None = None

    def __enter__(self) -> Self:
        self._started = time.perf_counter()
        self._context.running.append(self)
        _OF_TASK.set((*_OF_TASK.get(()), self))
        self._context.reports.begin(self._context.wording.word(self._name), self._fields)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> Literal[False]:
        _OF_TASK.set(tuple(step for step in _OF_TASK.get(()) if step is not self))
        if error is None:
            code, message, hint = self.warning or (None, None, None)
            self.end("passed" if code is None else "warning", code, message, hint)
            return False
        if not isinstance(error, Exception):  # the run is being cancelled: whoever did that ends the step
            return False
        failure = self._context.failure_of(error)
        if failure.fields is not None:
            self._fields = failure.fields
        self.end("failed", failure.check_code, failure.text, failure.hint)
        if failure is not error:
            raise failure from None  # the driver's text may hold what nobody should read
        return False

    async def __aenter__(self) -> Self:
        return self.__enter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> Literal[False]:
        return self.__exit__(kind, error, traceback)

    def warn(self, code: str, message: str | None = None, *, hint: str | None = None) -> None:
        """Let the check end with a warning; one before it keeps its message, behind the new one's."""
        if self.warning is not None:
            before, text, _ = self.warning
            titled = self._context.wording.title
            texts = (message or titled(code), text or titled(before))
            message = " ".join(text for text in texts if text is not None)
        self.warning = (code, message or None, hint)

    def end(self, status: CheckStatus, code: str | None, message: str | None, hint: str | None) -> None:
        """Record the outcome, once: a validator's thread and the deadline may both want to."""
        try:
            self._context.running.remove(self)
        except ValueError:
            return
        seconds = time.perf_counter() - self._started
        self._context.reports.check(
            self._context.wording.check(
                self._name, status, code, message=message, hint=hint, fields=self._fields, seconds=seconds
            )
        )


def step_here(running: Sequence[Step]) -> Step | None:
    """Return the innermost running check that this code is in: by its task, which a thread of it inherits."""
    return next((step for step in reversed(_OF_TASK.get(())) if step in running), None)
