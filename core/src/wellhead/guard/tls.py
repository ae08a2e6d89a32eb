"""TLS contexts of our own, which log no keys and speak nothing older than TLS 1.2; and what OpenSSL complains of."""

from __future__ import annotations

import contextlib
import os
import ssl
import tempfile
from collections.abc import Iterator

from wellhead.errors import CheckFailedError
from wellhead.guard.certificate_names import NamingSSLObject
from wellhead.model.families import TlsMode

# What X509_verify_cert says (OpenSSL, x509_vfy.h).
_CERTIFICATE_FAULTS = {
    "certificate_not_yet_valid": (9, 13),
    "certificate_expired": (10, 14),
    "certificate_self_signed": (18,),
    "certificate_revoked": (23,),
    "certificate_unsuitable": (24, 25, 26, 32, 34, 37, 39, 41, 47, 48, 66, 67, 68, 79, 94),
    "certificate_name_mismatch": (62, 63, 64),
}
# Parts of the names that OpenSSL has for what fails in a handshake (sslerr.h); the first that fits counts.
_HANDSHAKE_FAULTS = (
    ("ALERT_CERTIFICATE_REQUIRED", "client_certificate_required"),
    ("ALERT_NO_CERTIFICATE", "client_certificate_required"),
    ("ALERT_UNKNOWN_CA", "client_certificate_invalid"),
    ("ALERT_ACCESS_DENIED", "client_certificate_invalid"),
    ("ALERT_BAD_CERTIFICATE", "client_certificate_invalid"),
    ("ALERT_CERTIFICATE", "client_certificate_invalid"),
    ("ALERT_UNSUPPORTED_CERTIFICATE", "client_certificate_invalid"),
    ("ALERT_PROTOCOL_VERSION", "tls_version_unsupported"),
    ("UNSUPPORTED_PROTOCOL", "tls_version_unsupported"),
    ("WRONG_SSL_VERSION", "tls_version_unsupported"),
    ("VERSION_TOO_LOW", "tls_version_unsupported"),
    ("UNRECOGNIZED_NAME", "tls_name_unknown"),
    ("CA_MD_TOO_WEAK", "certificate_unsuitable"),
    ("KEY_TOO_SMALL", "certificate_unsuitable"),
)


def client_context(
    mode: TlsMode,
    *,
    ca_certificate: str | None = None,
    client_certificate: str | None = None,
    client_key: str | None = None,
) -> ssl.SSLContext | None:
    """Make the TLS context of a client.

    `ssl.create_default_context` is not used, because it writes the keys of sessions to `SSLKEYLOGFILE`.

    Args:
        mode: How the server is checked.
        ca_certificate: Certificates (PEM) of the authorities to trust; the system's if None.
        client_certificate: Certificate (PEM) to show to the server.
        client_key: Its private key (PEM).

    Returns:
        The context; None for `disable`.

    Raises:
        CheckFailedError: `certificate_untrusted` or `client_certificate_invalid`, where a PEM text is damaged.
    """
    if mode == "disable":
        return None
    context = verifying_context(ca_certificate=ca_certificate)
    context.check_hostname = mode == "verify-full"
    context.verify_mode = ssl.CERT_NONE if mode == "require" else ssl.CERT_REQUIRED
    if client_certificate is not None and client_key is not None:
        _show(context, client_certificate, client_key)
    return context


def verifying_context(*, ca_certificate: str | None = None) -> ssl.SSLContext:
    """Make the TLS context of a client that checks the server's certificate and its name.

    Args:
        ca_certificate: Certificates (PEM) of the authorities to trust; the system's if None.

    Raises:
        CheckFailedError: `certificate_untrusted`, where the PEM text is damaged.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.sslobject_class = NamingSSLObject
    try:
        if ca_certificate is not None:
            context.load_verify_locations(cadata=ca_certificate)
        else:
            context.load_default_certs()
    except (ssl.SSLError, ValueError, TypeError):  # a `TypeError` where it is not ASCII
        hint = "The text in 'ca_certificate' is damaged. Copy it again."
        raise CheckFailedError("certificate_untrusted", hint=hint, fields=["/ca_certificate"]) from None
    return context


def certificate_fault(verify_code: int) -> str:
    """Return the code of what is wrong with a server's certificate.

    Args:
        verify_code: What OpenSSL found, as in `ssl.SSLCertVerificationError`.
    """
    found = (code for code, numbers in _CERTIFICATE_FAULTS.items() if verify_code in numbers)
    return next(found, "certificate_untrusted")


def tls_fault(reason: str) -> str:
    """Return the code of what made a handshake fail.

    Args:
        reason: OpenSSL's name for it, as in `ssl.SSLError`; empty where there is none.
    """
    return next((code for part, code in _HANDSHAKE_FAULTS if part in reason), "tls_failed")


def _show(context: ssl.SSLContext, certificate: str, key: str) -> None:
    """Let the context show a certificate. OpenSSL takes it from a file, so it gets one that is in memory only."""
    with _file_of(f"{certificate}\n{key}\n") as path:
        try:
            context.load_cert_chain(path, password=lambda: b"")  # without it, OpenSSL asks at the terminal
        except (ssl.SSLError, OSError):
            fields = ["/client_certificate", "/client_key"]
            raise CheckFailedError("client_certificate_invalid", fields=fields) from None


@contextlib.contextmanager
def _file_of(text: str) -> Iterator[str]:
    if not hasattr(os, "memfd_create"):  # macOS: a file that nobody else may read, for as long as it takes
        with tempfile.NamedTemporaryFile("w", encoding="ascii") as file:
            file.write(text)
            file.flush()
            yield file.name
        return
    descriptor = os.memfd_create("wellhead", os.MFD_CLOEXEC)
    try:
        os.write(descriptor, text.encode("utf-8"))
        yield f"/proc/self/fd/{descriptor}"
    finally:
        os.close(descriptor)
