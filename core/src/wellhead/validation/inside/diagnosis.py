"""What an exception means: from what drivers and the operating system raise to a stable code."""

from __future__ import annotations

import asyncio
import errno
import socket
import ssl
from collections.abc import Iterable, Mapping
from traceback import walk_tb
from types import ModuleType

from wellhead.codes import CODES
from wellhead.guard.certificate_names import OtherNameError
from wellhead.guard.tls import certificate_fault, tls_fault

_NO_SUCH_HOST = ("EAI_NONAME", "EAI_NODATA", "EAI_ADDRFAMILY", "EAI_FAMILY")
_UNKNOWN_HOST = {number for name in _NO_SUCH_HOST if (number := getattr(socket, name, None)) is not None}
_CLOSED = (asyncio.IncompleteReadError, EOFError, ConnectionError)
_ENDED = (ssl.SSLEOFError, ssl.SSLZeroReturnError)
_DEPTH = 5
_SLIPS = (AttributeError, NameError, NotImplementedError)


def _errnos() -> dict[int, str]:
    """Give codes to errors of the operating system, as far as it has them."""
    names = {
        "connection_refused": "ECONNREFUSED",
        "connection_timeout": "ETIMEDOUT",
        "connection_lost": "ECONNRESET ECONNABORTED EPIPE ENOTCONN ESHUTDOWN ENETRESET",
        "network_unreachable": "EHOSTUNREACH ENETUNREACH ENETDOWN EHOSTDOWN EADDRNOTAVAIL EAFNOSUPPORT ENONET",
        "resources_exhausted": "EMFILE ENFILE ENOBUFS ENOMEM",
    }
    return {getattr(errno, name): code for code, text in names.items() for name in text.split() if hasattr(errno, name)}


_BY_ERRNO = _errnos()


def diagnose(error: BaseException, table: Mapping[str, str]) -> str:
    """Return the code of an exception.

    Args:
        error: What was raised; its text is never looked at.
        table: The type's own: numbers of errors and names of exception classes to codes. The number, which drivers give
            as the exception's first argument, counts before the class, and the class before its bases.

    Returns:
        A code; `protocol_error` for what is not understood.
    """
    return understand(error, table) or "protocol_error"


def understand(error: BaseException, table: Mapping[str, str]) -> str | None:
    """Return the code of an exception; None for what is not understood.

    Where neither the type nor core knows it, what it was raised from tells. What TLS says counts in any case: drivers
    wrap it in errors of the connection.
    """
    chain = _chain(error)
    for cause in chain[1:]:
        if isinstance(cause, ssl.SSLError) and not isinstance(cause, _ENDED):
            return _general(cause)
    return next((code for one in chain if (code := _by_table(one, table) or _general(one))), None)


def is_slip(error: BaseException, *, given: tuple[type, ...], package: str) -> bool:
    """Tell whether an exception can only come from a slip in a plugin's code, whatever a server has sent.

    Drivers are not held to that: of an answer that they did not expect, some trip over a name that is not there.
    Nor is a `TypeError`, or an `AttributeError` of anything else: it may come from such an answer.

    Args:
        error: What was raised.
        given: The classes of what core gives to a validator.
        package: The top package of the validator.
    """
    if isinstance(error, ImportError) or (isinstance(error, AttributeError) and isinstance(error.obj, given)):
        return True
    if isinstance(error, AttributeError) and not isinstance(error.obj, ModuleType) and error.name != "reveal":
        return False  # but `reveal` is what a secret has that is not set
    return isinstance(error, _SLIPS) and _raised_in(error) in {package, "wellhead"}


def _raised_in(error: BaseException) -> str | None:
    """Return the top package of the code that raised an exception."""
    frames = [frame for frame, _ in walk_tb(error.__traceback__)]
    return str(frames[-1].f_globals.get("__name__", "")).partition(".")[0] if frames else None


def hint_of(error: BaseException) -> str | None:
    """Say what to do about an exception that tells more than its code does; None for all others."""
    if not isinstance(error, OtherNameError) or not error.names:
        return None
    return f"{CODES['certificate_name_mismatch'].remedy} It lists: {', '.join(error.names)}."


def leaf(error: BaseException) -> BaseException:
    """Return the first of several errors that were raised at once."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


def _chain(error: BaseException) -> list[BaseException]:
    """Return an exception and what it was raised from, `raise … from …`."""
    found = [error]
    while (cause := found[-1].__cause__) is not None and len(found) < _DEPTH:
        found.append(leaf(cause))
    return found


def _by_table(error: BaseException, table: Mapping[str, str]) -> str | None:
    number = str(error.args[0]) if error.args and isinstance(error.args[0], int | str) else ""
    names: Iterable[str] = (kind.__name__ for kind in type(error).__mro__)
    return next((table[name] for name in (number, *names) if name in table), None)


def _general(error: BaseException) -> str | None:  # noqa: PLR0911  # a table of exception classes
    if isinstance(error, ssl.SSLCertVerificationError):
        return certificate_fault(getattr(error, "verify_code", 0))
    if isinstance(error, ssl.SSLError):
        return tls_fault(getattr(error, "reason", None) or "")
    if isinstance(error, socket.gaierror):
        return "host_not_found" if error.errno in _UNKNOWN_HOST else "dns_failed"
    if isinstance(error, OSError) and error.errno in _BY_ERRNO:
        return _BY_ERRNO[error.errno]
    if isinstance(error, ConnectionRefusedError):
        return "connection_refused"
    if isinstance(error, _CLOSED):
        return "connection_lost"
    if isinstance(error, TimeoutError):
        return "connection_timeout"
    return "resources_exhausted" if isinstance(error, MemoryError) else None
