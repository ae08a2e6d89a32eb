"""Certificates for tests, from an authority that only they trust: good ones, and ones with each fault.

certificates = make_certificates()
with servers.tls(certificates.expired) as server:
    ...  # a client that trusts `certificates.ca` must refuse it
"""

from __future__ import annotations

import datetime
import ipaddress
from dataclasses import dataclass
from functools import cache

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

DAY = datetime.timedelta(days=1)
HERE = ("localhost", "127.0.0.1", "::1")
"""The names of this machine that servers for tests are reached by."""


@dataclass(frozen=True)
class Pair:
    """A certificate and its private key, both PEM."""

    certificate: str
    key: str


class Authority:
    """An authority that signs certificates.

    Attributes:
        certificate: Its own certificate (PEM), for clients that are to trust it.
    """

    def __init__(self, name: str = "Wellhead test authority") -> None:
        """Make an authority with a key of its own.

        Args:
            name: The common name in its certificate.
        """
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _name(name)
        certificate = _builder(self._name, self._name, self._key, days=365).add_extension(
            x509.BasicConstraints(ca=True, path_length=None), critical=True
        )
        self.certificate = _pem(certificate.sign(self._key, hashes.SHA256()))

    def sign(self, name: str, *hosts: str, days: int = 90, from_days: int = -10) -> Pair:
        """Sign a certificate, for a server or a client.

        Args:
            name: The common name in it.
            hosts: The host names and addresses that it is for.
            days: In how many days it expires; it has expired if that is below 0.
            from_days: In how many days it begins to be valid; it is valid already if that is 0 or below.
        """
        key = ec.generate_private_key(ec.SECP256R1())
        builder = _builder(_name(name), self._name, key, days=days, from_days=from_days)
        return _pair(_for_hosts(builder, hosts), key, signed_with=self._key)


def self_signed(name: str, *hosts: str, days: int = 90) -> Pair:
    """Make a certificate that no authority has signed; the arguments are those of `Authority.sign`."""
    key = ec.generate_private_key(ec.SECP256R1())
    return _pair(_for_hosts(_builder(_name(name), _name(name), key, days=days), hosts), key, signed_with=key)


@dataclass(frozen=True)
class Certificates:
    """A certificate of every kind.

    Attributes:
        ca: The certificate of the authority that signed all but `self_signed`, `untrusted` and `untrusted_client`.
        server: For `localhost`, 127.0.0.1 and ::1.
        expired: The same, but it expired a day ago.
        expires_soon: The same, but it expires in ten days.
        not_yet_valid: The same, but it will be valid only tomorrow.
        other_name: For another host.
        name_only: For `localhost`, not for its addresses.
        self_signed: For the hosts of `server`, signed by nobody but itself.
        untrusted: For the same hosts, by an authority that nobody trusts.
        client: For the user `cert_user`.
        untrusted_client: The same, by that other authority.
        other_ca: That other authority's certificate.
    """

    ca: str
    server: Pair
    expired: Pair
    expires_soon: Pair
    not_yet_valid: Pair
    other_name: Pair
    name_only: Pair
    self_signed: Pair
    untrusted: Pair
    client: Pair
    untrusted_client: Pair
    other_ca: str


@cache
def make_certificates() -> Certificates:
    """Make the certificates; once in a process, so that all its tests share them."""
    authority, stranger = Authority(), Authority("A stranger")
    return Certificates(
        ca=authority.certificate,
        server=authority.sign("localhost", *HERE),
        expired=authority.sign("localhost", *HERE, days=-1),
        expires_soon=authority.sign("localhost", *HERE, days=10),
        not_yet_valid=authority.sign("localhost", *HERE, from_days=1),
        other_name=authority.sign("db.example.com", "db.example.com"),
        name_only=authority.sign("localhost", "localhost"),
        self_signed=self_signed("localhost", *HERE),
        untrusted=stranger.sign("localhost", *HERE),
        client=authority.sign("cert_user"),
        untrusted_client=stranger.sign("cert_user"),
        other_ca=stranger.certificate,
    )


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _host(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, *, days: int, from_days: int = -10
) -> x509.CertificateBuilder:
    now = datetime.datetime.now(datetime.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + from_days * DAY)
        .not_valid_after(now + days * DAY + datetime.timedelta(hours=1))
    )


def _for_hosts(builder: x509.CertificateBuilder, hosts: tuple[str, ...]) -> x509.CertificateBuilder:
    """Add what a certificate of a server, or without hosts of a client, is for."""
    uses = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH])
    builder = builder.add_extension(uses, critical=False)
    if not hosts:
        return builder
    return builder.add_extension(x509.SubjectAlternativeName([_host(host) for host in hosts]), critical=False)


def _pair(
    builder: x509.CertificateBuilder, key: ec.EllipticCurvePrivateKey, *, signed_with: ec.EllipticCurvePrivateKey
) -> Pair:
    text = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return Pair(_pem(builder.sign(signed_with, hashes.SHA256())), text.decode())


def _pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(serialization.Encoding.PEM).decode()
