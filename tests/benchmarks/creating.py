"""Clients that make data sources, each one after the other over a connection of its own.

Run as `python creating.py PORT CLIENTS SECONDS`, with the token in `WELLHEAD_TOKEN`; prints how many were made per
second. An answer that is no success ends it with an error.
"""

from __future__ import annotations

import http.client
import json
import os
import secrets
import sys
import threading
import time
from contextlib import closing


def client(port: int, end: float, counts: list[int]) -> None:
    """Make data sources until the time is over, and add how many."""
    headers = {"Authorization": f"Bearer {os.environ['WELLHEAD_TOKEN']}", "Content-Type": "application/json"}
    count = 0
    with closing(http.client.HTTPConnection("127.0.0.1", port)) as connection:
        while time.perf_counter() < end:
            name = f"made {secrets.token_hex(8)}"
            document = {"name": name, "type": "postgres", "host": "db.example.com", "database": "orders"}
            document |= {"username": "reader", "password": secrets.token_hex(8)}
            connection.request("POST", "/api/v1/datasources", json.dumps(document), headers)
            answer = connection.getresponse()
            content = answer.read()
            if answer.status != 201:
                raise SystemExit(f"{answer.status} {content!r}")
            count += 1
    counts.append(count)


if __name__ == "__main__":
    to_port, clients, seconds = int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])
    made: list[int] = []
    started = time.perf_counter()
    threads = [threading.Thread(target=client, args=(to_port, started + seconds, made)) for _ in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if len(made) != clients:
        raise SystemExit("a client failed")
    print(sum(made) / (time.perf_counter() - started))
