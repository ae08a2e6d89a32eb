"""The context that a validator gets: it records checks, and opens files and connections through the guards."""

from __future__ import annotations

import contextlib
import ssl
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, BinaryIO, ParamSpec, Protocol, TypeVar

from wellhead import logs
from wellhead.errors import CheckFailedError
from wellhead.guard.egress import EgressPolicy
from wellhead.guard.enforcement import Refusals, refusals
from wellhead.guard.network import GuardedStream, dial, dial_untold, resolve
from wellhead.guard.threads import in_thread
from wellhead.guard.tls import client_context, verifying_context
from wellhead.model.families import DatabaseDataSource
from wellhead.model.result import CheckStatus
from wellhead.model.secret import Secret
from wellhead.model.source import DataSourceConfig
from wellhead.validation.inside.diagnosis import hint_of, is_slip, leaf, understand
from wellhead.validation.inside.dialled import UNEXPLAINED, Dialled
from wellhead.validation.inside.steps import Reports, Step, step_here
from wellhead.validation.wording import Wording

P = ParamSpec("P")
T = TypeVar("T")
MAX_CHECKS = 100
_MAX_DETAILS = 50
_EXPIRES_SOON = 30
"""Days."""
_OF_A_PORT = frozenset({"connection_refused", "connection_timeout", "network_unreachable"})
"""What tells of a port whether it is open: in a service for several users, they are one."""


class Opener(Protocol):
    """Opens files."""

    def open(self, path: str) -> BinaryIO:
        """Open a file for reading.

        Raises:
            CheckFailedError: It cannot be opened.
        """
        ...


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
        reports: Reports,
        package: str = "",
    ) -> None:
        """Record the checks of one run.

        Args:
            files: Opens files.
            policy: What may be dialled.
            wording: Makes texts of the plugin fit to be shown.
            errors: What exceptions of the driver mean, by the names of their classes.
            deadline: When the run ends, on the clock of `time.monotonic`.
            reports: Where it says what happens.
            package: The top package of the validator, whose slips are told from what a server did.
        """
        self._files = files
        self._policy = policy
        self._errors = errors
        self._deadline = deadline
        self._package = package
        self.reports = reports
        self.wording = wording
        self._refusals = refusals.get() or Refusals()
        self._started = 0
        self._over = False
        self.running: list[Step] = []
        self._dialled: list[Dialled] = []
        self.details: dict[str, Any] = {}

    @property
    def remaining(self) -> float:
        """Seconds until the deadline, 0 or more."""
        return max(0.0, self._deadline - time.monotonic())

    def check(self, name: str, *, fields: Sequence[str] = ()) -> Step:
        """Run one named step: leaving it records its outcome."""
        self._refuse_when_over()
        self._started += 1
        if self._started > MAX_CHECKS:
            raise RuntimeError(f"a validation has at most {MAX_CHECKS} checks")
        return Step(self, str(name), tuple(fields))

    def warn(self, code: str, message: str | None = None, *, hint: str | None = None) -> None:
        """Let the check that runs in this task, or else the only one that runs, end with a warning."""
        step = step_here(self.running) or (self.running[0] if len(self.running) == 1 else None)
        if step is None:
            raise RuntimeError("warn() belongs inside a check: async with context.check(…) as check: check.warn(…)")
        step.warn(code, message, hint=hint)

    def detail(self, name: str, value: str | float | bool | list[str] | None) -> None:
        """Add a fact to the result's details."""
        if len(self.details) < _MAX_DETAILS:
            word, fact = self.wording.word(name), self.wording.fact(value)
            self.details[word] = fact
            self.reports.fact(word, fact)

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
        self.reports.dial()
        step = self.check if step_here(self.running) is None else self._part_of_a_check
        async with step("resolve", fields=fields[:1]):
            addresses = await resolve(host, port, self._policy)
            for _, address in addresses:
                self._refusals.resolved(host, address[0])
        async with step("connect", fields=fields):
            reach = dial_untold if self._policy.public_only else dial
            stream = await reach(addresses, seconds=self.remaining)
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
        for step in reversed(self.running.copy()):
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
        step = step_here(self.running)
        if step is not None and days_left <= _EXPIRES_SOON:
            when = f"in {days_left} days" if days_left > 1 else "in less than two days"
            step.warn("certificate_expires_soon", f"The server's certificate expires {when}.")

    def failure_of(self, error: Exception) -> CheckFailedError:
        """Return what to report of an exception that a check raised; of several at once, of the first."""
        if (refused := self._refusals.take()) is not None:  # whatever the driver made of it
            return CheckFailedError(refused)
        cause = leaf(error)
        if isinstance(cause, CheckFailedError):
            failure = cause
        else:
            code = understand(cause, self._errors)
            unknown = "plugin_error" if is_slip(cause, given=_GIVEN, package=self._package) else "protocol_error"
            failure = CheckFailedError(code or unknown, hint=hint_of(cause))
            if code is None:
                self.reports.defect(logs.where(cause, texts=self.reports.texts))
        if self._policy.public_only and failure.check_code in _OF_A_PORT:
            return CheckFailedError("connection_failed")
        if failure.check_code not in UNEXPLAINED:
            return failure
        return self._explained(failure)

    def _explained(self, failure: CheckFailedError) -> CheckFailedError:
        """Say more of a failure that is not understood, where what was heard from the servers tells it."""
        found = [dialled.wrong_service() for dialled in reversed(self._dialled)]
        if failure.check_code == "connection_lost" and failure.hint is None:
            found += [dialled.without_tls() for dialled in reversed(self._dialled)]
        return next((other for other in found if other is not None), failure)

    def _refuse_when_over(self) -> None:
        if self._over:
            raise RuntimeError("the validation is over")

    def _part_of_a_check(self, _name: str, **_keywords: object) -> contextlib.nullcontext[None]:
        return contextlib.nullcontext()


_GIVEN = (RunContext, Step, GuardedStream, DataSourceConfig, Secret)
"""What core gives to a validator. An attribute that one of these does not have is a slip of the validator's author."""
