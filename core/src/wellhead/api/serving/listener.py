"""The socket that the service listens on."""

from __future__ import annotations

import ipaddress
import socket

from wellhead.errors import SettingsError

GRACE = 10
"""Seconds that requests in flight get to finish when the service ends."""


def listen(host: str, port: int, *, for_others: bool = False) -> socket.socket:
    """Open the socket that the service listens on.

    Args:
        host: The address, or its name.
        port: The port; 0 takes a free one.
        for_others: Whether other machines may reach it.

    Raises:
        SettingsError: The address is not one of this machine's loopback though it must be, or cannot be listened on.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError) as error:
        raise SettingsError(f"WELLHEAD_HOST: the address {host} is not known.") from error
    family, kind, protocol, _, address = found[0]
    if not for_others and not ipaddress.ip_address(str(address[0])).is_loopback:
        raise SettingsError(
            f"{host} is not a loopback address. A service that others reach needs --root DIR for its users, and "
            "--tls-certificate with --tls-key, or --behind-proxy. For yourself use --host 127.0.0.1, and reach it from "
            "elsewhere through an SSH tunnel."
        )
    # asyncio turns Nagle's algorithm off only where the protocol is named; with it, answers take 40 ms.
    listener = socket.socket(family, kind, protocol)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(address)
    except OSError as error:
        listener.close()
        raise SettingsError(f"Port {port} of {host} cannot be used: {error.strerror}. Try --port 0.") from error
    return listener


def url_of(listener: socket.socket, *, scheme: str = "http") -> str:
    """Return the address of the service."""
    host, port = listener.getsockname()[:2]
    return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"
