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


class Client:
    """One connection, with a request under way."""

    def __init__(self, port: int, request: bytes) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._request = request
        self._received = b""
        self._length = 0

    def send(self) -> None:
        """Send the request."""
        self._received, self._length = b"", 0
        self.sent_at = time.perf_counter()
        self.socket.sendall(self._request)

    def is_answered(self) -> bool:
        """Receive what has come, and tell whether that is the whole answer."""
        chunk = self.socket.recv(1 << 18)
        if not chunk:
            raise SystemExit("the server closed the connection")
        self._received += chunk
        if not self._length:
            head, end, _ = self._received.partition(b"\r\n\r\n")
            if not end:
                return False
            if not head.startswith(b"HTTP/1.1 2"):
                raise SystemExit(head.decode("latin-1"))
            length = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0])
            self._length = len(head) + len(end) + length
        return len(self._received) >= self._length


def load(port: int, request: bytes, clients: int, seconds: float) -> dict[str, float]:
    """Let clients ask until the time is over."""
    took = []
    with selectors.DefaultSelector() as selector:
        for client in [Client(port, request) for _ in range(clients)]:
            selector.register(client.socket, selectors.EVENT_READ, client)
            client.send()
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
