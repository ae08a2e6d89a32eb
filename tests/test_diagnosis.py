"""What exceptions mean."""

from __future__ import annotations

import asyncio
import builtins
import errno
import socket
import ssl
import time
from collections.abc import Callable
from importlib import import_module
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wellhead.codes import CODES
from wellhead.errors import CheckFailedError
from wellhead.guard.egress import EgressPolicy
from wellhead.guard.tls import certificate_fault, tls_fault
from wellhead.model.result import Check
from wellhead.validation.inside.context import RunContext
from wellhead.validation.inside.diagnosis import diagnose, is_slip, understand
from wellhead.validation.inside.steps import Reports
from wellhead.validation.wording import Wording


class LoginError(Exception):
    """What a driver raises."""


class WrongPasswordError(LoginError):
    """What a driver raises, more exactly."""


TABLE = {"LoginError": "login_not_permitted", "WrongPasswordError": "auth_failed", "1045": "auth_failed"}


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (WrongPasswordError("x"), "auth_failed"),
        (LoginError("x"), "login_not_permitted"),
        (RuntimeError(1045, "x"), "auth_failed"),
        (ConnectionRefusedError(), "connection_refused"),
        (ConnectionResetError(), "connection_lost"),
        (BrokenPipeError(), "connection_lost"),
        (ConnectionAbortedError(), "connection_lost"),
        (ConnectionError(), "connection_lost"),
        (EOFError(), "connection_lost"),
        (asyncio.IncompleteReadError(b"", 1), "connection_lost"),
        (TimeoutError(), "connection_timeout"),
        (MemoryError(), "resources_exhausted"),
        (ssl.SSLError(1, "x"), "tls_failed"),
        (ssl.SSLEOFError(8, "x"), "tls_failed"),
        (ssl.SSLCertVerificationError(1, "x"), "certificate_untrusted"),
        (ValueError("x"), "protocol_error"),
        (KeyError("x"), "protocol_error"),
        (asyncio.LimitOverrunError("x", 1), "protocol_error"),
        (UnicodeDecodeError("utf-8", b"x", 0, 1, "x"), "protocol_error"),
        (OSError(errno.EXDEV, "x"), "protocol_error"),
        (PermissionError(errno.EACCES, "a file that the plugin opened"), "protocol_error"),
    ],
    ids=repr,
)
def test_an_exception_has_a_code_of_the_catalogue(error: Exception, code: str) -> None:
    assert diagnose(error, TABLE) == code
    assert code in CODES


ERRNOS = {
    "ECONNREFUSED": "connection_refused",
    "ETIMEDOUT": "connection_timeout",
    "ECONNRESET": "connection_lost",
    "ECONNABORTED": "connection_lost",
    "EPIPE": "connection_lost",
    "ENOTCONN": "connection_lost",
    "ESHUTDOWN": "connection_lost",
    "ENETRESET": "connection_lost",
    "EHOSTUNREACH": "network_unreachable",
    "EHOSTDOWN": "network_unreachable",
    "ENETUNREACH": "network_unreachable",
    "ENETDOWN": "network_unreachable",
    "EADDRNOTAVAIL": "network_unreachable",
    "EAFNOSUPPORT": "network_unreachable",
    "EMFILE": "resources_exhausted",
    "ENFILE": "resources_exhausted",
    "ENOBUFS": "resources_exhausted",
    "ENOMEM": "resources_exhausted",
}


class WrappingError(OSError):
    """What drivers make of an error of the system: the class is theirs, the number is not."""


@pytest.mark.parametrize("name", ERRNOS)
@pytest.mark.parametrize("kind", [OSError, WrappingError])
def test_an_error_of_the_system_has_its_code_whatever_its_class(kind: type[OSError], name: str) -> None:
    assert diagnose(kind(getattr(errno, name), "x"), TABLE) == ERRNOS[name]


NAME_SERVICE = {
    "EAI_NONAME": "host_not_found",
    "EAI_NODATA": "host_not_found",
    "EAI_ADDRFAMILY": "host_not_found",
    "EAI_FAMILY": "host_not_found",
    "EAI_AGAIN": "dns_failed",
    "EAI_FAIL": "dns_failed",
    "EAI_SYSTEM": "dns_failed",
    "EAI_MEMORY": "dns_failed",
}


@pytest.mark.parametrize("name", NAME_SERVICE)
def test_D_49_an_error_of_the_name_service_has_its_code(name: str) -> None:
    assert diagnose(socket.gaierror(getattr(socket, name, -3), "x"), TABLE) in {NAME_SERVICE[name], "dns_failed"}
    assert not hasattr(socket, name) or diagnose(socket.gaierror(getattr(socket, name), "x"), {}) == NAME_SERVICE[name]


CERTIFICATES = {
    "certificate_not_yet_valid": {9, 13},
    "certificate_expired": {10, 14},
    "certificate_self_signed": {18},
    "certificate_untrusted": {2, 7, 19, 20, 21, 22, 27, 28},
    "certificate_revoked": {23},
    "certificate_unsuitable": {24, 25, 26, 66, 67, 68, 79},
    "certificate_name_mismatch": {62, 64},
}


@pytest.mark.parametrize(("code", "number"), [(code, one) for code, all_ in CERTIFICATES.items() for one in all_])
def test_what_openssl_finds_in_a_certificate_has_its_code(code: str, number: int) -> None:
    error = ssl.SSLCertVerificationError(1, "certificate verify failed")
    error.verify_code = number

    assert diagnose(error, TABLE) == code


@pytest.mark.parametrize("number", range(120))
def test_whatever_openssl_finds_in_a_certificate_has_a_code(number: int) -> None:
    assert certificate_fault(number) in CODES


HANDSHAKES = {
    "SSLV3_ALERT_HANDSHAKE_FAILURE": "tls_failed",
    "WRONG_VERSION_NUMBER": "tls_failed",
    "RECORD_LAYER_FAILURE": "tls_failed",
    "HTTP_REQUEST": "tls_failed",
    "TLSV1_ALERT_INTERNAL_ERROR": "tls_failed",
    "UNSAFE_LEGACY_RENEGOTIATION_DISABLED": "tls_failed",
    "TLSV1_ALERT_PROTOCOL_VERSION": "tls_version_unsupported",
    "UNSUPPORTED_PROTOCOL": "tls_version_unsupported",
    "WRONG_SSL_VERSION": "tls_version_unsupported",
    "VERSION_TOO_LOW": "tls_version_unsupported",
    "TLSV1_UNRECOGNIZED_NAME": "tls_name_unknown",
    "TLSV13_ALERT_CERTIFICATE_REQUIRED": "client_certificate_required",
    "SSLV3_ALERT_NO_CERTIFICATE": "client_certificate_required",
    "TLSV1_ALERT_UNKNOWN_CA": "client_certificate_invalid",
    "TLSV1_ALERT_ACCESS_DENIED": "client_certificate_invalid",
    "SSLV3_ALERT_BAD_CERTIFICATE": "client_certificate_invalid",
    "SSLV3_ALERT_CERTIFICATE_EXPIRED": "client_certificate_invalid",
    "SSLV3_ALERT_CERTIFICATE_REVOKED": "client_certificate_invalid",
    "SSLV3_ALERT_CERTIFICATE_UNKNOWN": "client_certificate_invalid",
    "SSLV3_ALERT_UNSUPPORTED_CERTIFICATE": "client_certificate_invalid",
    "DH_KEY_TOO_SMALL": "certificate_unsuitable",
    "CA_MD_TOO_WEAK": "certificate_unsuitable",
}


@pytest.mark.parametrize("reason", HANDSHAKES)
def test_what_makes_a_handshake_fail_has_its_code(reason: str) -> None:
    error = ssl.SSLError(1, "x")
    error.reason = reason

    assert diagnose(error, TABLE) == tls_fault(reason) == HANDSHAKES[reason]


def test_the_types_own_table_counts_before_what_is_known_in_general() -> None:
    assert diagnose(ConnectionRefusedError(), {"ConnectionRefusedError": "server_starting"}) == "server_starting"
    assert diagnose(ConnectionRefusedError(), {"OSError": "server_starting"}) == "server_starting"


def raised_from(error: Exception, cause: BaseException) -> Exception:
    error.__cause__ = cause
    return error


def test_what_an_exception_was_raised_from_tells_where_itself_does_not() -> None:
    assert diagnose(raised_from(ValueError(), ConnectionRefusedError()), TABLE) == "connection_refused"
    assert diagnose(raised_from(LoginError(), ConnectionRefusedError()), TABLE) == "login_not_permitted"
    assert understand(raised_from(ValueError(), KeyError()), TABLE) is None


def test_what_tls_says_counts_before_what_a_driver_makes_of_it() -> None:
    alert = ssl.SSLError(1, "x")
    alert.reason = "TLSV13_ALERT_CERTIFICATE_REQUIRED"

    assert diagnose(raised_from(LoginError(), alert), TABLE) == "client_certificate_required"
    assert diagnose(raised_from(LoginError(), ssl.SSLEOFError(8, "x")), TABLE) == "login_not_permitted"


def test_a_chain_without_end_is_left() -> None:
    error = ValueError()

    assert diagnose(raised_from(error, error), {}) == "protocol_error"


def test_L_11_the_text_of_an_exception_is_never_looked_at() -> None:
    class TellingError(Exception):
        def __str__(self) -> str:
            raise AssertionError("looked at")

        __repr__ = __str__

    assert diagnose(TellingError(), {}) == "protocol_error"


MARK = f"m{uuid4().hex}"
"""A text that can come from nowhere but an exception."""
BUILT_IN = [
    kind
    for kind in vars(builtins).values()
    if isinstance(kind, type) and issubclass(kind, Exception) and not issubclass(kind, BaseExceptionGroup | Warning)
]


def _instance(kind: type[Exception]) -> Exception:
    if issubclass(kind, UnicodeError) and kind is not UnicodeError:
        return kind.__new__(kind)
    return kind(MARK)


def _made_up(name: str, base: type[Exception], attributes: dict[str, Any]) -> Exception:
    try:
        made = type(name, (base,), attributes)
        error = made(MARK, MARK)
    except TypeError:  # the base wants other arguments
        return RuntimeError(MARK)
    return error


built_in = st.sampled_from(BUILT_IN).map(_instance)
numbered = st.builds(lambda number: OSError(number, MARK), st.integers(-20, 200))
of_tls = st.builds(lambda kind: kind(1, MARK), st.sampled_from([ssl.SSLError, ssl.SSLCertVerificationError]))
made_up = st.builds(
    _made_up,
    st.from_regex(r"[A-Z][a-z]{1,8}", fullmatch=True),
    st.sampled_from(BUILT_IN),
    st.dictionaries(st.sampled_from(["reason", "verify_code", "sqlstate"]), st.none() | st.integers() | st.just(MARK)),
)
single = built_in | numbered | of_tls | made_up
chained = st.builds(raised_from, single, single)
errors = st.recursive(
    single | chained, lambda inner: st.builds(lambda many: ExceptionGroup(MARK, many), st.lists(inner, min_size=1))
)


@given(errors)
def test_L_11_whatever_a_check_raises_has_a_code_of_the_catalogue_and_shows_no_text(error: Exception) -> None:
    checks: list[Check] = []
    logged: list[str] = []
    context = RunContext(
        files=None,  # type: ignore[arg-type]  # nothing is opened
        policy=EgressPolicy((), (), public_only=False),
        wording=Wording(()),
        errors=TABLE,
        deadline=time.monotonic() + 1,
        reports=Reports(checks.append, defect=logged.extend),
    )

    with pytest.raises(CheckFailedError) as raised, context.check("login"):
        raise error

    [check] = checks
    assert check.status == "failed"
    assert check.code in CODES
    assert check.message == CODES[check.code].title
    assert MARK not in f"{check} {raised.value} {logged}"
    assert not logged or check.code in {"protocol_error", "plugin_error"}


class Given:
    """What core gives to a validator."""


def raised_by(function: Callable[[], object]) -> Exception:
    with pytest.raises(Exception) as raised:  # noqa: PT011  # whatever it is
        function()
    return raised.value


def _misspelt() -> object:
    return missing  # type: ignore[name-defined]  # noqa: F821  # that is the slip


def _not_there() -> object:
    return import_module("wellhead.nowhere")


SLIPS: list[Callable[[], Any]] = [
    _misspelt,
    _not_there,
    lambda: Given().wran,  # type: ignore[attr-defined]
    lambda: ssl.create_contxt,  # type: ignore[attr-defined]
    lambda: None.reveal,  # type: ignore[attr-defined]
]
DOINGS_OF_A_SERVER: list[Callable[[], Any]] = [
    lambda: None.group(1),  # type: ignore[attr-defined]
    lambda: dict[str, str]()["version"],
    lambda: b"x" + "y",  # type: ignore[operator]
    lambda: int("many"),
]


@pytest.mark.parametrize("slip", SLIPS)
def test_a_slip_in_code_is_told_from_what_a_server_did(slip: Callable[[], Any]) -> None:
    assert is_slip(raised_by(slip), given=(Given,), package=__name__.partition(".")[0])


@pytest.mark.parametrize("doing", DOINGS_OF_A_SERVER)
def test_what_an_answer_may_have_caused_is_not_called_a_slip(doing: Callable[[], Any]) -> None:
    assert not is_slip(raised_by(doing), given=(Given,), package=__name__.partition(".")[0])


@pytest.mark.parametrize("slip", [_misspelt, SLIPS[3]])
def test_a_name_that_a_driver_does_not_find_is_not_the_plugins_slip(slip: Callable[[], Any]) -> None:
    assert not is_slip(raised_by(slip), given=(Given,), package="another_package")
