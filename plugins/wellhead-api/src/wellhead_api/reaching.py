"""Connecting to a server that speaks HTTP, with TLS or without; and telling which of the two it is when it fails."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Sequence

from yarl import URL

import wellhead

SERVICE = "HTTP"
IS_HTTP = "The server answers without TLS: is it `http:`?"
IS_HTTPS = "The server speaks TLS: use the address that begins with `https:`."
PATIENCE = 2.0
"""Seconds for finding out whether a server speaks TLS that has hung up."""


async def dial(url: URL, context: wellhead.ValidationContext, *, fields: Sequence[str]) -> wellhead.Stream:
    """Connect to the server of an address."""
    return await context.connect(url.raw_host or "", url.port or 0, fields=fields, service=SERVICE)


async def start_tls(stream: wellhead.Stream, tls: ssl.SSLContext, url: URL) -> None:
    """Start TLS.

    Raises:
        CheckFailedError: `tls_not_offered`: the server speaks HTTP without TLS.
        OSError: The handshake failed otherwise.
    """
    try:
        await stream.start_tls(tls, server_hostname=url.raw_host or "")
    except OSError:
        if stream.service == SERVICE:
            raise wellhead.CheckFailedError("tls_not_offered", hint=IS_HTTP) from None
        raise


async def refuse_tls(stream: wellhead.Stream, url: URL, context: wellhead.ValidationContext) -> None:
    """Look whether a server that gave no answer without TLS speaks TLS. Most hang up; some send an alert.

    Raises:
        CheckFailedError: `tls_required`: it does.
    """
    heard = stream.service
    if url.scheme == "http" and (heard == "TLS" or (heard is None and await speaks_tls(url, context))):
        raise wellhead.CheckFailedError("tls_required", hint=IS_HTTPS) from None


async def speaks_tls(url: URL, context: wellhead.ValidationContext) -> bool:
    """Try on a second connection; nothing is sent on it, so that any certificate is as good as another."""
    try:
        async with asyncio.timeout(min(PATIENCE, context.remaining / 2)):
            stream = await dial(url, context, fields=())
            await stream.start_tls(context.verifying_tls(), server_hostname=url.raw_host or "")
    except ssl.SSLCertVerificationError:
        return True
    except (OSError, wellhead.CheckFailedError):  # a `TimeoutError` is an `OSError`
        return False
    return True
