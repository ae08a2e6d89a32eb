"""For whom a server's certificate is, where it is not for the host that was meant."""

from __future__ import annotations

import ipaddress
import re
import ssl
from collections.abc import Iterable
from typing import Any

_DNS_NAME = re.compile(r"(\*\.)?[A-Za-z0-9-]{1,63}(\.[A-Za-z0-9-]{1,63}){0,6}")
_LONGEST = 80
_MOST = 4
_OTHER_NAME = {62, 64}
"""A name, an address (OpenSSL, x509_vfy.h)."""


class OtherNameError(ssl.SSLCertVerificationError):
    """A certificate is for other names than the host's.

    Attributes:
        names: A few of them, made sure of: they are DNS names or addresses.
    """

    def __init__(self, verify_code: int, names: tuple[str, ...]) -> None:
        super().__init__(ssl.SSL_ERROR_SSL, "certificate for another name")
        self.verify_code = verify_code
        self.names = names


class NamingSSLObject(ssl.SSLObject):
    """A TLS connection that says for whom a certificate is which is refused because of its name."""

    def do_handshake(self) -> None:
        """Start TLS.

        Raises:
            OtherNameError: The certificate is for another name.
        """
        try:
            super().do_handshake()
        except ssl.SSLCertVerificationError as error:
            if error.verify_code not in _OTHER_NAME:
                raise
            raise OtherNameError(error.verify_code, names_of(self._alternatives())) from None

    def _alternatives(self) -> Iterable[tuple[str, str]]:
        """Return the names in the certificate; Python shows it only after a handshake that worked."""
        connection: Any = getattr(self, "_sslobj", None)
        try:
            certificate = connection.get_unverified_chain()[0].get_info()
        except (AttributeError, IndexError, TypeError, ValueError, ssl.SSLError):  # none of it is public
            return ()
        alternatives: Iterable[tuple[str, str]] = certificate.get("subjectAltName", ())
        return alternatives


def names_of(alternatives: Iterable[tuple[str, str]]) -> tuple[str, ...]:
    """Return the DNS names and the addresses of a certificate that can be shown, at most four.

    Args:
        alternatives: Pairs of kind and name, as `ssl.SSLSocket.getpeercert` has them in `subjectAltName`.
    """
    found = [name for kind, text in alternatives if (name := _shown(kind, text)) is not None]
    return tuple(dict.fromkeys(found))[:_MOST]


def _shown(kind: str, text: str) -> str | None:
    if kind == "DNS":
        return text.lower() if len(text) <= _LONGEST and _DNS_NAME.fullmatch(text) else None
    if kind != "IP Address":
        return None
    try:
        return str(ipaddress.ip_address(text.strip()))
    except ValueError:
        return None
