"""The load generator: keep-alive clients that send one request over and over, with as little work as possible.

Run as `python load.py PORT CLIENTS SECONDS`, with the bytes of one request on standard input; prints the requests
that were answered per second. An answer that is no success ends it with an error.
"""

from __future__ import annotations

import socket
import sys
import threading
import time


def answer(connection: socket.socket) -> bytes:
    """Receive one answer that has a Content-Length, and return its head."""
    received = b""
    while b"\r\n\r\n" not in received:
        received += _more(connection)
    head, _, body = received.partition(b"\r\n\r\n")
    length = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0])
    left = length - len(body)
    while left > 0:
        left -= len(_more(connection))
    return head


def _more(connection: socket.socket) -> bytes:
    chunk = connection.recv(1 << 16)
    if not chunk:
        raise ConnectionError("the server closed the connection")
    return chunk


def client(port: int, request: bytes, seconds: float, counts: list[int]) -> None:
    """Send the request until the time is over, and add how often it was answered."""
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        count, end = 0, time.perf_counter() + seconds
        while time.perf_counter() < end:
            connection.sendall(request)
            head = answer(connection)
            if not head.startswith(b"HTTP/1.1 2"):
                raise SystemExit(head.decode("latin-1"))
            count += 1
    counts.append(count)


if __name__ == "__main__":
    to_port, clients, duration = int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])
    content, answered = sys.stdin.buffer.read(), []  # type: tuple[bytes, list[int]]
    threads = [threading.Thread(target=client, args=(to_port, content, duration, answered)) for _ in range(clients)]
    started = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if len(answered) != clients:
        raise SystemExit("a client failed")
    print(sum(answered) / (time.perf_counter() - started))
