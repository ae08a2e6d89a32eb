"""What an exception means: from what drivers and the operating system raise to a stable code."""

from __future__ import annotations

import asyncio
import errno
import socket
import ssl
from collections.abc import Mapping

_UNKNOWN_HOST = {socket.EAI_NONAME, getattr(socket, "EAI_NODATA", socket.EAI_NONAME)}
_UNREACHABLE = {errno.EHOSTUNREACH, errno.ENETUNREACH, errno.ENETDOWN, errno.EADDRNOTAVAIL}
_LOST = (ConnectionResetError, BrokenPipeError, ConnectionAbortedError, asyncio.IncompleteReadError, EOFError)
# What X509_verify_cert says (OpenSSL, x509_vfy.h).
_NOT_IN_TIME = {9, 10, 13, 14}
_OTHER_NAME = {62, 63, 64}


def diagnose(error: BaseException, table: Mapping[str, str]) -> str:
    """Return the code of an exception.

    Args:
        error: What was raised; its text is never looked at.
        table: The type's own: numbers of errors and names of exception classes to codes. The number, which drivers give
            as the exception's first argument, counts before the class, and the class before its bases.

    Returns:
        A code; `protocol_error` for what is not understood.
    """
    number = str(error.args[0]) if error.args and isinstance(error.args[0], int | str) else ""
    if number in table:
        return table[number]
    for kind in type(error).__mro__:
        if kind.__name__ in table:
            return table[kind.__name__]
    return _general(error)


def _general(error: BaseException) -> str:  # noqa: PLR0911  # a table of exception classes
    if isinstance(error, ssl.SSLCertVerificationError):
        return _certificate(error.verify_code)
    if isinstance(error, ssl.SSLError):
        return "client_certificate_invalid" if _is_about_our_certificate(error) else "tls_failed"
    if isinstance(error, _LOST):
        return "connection_lost"
    if isinstance(error, ConnectionRefusedError):
        return "connection_refused"
    if isinstance(error, TimeoutError):
        return "connection_timeout"
    if isinstance(error, socket.gaierror):
        return "host_not_found" if error.errno in _UNKNOWN_HOST else "dns_failed"
    if isinstance(error, OSError) and error.errno in _UNREACHABLE:
        return "network_unreachable"
    return "protocol_error"


def _is_about_our_certificate(error: ssl.SSLError) -> bool:
    """Tell whether the server has sent an alert about the certificate that it was shown, or misses one."""
    reason = getattr(error, "reason", None) or ""  # OpenSSL's constant; some have none
    return "_ALERT_" in reason and ("CERTIFICATE" in reason or reason.endswith("_UNKNOWN_CA"))


def _certificate(verify_code: int) -> str:
    if verify_code in _NOT_IN_TIME:
        return "certificate_expired"
    return "certificate_name_mismatch" if verify_code in _OTHER_NAME else "certificate_untrusted"
