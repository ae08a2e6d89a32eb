"""What exceptions mean."""

import asyncio
import errno
import socket
import ssl

import pytest

from wellhead.codes import CODES
from wellhead.validation.diagnosis import diagnose


class LoginError(Exception):
    """What a driver raises."""


class WrongPasswordError(LoginError):
    """What a driver raises, more exactly."""


TABLE = {"LoginError": "login_not_permitted", "WrongPasswordError": "auth_failed"}


def _verification(code: int) -> ssl.SSLCertVerificationError:
    error = ssl.SSLCertVerificationError(1, "certificate verify failed")
    error.verify_code = code
    return error


def _alert(reason: str) -> ssl.SSLError:
    error = ssl.SSLError(1, "alert")
    error.reason = reason
    return error


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (WrongPasswordError("x"), "auth_failed"),
        (LoginError("x"), "login_not_permitted"),
        (ConnectionRefusedError(), "connection_refused"),
        (ConnectionResetError(), "connection_lost"),
        (BrokenPipeError(), "connection_lost"),
        (EOFError(), "connection_lost"),
        (asyncio.IncompleteReadError(b"", 1), "connection_lost"),
        (TimeoutError(), "connection_timeout"),
        (OSError(errno.ETIMEDOUT, "x"), "connection_timeout"),
        (socket.gaierror(socket.EAI_NONAME, "x"), "host_not_found"),
        (socket.gaierror(socket.EAI_AGAIN, "x"), "dns_failed"),
        (OSError(errno.EHOSTUNREACH, "x"), "network_unreachable"),
        (OSError(errno.ENETUNREACH, "x"), "network_unreachable"),
        (_verification(10), "certificate_expired"),
        (_verification(9), "certificate_expired"),
        (_verification(62), "certificate_name_mismatch"),
        (_verification(64), "certificate_name_mismatch"),
        (_verification(18), "certificate_untrusted"),
        (_verification(20), "certificate_untrusted"),
        (ssl.SSLError(1, "x"), "tls_failed"),
        (ssl.SSLEOFError(8, "x"), "tls_failed"),
        (_alert("TLSV1_ALERT_UNKNOWN_CA"), "client_certificate_invalid"),
        (_alert("TLSV13_ALERT_CERTIFICATE_REQUIRED"), "client_certificate_invalid"),
        (_alert("SSLV3_ALERT_BAD_CERTIFICATE"), "client_certificate_invalid"),
        (_alert("SSLV3_ALERT_HANDSHAKE_FAILURE"), "tls_failed"),
        (_alert("WRONG_VERSION_NUMBER"), "tls_failed"),
        (ValueError("x"), "protocol_error"),
        (KeyError("x"), "protocol_error"),
        (UnicodeDecodeError("utf-8", b"x", 0, 1, "x"), "protocol_error"),
        (OSError(errno.EMFILE, "x"), "protocol_error"),
        (MemoryError(), "protocol_error"),
    ],
    ids=repr,
)
def test_an_exception_has_a_code_of_the_catalogue(error: Exception, code: str) -> None:
    assert diagnose(error, TABLE) == code
    assert code in CODES


def test_the_types_own_table_counts_before_what_is_known_in_general() -> None:
    assert diagnose(ConnectionRefusedError(), {"ConnectionRefusedError": "server_starting"}) == "server_starting"
    assert diagnose(ConnectionRefusedError(), {"OSError": "server_starting"}) == "server_starting"


def test_L_11_the_text_of_an_exception_is_never_looked_at() -> None:
    class TellingError(Exception):
        def __str__(self) -> str:
            raise AssertionError("looked at")

        __repr__ = __str__

    assert diagnose(TellingError(), {}) == "protocol_error"
