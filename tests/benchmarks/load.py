"""The load generator: keep-alive clients that send one request over and over, with as little work as possible.

Run as `python load.py PORT CLIENTS SECONDS`, with the bytes of one request on standard input; prints how many requests
were answered per second, and the milliseconds in which half of them and 99 % of them were, as a JSON object. An answer
that is no success, or a connection that is closed, ends it with an error.
"""

from __future__ import annotations

import json
import selectors
import socket
import sys
import time

LENGTH = b"content-length: "
BUFFER = bytearray(1 << 16)
"""Where all clients receive: what they do takes time from the server, so nothing is made or kept of an answer."""


class Client:
    """One connection, with a request under way."""

    def __init__(self, port: int, request: bytes) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._request = request
        self._missing = 0

    def send(self) -> None:
        """Send the request."""
        self.sent_at = time.perf_counter()
        self.socket.sendall(self._request)

    def is_answered(self) -> bool:
        """Receive what has come, and tell whether that is the whole answer. Its head comes in one piece."""
        size = self.socket.recv_into(BUFFER)
        if not size:
            raise SystemExit("the server closed the connection")
        if not self._missing:
            end = BUFFER.find(b"\r\n\r\n", 0, size)
            start = BUFFER.find(LENGTH, 0, end)
            if not BUFFER.startswith(b"HTTP/1.1 2") or end < 0 or start < 0:
                raise SystemExit(bytes(BUFFER[:size]).decode("latin-1"))
            start += len(LENGTH)
            self._missing = end + 4 + int(BUFFER[start : BUFFER.index(b"\r", start)])
        self._missing -= size
        return not self._missing


def load(port: int, request: bytes, clients: int, seconds: float) -> dict[str, float]:
    """Let clients ask until the time is over."""
    took = []
    with selectors.DefaultSelector() as selector:
        for _ in range(clients):
            client = Client(port, request)
            selector.register(client.socket, selectors.EVENT_READ, client)
            client.send()
            time.sleep(0.002)  # they come one after the other: of several workers, whichever is free takes one
        began = time.perf_counter()
        while (now := time.perf_counter()) < began + seconds:
            for key, _ in selector.select(1.0):
                if key.data.is_answered():
                    took.append(time.perf_counter() - key.data.sent_at)
                    key.data.send()
        for key in list(selector.get_map().values()):
            key.data.socket.close()
    took.sort()
    p50, p99 = (took[int(len(took) * part)] * 1000 for part in (0.5, 0.99))
    return {"rate": len(took) / (now - began), "p50_ms": p50, "p99_ms": p99}


if __name__ == "__main__":
    to_port, clients, duration = int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])
    print(json.dumps(load(to_port, sys.stdin.buffer.read(), clients, duration)))
