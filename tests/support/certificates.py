"""Certificates of an authority of the tests' own: good ones, and ones with each fault."""

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


@dataclass(frozen=True)
class Pair:
    """A certificate and its private key, both PEM."""

    certificate: str
    key: str


class Authority:
    """An authority that signs certificates."""

    def __init__(self, name: str) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = _name(name)
        certificate = _builder(self._name, self._name, self._key, days=900).add_extension(
            x509.BasicConstraints(ca=True, path_length=None), critical=True
        )
        self.certificate = _pem(certificate.sign(self._key, hashes.SHA256()))

    def sign(self, name: str, *hosts: str, days: int = 90, since: int = -10, by_itself: bool = False) -> Pair:
        """Sign a certificate for hosts.

        Args:
            name: Whom it names.
            hosts: Their names and addresses.
            days: In how many days it expires; below 0 it has expired.
            since: In how many days it begins to be valid.
            by_itself: The authority takes no part in it.
        """
        key = ec.generate_private_key(ec.SECP256R1())
        issuer, signer = (_name(name), key) if by_itself else (self._name, self._key)
        builder = _builder(_name(name), issuer, key, days=days, since=since).add_extension(
            x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False
        )
        if hosts:
            builder = builder.add_extension(
                x509.SubjectAlternativeName([_host(host) for host in hosts]), critical=False
            )
        text = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        return Pair(_pem(builder.sign(signer, hashes.SHA256())), text.decode())


@dataclass(frozen=True)
class Certificates:
    """All that the tests need.

    Attributes:
        ca: The certificate of the authority that signed all but `untrusted` and `untrusted_client`.
        server: For `localhost`, 127.0.0.1 and ::1.
        expired: The same, but it expired a day ago.
        expiring: The same, but it expires in 12 days.
        not_yet_valid: The same, but it is valid from tomorrow on.
        self_signed: For the same hosts, by nobody.
        other_name: For another host.
        name_only: For `localhost`, not for its addresses.
        untrusted: For the same hosts, by an authority that nobody trusts.
        client: For the user `cert_user`.
        untrusted_client: The same, by that other authority.
        other_ca: That other authority's certificate.
    """

    ca: str
    server: Pair
    expired: Pair
    expiring: Pair
    not_yet_valid: Pair
    self_signed: Pair
    other_name: Pair
    name_only: Pair
    untrusted: Pair
    client: Pair
    untrusted_client: Pair
    other_ca: str


@cache
def make_certificates() -> Certificates:
    """Make them, once."""
    authority, stranger = Authority("Wellhead test authority"), Authority("A stranger")
    here = ("localhost", "127.0.0.1", "::1")
    return Certificates(
        ca=authority.certificate,
        server=authority.sign("localhost", *here),
        expired=authority.sign("localhost", *here, days=-1),
        expiring=authority.sign("localhost", *here, days=12),
        not_yet_valid=authority.sign("localhost", *here, since=1),
        self_signed=authority.sign("localhost", *here, by_itself=True),
        other_name=authority.sign("db.example.com", "db.example.com"),
        name_only=authority.sign("localhost", "localhost"),
        untrusted=stranger.sign("localhost", *here),
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
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, *, days: int, since: int = -10
) -> x509.CertificateBuilder:
    now = datetime.datetime.now(datetime.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + since * DAY)
        .not_valid_after(now + days * DAY + datetime.timedelta(hours=1))
    )


def _pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(serialization.Encoding.PEM).decode()
