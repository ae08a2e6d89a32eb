"""What an author of a validator writes, and what core gives to it."""

from __future__ import annotations

import asyncio
import ssl
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from typing import Any, BinaryIO, ClassVar, Generic, ParamSpec, Protocol, TypeVar

from wellhead.model.families import DatabaseDataSource
from wellhead.model.source import DataSourceConfig

ConfigT_contra = TypeVar("ConfigT_contra", bound=DataSourceConfig, contravariant=True)
P = ParamSpec("P")
T = TypeVar("T")


class CheckStep(AbstractAsyncContextManager["CheckStep"], AbstractContextManager["CheckStep"], Protocol):
    """One step of a validation: `async with context.check("tls") as check`, or `with` in a plain function."""

    def warn(self, code: str, message: str | None = None, *, hint: str | None = None) -> None:
        """Let this check end with a warning in place of `passed`; the last one's code counts, of all the message.

        Args:
            code: A code of the catalogue, or one of the type's own.
            message: What was found; the code's title if left out.
            hint: What to do about it; the code's remedy if left out.
        """
        ...


class Stream(Protocol):
    """A guarded TCP connection to a data source."""

    @property
    def tls_version(self) -> str | None:
        """The TLS version in use, such as `TLSv1.3`; None without TLS."""
        ...

    @property
    def certificate_days_left(self) -> int | None:
        """Days until the server's certificate expires; None without TLS, or where it was not checked."""
        ...

    @property
    def service(self) -> str | None:
        """The well-known service that sends what the server sent first, such as `MySQL`; None if not recognised.

        After the start of TLS, what counts is what the server sends first inside it; where TLS could not be started,
        what it answered in place of a handshake.
        """
        ...

    async def read(self, size: int) -> bytes:
        """Read exactly `size` bytes.

        Raises:
            CheckFailedError: `connection_lost`.
        """
        ...

    async def read_line(self, *, limit: int = 8192) -> bytes:
        """Read a line, and return it without its end, which is a line feed or a carriage return and a line feed.

        Args:
            limit: The most bytes that it may have, its end included.

        Raises:
            CheckFailedError: `connection_lost`: the server closed the connection before that; `protocol_error`: the
                line is longer.
        """
        ...

    async def read_until(self, separator: bytes, *, limit: int = 8192) -> bytes:
        """Read up to a separator, and return what came before it.

        Args:
            separator: One or more bytes.
            limit: The most bytes that there may be, the separator included.

        Raises:
            CheckFailedError: `connection_lost`: the server closed the connection before that; `protocol_error`: there
                are more.
        """
        ...

    async def write(self, data: bytes) -> None:
        """Send bytes.

        Raises:
            OSError: The connection has failed. In a check it becomes `connection_lost`.
        """
        ...

    async def start_tls(self, tls: ssl.SSLContext, *, server_hostname: str) -> None:
        """Upgrade the connection to TLS; what the server sent before that and was not read is refused.

        What is raised needs no `except`: in a check it becomes the code that is named here.

        Args:
            tls: What `ValidationContext.tls` or `verifying_tls` made.
            server_hostname: The name that the certificate must have.

        Raises:
            CheckFailedError: `protocol_error`: the server sent something that was not read, which somebody in between
                could have slipped in.
            OSError: The handshake failed. An `ssl.SSLError` becomes a code of the certificate (`certificate_expired`,
                `certificate_untrusted` and others), `tls_version_unsupported`, `tls_not_offered` where the answer was
                no TLS, or `tls_failed`; where the server closed the connection, `connection_lost`.
        """
        ...

    async def sound_out(self, *, seconds: float) -> None:
        """Ask a silent server who it is, and wait for an answer: `service` then tells. Good for nothing else after it.

        Args:
            seconds: How long to wait.
        """
        ...

    def hand_over(self, protocol: asyncio.Protocol) -> asyncio.Transport:
        """Give the connection to a driver's protocol; the stream cannot be read or written afterwards.

        Raises:
            CheckFailedError: `connection_lost`: the server has closed it already; `protocol_error`: it has sent
                something that was not read.
            OSError: The connection has failed already.
        """
        ...

    def close(self) -> None:
        """Close the connection."""
        ...


class ValidationContext(Protocol):
    """What a validator gets besides the configuration."""

    @property
    def remaining(self) -> float:
        """Seconds until the deadline, 0 or more."""
        ...

    def check(self, name: str, *, fields: Sequence[str] = ()) -> CheckStep:
        """Run one named step: leaving it records its outcome, an exception in it makes it fail.

        A driver's exception becomes a code by the type's table of errors, `CheckFailedError` says its own; the
        validation ends there. Checks may run side by side, each in a task of its own.

        Args:
            name: The step, such as `authenticate`.
            fields: JSON Pointers of the fields to look at if it fails.
        """
        ...

    def warn(self, code: str, message: str | None = None, *, hint: str | None = None) -> None:
        """Do what `CheckStep.warn` does, for the check that runs in this task, or in the thread that it started.

        Args:
            code: A code of the catalogue, or one of the type's own.
            message: What was found; the code's title if left out.
            hint: What to do about it; the code's remedy if left out.
        """
        ...

    def detail(self, name: str, value: str | float | bool | list[str] | None) -> None:
        """Add a fact to the result's details, such as the server's version."""
        ...

    def open(self, path: str) -> BinaryIO:
        """Open a file for reading, below the workspace or a root of the settings.

        Raises:
            CheckFailedError: `file_unavailable`, or `file_unreadable`.
        """
        ...

    async def connect(
        self,
        host: str,
        port: int,
        *,
        tls: ssl.SSLContext | None = None,
        fields: Sequence[str] = ("/host", "/port"),
        service: str | None = None,
    ) -> Stream:
        """Connect to a server: records the checks `resolve` and `connect`, with `tls` given also `tls`.

        Inside a running check it records nothing of its own, but belongs to that.

        A certificate that was checked and expires within 30 days makes the check in which TLS was started a warning.

        Args:
            host: Host name or IP address.
            port: TCP port.
            tls: Start TLS at once, and check the certificate as this context says.
            fields: JSON Pointers of the fields that host and port come from.
            service: What should answer, as `Stream.service` calls it. Where another well-known service answers, a
                check that would fail without saying why says `wrong_service`, and which one it is.
        """
        ...

    def tls(self, config: DatabaseDataSource) -> ssl.SSLContext | None:
        """Make the TLS context that the fields of a database ask for; None for `tls_mode` `disable`.

        Warns in the running check where the configuration is not safe.

        Raises:
            CheckFailedError: `client_certificate_invalid`, or `certificate_untrusted` for a damaged CA certificate.
        """
        ...

    def verifying_tls(self, *, ca_certificate: str | None = None) -> ssl.SSLContext:
        """Make the TLS context for a server whose certificate and name are always checked.

        With `ca_certificate`, call it inside the check that starts TLS, after `connect`: what it raises outside a check
        is reported before all others, as one that is called `validator`.

        Args:
            ca_certificate: Certificates (PEM) of the authorities to trust; the system's if None.

        Raises:
            CheckFailedError: `certificate_untrusted` for a damaged CA certificate.
        """
        ...

    async def in_thread(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Run a blocking function in a thread."""
        ...


class Validator(ABC, Generic[ConfigT_contra]):
    """Finds out whether a data source works. A new instance is made for each validation.

    Attributes:
        steps: The names of the checks in their order. When one fails, those after it are reported as `skipped`; one
            before it that was left out, such as TLS where there is none, is not mentioned.
    """

    steps: ClassVar[tuple[str, ...]] = ()

    @abstractmethod
    async def validate(self, config: ConfigT_contra, context: ValidationContext) -> None:
        """Run the checks, in order; return when all is well.

        Args:
            config: The configuration, with its secrets in clear (`config.password.reveal()`).
            context: Records the checks, opens files and connections.
        """


ValidatorClass = type[Validator[Any]] | Callable[..., Any]
"""A `Validator`, another class with a method `validate`, or a plain function of a configuration and a context."""
