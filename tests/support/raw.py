"""Requests as bytes: what a client library would never send."""

from __future__ import annotations

import socket

from support.canary import hear
from support.service import Service


def raw(
    service: Service, head: str, body: bytes = b"", *, token: bool | str = True, close: bool = True
) -> tuple[int, str]:
    """Send bytes as they are, and return the status and all that comes back, until the service ends the connection.

    Args:
        service: The service.
        head: The lines of the head; those for the token, and for the end of the connection, are added.
        body: What follows the head.
        token: The token; True for the service's own, False for none.
        close: Whether the service is asked to end the connection.
    """
    presented = service.token if token is True else token
    lines = [*head.split("\n"), *([f"Authorization: Bearer {presented}"] if presented else [])]
    lines += ["Connection: close"] if close else []
    host, port = service.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        connection.sendall("\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body)
        answer = b"".join(iter(lambda: connection.recv(65536), b""))
    hear(answer)
    return int(answer.split(b" ", 2)[1]), answer.decode("utf-8", errors="replace")
