"""The context that a validator gets: it records checks, and opens files and connections through the guards."""

from __future__ import annotations

import contextlib
import ssl
import time
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import Any, BinaryIO, Literal, ParamSpec, Protocol, TypeVar

from wellhead import logs
from wellhead.codes import CODES
from wellhead.errors import CheckFailedError
from wellhead.guard.egress import EgressPolicy
from wellhead.guard.enforcement import Refusals, refusals
from wellhead.guard.network import GuardedStream, dial, resolve
from wellhead.guard.threads import in_thread
from wellhead.guard.tls import client_context, verifying_context
from wellhead.model.families import DatabaseDataSource
from wellhead.model.result import Check, CheckStatus
from wellhead.validation.diagnosis import hint_of, leaf, understand
from wellhead.validation.dialled import UNEXPLAINED, Dialled
from wellhead.validation.wording import Wording

P = ParamSpec("P")
T = TypeVar("T")
MAX_CHECKS = 100
_MAX_DETAILS = 50
_EXPIRES_SOON = 30
"""Days."""


class Opener(Protocol):
    """Opens files."""

    def open(self, path: str) -> BinaryIO:
        """Open a file for reading.

        Raises:
            CheckFailedError: It cannot be opened.
        """
        ...


def _nobody(*_: Any) -> None:
    """Tell nobody."""


class RunContext:
    """The context of one run of a validator."""

    def __init__(
        self,
        *,
        files: Opener,
        policy: EgressPolicy,
        wording: Wording,
        errors: Mapping[str, str],
        deadline: float,
        emit: Callable[[Check], None],
        begin: Callable[[str, tuple[str, ...]], None] = _nobody,
        fact: Callable[[str, Any], None] = _nobody,
        dial: Callable[[], None] = _nobody,
        defect: Callable[[list[str]], None] | None = None,
    ) -> None:
        """Record the checks of one run.

        Args:
            files: Opens files.
            policy: What may be dialled.
            wording: Makes texts of the plugin fit to be shown.
            errors: What exceptions of the driver mean, by the names of their classes.
            deadline: When the run ends, on the clock of `time.monotonic`.
            emit: Gets each check when it has ended.
            begin: Is told name and fields of each check when it begins.
            fact: Is told name and value of each detail.
            dial: Is told before a connection is made.
            defect: Gets the classes and source lines, for the operator's log, of each exception that nothing knew.
        """
        self._files = files
        self._policy = policy
        self._wording = wording
        self._errors = errors
        self._deadline = deadline
        self._emit = emit
        self._begin = begin
        self._fact = fact
        self._refusals = refusals.get() or Refusals()
        self._dial = dial
        self._defect = defect
        self._started = 0
        self._over = False
        self._running: list[_Step] = []
        self._dialled: list[Dialled] = []
        self.details: dict[str, Any] = {}

    @property
    def remaining(self) -> float:
        """Seconds until the deadline, 0 or more."""
        return max(0.0, self._deadline - time.monotonic())

    def check(self, name: str, *, fields: Sequence[str] = ()) -> _Step:
        """Run one named step: leaving it records its outcome."""
        self._refuse_when_over()
        self._started += 1
        if self._started > MAX_CHECKS:
            raise RuntimeError(f"a validation has at most {MAX_CHECKS} checks")
        return _Step(self, str(name), tuple(fields))

    def warn(self, code: str, message: str | None = None, *, hint: str | None = None) -> None:
        """Let the running check end with a warning."""
        if not self._running:
            raise RuntimeError("warn() belongs inside a check: async with context.check(…)")
        self._running[-1].warn(code, message, hint)

    def detail(self, name: str, value: str | float | bool | list[str] | None) -> None:
        """Add a fact to the result's details."""
        if len(self.details) < _MAX_DETAILS:
            word, fact = self._wording.word(name), self._wording.fact(value)
            self.details[word] = fact
            self._fact(word, fact)

    def open(self, path: str) -> BinaryIO:
        """Open a file for reading, below the workspace or a root of the settings."""
        return self._files.open(path)

    async def connect(
        self,
        host: str,
        port: int,
        *,
        tls: ssl.SSLContext | None = None,
        fields: Sequence[str] = ("/host", "/port"),
        service: str | None = None,
    ) -> GuardedStream:
        """Connect to a server: records the checks `resolve` and `connect`, with `tls` given also `tls`.

        Inside a running check it records nothing of its own, but belongs to that.
        """
        self._refuse_when_over()
        self._dial()
        step = self._part_of_a_check if self._running else self.check
        async with step("resolve", fields=fields[:1]):
            addresses = await resolve(host, port, self._policy)
            for _, address in addresses:
                self._refusals.resolved(host, address[0])
        async with step("connect", fields=fields):
            stream = await dial(addresses, seconds=self.remaining)
            self._keep(Dialled(stream, service, fields))
        if tls is not None:
            async with step("tls", fields=fields[:1]):
                await stream.start_tls(tls, server_hostname=host)
        return stream

    def tls(self, config: DatabaseDataSource) -> ssl.SSLContext | None:
        """Make the TLS context that the fields of a database ask for."""
        if config.tls_mode == "disable":
            self.warn("tls_disabled")
        elif config.tls_mode != "verify-full":
            self.warn("tls_unverified")
        return client_context(
            config.tls_mode,
            ca_certificate=config.ca_certificate,
            client_certificate=config.client_certificate,
            client_key=config.client_key.reveal() if config.client_key is not None else None,
        )

    def verifying_tls(self, *, ca_certificate: str | None = None) -> ssl.SSLContext:
        """Make the TLS context for a server whose certificate and name are always checked."""
        return verifying_context(ca_certificate=ca_certificate)

    async def in_thread(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a blocking function in a thread."""
        return await in_thread(function, *args, **kwargs)

    def end(self, status: CheckStatus, code: str) -> None:
        """End the checks that still run: the time is over, or the validator ended in the middle of them."""
        for step in reversed(self._running.copy()):
            step.end(status, code, None, None)

    def close(self) -> None:
        """Close the connections that are still open; a validator that goes on nevertheless gets no more."""
        self._over = True
        for dialled in self._dialled:
            dialled.stream.close()

    def _keep(self, dialled: Dialled) -> None:
        if self._over:
            dialled.stream.close()
        dialled.stream.on_certificate = self._look_at_certificate
        self._dialled.append(dialled)

    def _look_at_certificate(self, days_left: int) -> None:
        if self._running and days_left <= _EXPIRES_SOON:
            when = f"in {days_left} days" if days_left > 1 else "in less than two days"
            self.warn("certificate_expires_soon", f"The server's certificate expires {when}.")

    def _failure(self, error: Exception) -> CheckFailedError:
        """Return what to report of an exception that a check raised; of several at once, of the first."""
        if (refused := self._refusals.take()) is not None:  # whatever the driver made of it
            return CheckFailedError(refused)
        cause = leaf(error)
        if isinstance(cause, CheckFailedError):
            failure = cause
        else:
            code = understand(cause, self._errors)
            failure = CheckFailedError(code or "protocol_error", hint=hint_of(cause))
            if code is None and self._defect is not None:
                self._defect(logs.where(cause))
        if failure.check_code not in UNEXPLAINED:
            return failure
        found = (dialled.wrong_service() for dialled in reversed(self._dialled))
        return next((other for other in found if other is not None), failure)

    def _refuse_when_over(self) -> None:
        if self._over:
            raise RuntimeError("the validation is over")

    def _part_of_a_check(self, _name: str, **_keywords: object) -> contextlib.nullcontext[None]:
        return contextlib.nullcontext()


class _Step:
    """One running check; it works with `with` and `async with`."""

    def __init__(self, context: RunContext, name: str, fields: tuple[str, ...]) -> None:
        self._context = context
        self._name = name
        self._fields = fields
        self._started = time.perf_counter()
        self.warning: tuple[str, str | None, str | None] | None = None

    def __enter__(self) -> None:
        self._started = time.perf_counter()
        self._context._running.append(self)
        self._context._begin(self._context._wording.word(self._name), self._fields)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> Literal[False]:
        if error is None:
            code, message, hint = self.warning or (None, None, None)
            self.end("passed" if code is None else "warning", code, message, hint)
            return False
        if not isinstance(error, Exception):  # the run is being cancelled: whoever did that ends the step
            return False
        failure = self._context._failure(error)
        if failure.fields is not None:
            self._fields = failure.fields
        self.end("failed", failure.check_code, failure.text, failure.hint)
        if failure is not error:
            raise failure from None  # the driver's text may hold what nobody should read
        return False

    async def __aenter__(self) -> None:
        self.__enter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> Literal[False]:
        return self.__exit__(kind, error, traceback)

    def warn(self, code: str, message: str | None, hint: str | None) -> None:
        """Let the check end with a warning; one before it keeps its message, behind the new one's."""
        if self.warning is not None:
            before, text, _ = self.warning
            texts = (message or _title(code), text or _title(before))
            message = " ".join(text for text in texts if text is not None)
        self.warning = (code, message or None, hint)

    def end(self, status: CheckStatus, code: str | None, message: str | None, hint: str | None) -> None:
        """Record the outcome, once: a validator's thread and the deadline may both want to."""
        try:
            self._context._running.remove(self)
        except ValueError:
            return
        seconds = time.perf_counter() - self._started
        self._context._emit(
            self._context._wording.check(
                self._name, status, code, message=message, hint=hint, fields=self._fields, seconds=seconds
            )
        )


def _title(code: str) -> str | None:
    return CODES[code].title if code in CODES else None
