"""Servers that speak TLS: one that does it well, and ones with each fault."""

from __future__ import annotations

import asyncio
import ssl
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from wellhead.testing.certificates import Pair, make_certificates
from wellhead.testing.servers import scripts
from wellhead.testing.servers.running import RunningServer, Script, Upgrade, running, serve, server_context


@contextmanager
def tls(
    certificate: Pair | ssl.SSLContext | None = None,
    *,
    script: Script = scripts.echoing,
    upgrade: Upgrade | None = None,
) -> Iterator[RunningServer]:
    """Speak TLS with a good certificate, whose authority is in `server.ca_certificate`, and answer with what comes.

    Args:
        certificate: Another certificate to show, one of `certificates.make_certificates()` or of an `Authority`.
        script: What is done with a connection after the handshake.
        upgrade: What is said before the handshake, as PostgreSQL and MySQL do; nothing if left out.
    """
    known = make_certificates()
    server = RunningServer()
    server.ca_certificate = known.ca
    with running(server, script, tls=certificate or known.server, upgrade=upgrade):
        yield server


@contextmanager
def expired(*, upgrade: Upgrade | None = None) -> Iterator[RunningServer]:
    """Show a certificate that expired a day ago, signed by `server.ca_certificate`."""
    with tls(make_certificates().expired, upgrade=upgrade) as server:
        yield server


@contextmanager
def expiring_soon(*, upgrade: Upgrade | None = None) -> Iterator[RunningServer]:
    """Show a good certificate that expires in ten days, signed by `server.ca_certificate`."""
    with tls(make_certificates().expires_soon, upgrade=upgrade) as server:
        yield server


@contextmanager
def self_signed(*, upgrade: Upgrade | None = None) -> Iterator[RunningServer]:
    """Show a certificate for this machine that no authority has signed."""
    with tls(make_certificates().self_signed, upgrade=upgrade) as server:
        yield server


@contextmanager
def wrong_name(*, upgrade: Upgrade | None = None) -> Iterator[RunningServer]:
    """Show a certificate for another host, signed by `server.ca_certificate`."""
    with tls(make_certificates().other_name, upgrade=upgrade) as server:
        yield server


@contextmanager
def old_tls(*, upgrade: Upgrade | None = None) -> Iterator[RunningServer]:
    """Speak nothing newer than TLS 1.1; where OpenSSL has that no more, no client at all gets in."""
    context = server_context(make_certificates().server)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # that these versions are old is what they are here for
        context.minimum_version = ssl.TLSVersion.TLSv1
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    context.set_ciphers("ALL:@SECLEVEL=0")
    with tls(context, upgrade=upgrade) as server:
        yield server


@contextmanager
def stalling_in_handshake(*, upgrade: Upgrade | None = None) -> Iterator[RunningServer]:
    """Take the beginning of a TLS handshake, and never answer it."""
    with serve(_before_handshake(scripts.silent, upgrade)) as server:
        yield server


@contextmanager
def closing_in_handshake(*, upgrade: Upgrade | None = None) -> Iterator[RunningServer]:
    """Take the beginning of a TLS handshake, answer with a part of a message, and close the connection."""
    part = b"\x16\x03\x03\x00\x7a\x02\x00\x00\x76\x03\x03"  # a ServerHello up to its version (RFC 8446, 4.1.3)
    with serve(_before_handshake(scripts.closing_after(part), upgrade)) as server:
        yield server


def _before_handshake(script: Script, upgrade: Upgrade | None) -> Script:
    """Do something in place of the handshake."""

    async def before(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if upgrade is not None:
            writer.write(upgrade.says)
            await reader.readexactly(upgrade.hears)
            writer.write(upgrade.answers)
        await script(reader, writer)

    return before
