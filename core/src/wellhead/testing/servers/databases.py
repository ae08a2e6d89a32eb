"""Servers that begin as PostgreSQL and MySQL do, and want what they must not get."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from contextlib import contextmanager

from wellhead.testing.certificates import Pair, make_certificates
from wellhead.testing.servers import scripts
from wellhead.testing.servers.running import RunningServer, Script, Upgrade, running, serve

POSTGRES_UPGRADE = Upgrade(hears=8, answers=b"S")
"""PostgreSQL is asked for TLS, and says yes (PostgreSQL documentation, 55.2.11)."""

_POSTGRES_WANTS_CLEAR = b"R\0\0\0\x08\0\0\0\x03"
_POSTGRES_LETS_IN = b"R\0\0\0\x08\0\0\0\0" + b"S\0\0\0\x18server_version\x0016.2\0" + b"Z\0\0\0\x05I"

_SALT = b"abcdefghijklmnopqrst"
_TLS = 1 << 11
_CAPABILITIES = 0x003FF7FF
_MYSQL_LETS_IN = b"\0\0\0\2\0\0\0"


def mysql_packet(number: int, payload: bytes) -> bytes:
    """Return a packet of MySQL's protocol: its length, its number, and what is in it."""
    return len(payload).to_bytes(3, "little") + bytes([number]) + payload


def mysql_greeting(*, plugin: bytes = b"mysql_native_password", offers_tls: bool = True) -> bytes:
    """Return what a MySQL server says first (MySQL documentation, Protocol::HandshakeV10).

    Args:
        plugin: How the client is to log in.
        offers_tls: Whether the server says that it speaks TLS.
    """
    capabilities = _CAPABILITIES | _TLS if offers_tls else _CAPABILITIES
    head = b"\x0a8.0.36\0" + struct.pack("<I", 7) + _SALT[:8] + b"\0"
    flags = struct.pack("<HBHHB", capabilities & 0xFFFF, 45, 2, capabilities >> 16, 21)
    return mysql_packet(0, head + flags + bytes(10) + _SALT[8:] + b"\0" + plugin + b"\0")


MYSQL_UPGRADE = Upgrade(says=mysql_greeting(), hears=36)
"""MySQL greets and offers TLS, and the client begins it with a packet (MySQL documentation, Protocol::SSLRequest)."""


@contextmanager
def postgres_wanting_clear_password(*, tls: Pair | bool = False) -> Iterator[RunningServer]:
    """Ask for the password in clear text as PostgreSQL does, and let everybody in.

    Args:
        tls: Whether it speaks TLS when it is asked to; another certificate than the good one may be given.
    """
    script = scripts.saying(_POSTGRES_WANTS_CLEAR, _POSTGRES_LETS_IN)
    with _perhaps_encrypted(script, tls, POSTGRES_UPGRADE) as server:
        yield server


@contextmanager
def mysql_wanting_clear_password(*, tls: Pair | bool = False) -> Iterator[RunningServer]:
    """Ask for the password in clear text as MySQL does (`mysql_clear_password`), and let everybody in.

    Args:
        tls: Whether it speaks TLS; another certificate than the good one may be given.
    """
    first = 3 if tls else 2
    switch = mysql_packet(first, b"\xfemysql_clear_password\0")
    parts = switch, mysql_packet(first + 2, _MYSQL_LETS_IN)
    greeting = mysql_greeting(plugin=b"mysql_clear_password", offers_tls=False)
    script = scripts.saying(*parts) if tls else scripts.saying(greeting, *parts, wait_first=False)
    with _perhaps_encrypted(script, tls, MYSQL_UPGRADE) as server:
        yield server


@contextmanager
def postgres_without_tls() -> Iterator[RunningServer]:
    """Refuse TLS as PostgreSQL does when it is asked for it, and let everybody in who goes on without."""
    with serve(scripts.saying(b"N", _POSTGRES_LETS_IN)) as server:
        yield server


@contextmanager
def mysql_without_tls() -> Iterator[RunningServer]:
    """Greet as MySQL does without offering TLS, and let everybody in who goes on nevertheless."""
    parts = mysql_greeting(offers_tls=False), mysql_packet(2, _MYSQL_LETS_IN)
    with serve(scripts.saying(*parts, wait_first=False)) as server:
        yield server


@contextmanager
def _perhaps_encrypted(script: Script, tls: Pair | bool, upgrade: Upgrade) -> Iterator[RunningServer]:
    server = RunningServer()
    certificates = make_certificates()
    if not tls:
        with running(server, script):
            yield server
        return
    server.ca_certificate = certificates.ca
    with running(server, script, tls=tls if isinstance(tls, Pair) else certificates.server, upgrade=upgrade):
        yield server
