"""The benchmarks of validation: one, and a thousand at once, against the bare driver and a bare loop in the same run.

Run as `uv run python tests/benchmarks/validation.py`; it takes some two minutes.
"""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median, quantiles
from typing import Any

import asyncpg
import httpx2

sys.path[:0] = [str(Path(__file__).parents[1])]
from run import Row, in_turns  # noqa: E402  # it lies beside this file

from support.postgres import Postgres, start_postgres  # noqa: E402  # found by what the line above adds
from support.service import SOURCES, Service, running_service  # noqa: E402  # as above

MANY = 1000
PORTS = 40
ANSWER_SECONDS = 0.1
DEADLINE = 5
WORKERS = 16


# Targets, in processes of their own.


def answer_slowly(ports: Any, silent: bool) -> None:
    """Serve HTTP on some ports, each answer after a tenth of a second, or never."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.readuntil(b"\r\n\r\n")
            await asyncio.sleep(3600 if silent else ANSWER_SECONDS)
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Type: application/json\r\n\r\n{}")
            await writer.drain()
        except (OSError, EOFError):
            pass
        finally:
            writer.close()

    async def serve() -> None:
        servers = [await asyncio.start_server(handle, "127.0.0.1", 0, backlog=512) for _ in range(PORTS)]
        ports.put([server.sockets[0].getsockname()[1] for server in servers])
        await asyncio.Event().wait()

    asyncio.run(serve())


@contextmanager
def targets(*, silent: bool = False) -> Iterator[list[int]]:
    """Run targets, and give their ports."""
    spawn = multiprocessing.get_context("spawn")
    ports = spawn.Queue()
    process = spawn.Process(target=answer_slowly, args=(ports, silent), daemon=True)
    process.start()
    try:
        yield ports.get(timeout=30)
    finally:
        process.kill()
        process.join()


# Bare loops.


async def bare_dials(ports: list[int], at_once: int) -> None:
    """Ask each target what a validation asks, with nothing around it."""
    gate = asyncio.Semaphore(at_once)

    async def one(number: int) -> None:
        async with gate:
            reader, writer = await asyncio.open_connection("127.0.0.1", ports[number % len(ports)])
            writer.write(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
            await reader.read(4096)
            writer.close()

    await asyncio.gather(*(one(number) for number in range(MANY)))


async def bare_login(postgres: Postgres) -> None:
    """Log in and ask what a validation asks."""
    connection = await asyncpg.connect(
        host="127.0.0.1", port=postgres.port, user="reader", password=postgres.password, database="shop", ssl=False
    )
    await connection.execute("BEGIN READ ONLY; SET LOCAL statement_timeout = 5000")
    await connection.fetchval("SELECT current_setting('server_version_num')::int")
    await connection.fetchval("SELECT pg_is_in_recovery()")
    await connection.fetchval("SELECT count(*) FROM pg_catalog.pg_class")
    await connection.close()


async def bare_logins(postgres: Postgres, at_once: int) -> None:
    gate = asyncio.Semaphore(at_once)

    async def one() -> None:
        async with gate:
            await bare_login(postgres)

    await asyncio.gather(*(one() for _ in range(MANY)))


def seconds_of(work: Callable[[], Any]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


# The service.


def make(service: Service, documents: list[dict[str, Any]]) -> list[str]:
    return [service.client.post(SOURCES, json=document).json()["id"] for document in documents]


def api_documents(ports: list[int], number: int, prefix: str = "api") -> list[dict[str, Any]]:
    return [
        {"name": f"{prefix} {index}", "type": "api", "url": f"http://127.0.0.1:{ports[index % len(ports)]}/"}
        for index in range(number)
    ]


def postgres_documents(postgres: Postgres, number: int) -> list[dict[str, Any]]:
    fields = {"host": "127.0.0.1", "port": postgres.port, "database": "shop", "username": "reader"}
    fields |= {"password": postgres.password, "tls_mode": "disable", "type": "postgres"}
    return [{"name": f"postgres {index}", **fields} for index in range(number)]


def validate_all(service: Service, **query: Any) -> list[tuple[float, dict[str, Any]]]:
    """Validate many, and give each line with the seconds after which it came."""
    began = time.perf_counter()
    with service.client.stream("POST", f"{SOURCES}/validations", params=query, timeout=600) as answer:
        return [(time.perf_counter() - began, json.loads(line)) for line in answer.iter_lines()]


def ask(url: str, headers: dict[str, str], over: Any, took: Any) -> None:
    """Send GET requests until it is over, and put the milliseconds that each took."""
    found = []
    with httpx2.Client(headers=headers, timeout=60) as client:
        while not over.wait(0.01):
            began = time.perf_counter()
            client.get(url).raise_for_status()
            found.append((time.perf_counter() - began) * 1000)
    took.put(found)


def watched(service: Service, path: str, work: Callable[[], float]) -> tuple[float, list[float]]:
    """Do some work, while another process sends GET requests; return what it gives, and their milliseconds."""
    spawn = multiprocessing.get_context("spawn")
    over, took = spawn.Event(), spawn.Queue()
    headers = {"Authorization": f"Bearer {service.token}"}
    process = spawn.Process(target=ask, args=(service.url + path, headers, over, took), daemon=True)
    process.start()
    found = work()
    over.set()
    requests = took.get(timeout=60)
    process.join()
    return found, requests


def single(service: Service, postgres: Postgres) -> Row:
    [source] = make(service, postgres_documents(postgres, 1))
    path = f"{SOURCES}/{source}/validate"

    def ours() -> float:
        began = time.perf_counter()
        answer = service.client.post(path).json()
        assert answer["success"], answer
        return (time.perf_counter() - began) * 1000

    for _ in range(3):
        ours()
    mine, bare = in_turns(ours, lambda: seconds_of(lambda: asyncio.run(bare_login(postgres))) * 1000, 15)
    service.client.delete(f"{SOURCES}/{source}")
    return Row("one validation of PostgreSQL over HTTP", mine, bare, "ms", "<= 60 ms more")


def thousand_targets(service: Service, ports: list[int]) -> list[Row]:
    ids = make(service, api_documents(ports, MANY))
    took: list[float] = []

    def ours() -> float:
        seconds, requests = watched(
            service, f"{SOURCES}/{ids[0]}", lambda: checked(validate_all(service, type="api"), MANY)
        )
        took.extend(requests)
        return seconds

    mine, bare = in_turns(ours, lambda: seconds_of(lambda: asyncio.run(bare_dials(ports, 200))), 3)
    for source in ids:
        service.client.delete(f"{SOURCES}/{source}")
    p99 = quantiles(took, n=100)[98]
    return [
        Row("1,000 targets that answer in 100 ms", mine, bare, "s", "<= 10"),
        Row("GET meanwhile, p99", p99, None, "ms", "< 50 ms"),
        Row("GET meanwhile, median", median(took), None, "ms"),
    ]


def checked(lines: list[tuple[float, dict[str, Any]]], number: int) -> float:
    """Return when the last line came, of a run in which all passed."""
    totals = lines[-1][1]["totals"]
    assert sum(totals.get(status, 0) for status in ("passed", "warning")) == number, totals
    return lines[-1][0]


def thousand_logins(service: Service, postgres: Postgres) -> Row:
    ids = make(service, postgres_documents(postgres, MANY))
    ours, bare = in_turns(
        lambda: checked(validate_all(service, type="postgres"), MANY),
        lambda: seconds_of(lambda: asyncio.run(bare_logins(postgres, 32))),
        3,
    )
    for source in ids:
        service.client.delete(f"{SOURCES}/{source}")
    return Row("1,000 logins to PostgreSQL", ours, bare, "s", "<= 2.5")


def some_never_answer(service: Service, ports: list[int]) -> list[Row]:
    with targets(silent=True) as silent:
        ids = make(service, api_documents(ports, 900)) + make(service, api_documents(silent, 100, "silent"))
        lines = validate_all(service, type="api", timeout=DEADLINE)
    for source in ids:
        service.client.delete(f"{SOURCES}/{source}")
    good = [at for at, line in lines[:-1] if line["result"]["success"]]
    assert len(good) == 900, lines[-1]
    limit = 100 * DEADLINE / WORKERS + 5
    return [
        Row("the 900 of 1,000 that answer, the last of them", max(good), None, "s", "in their own time"),
        Row("all, 100 of which never answer", lines[-1][0], None, "s", f"<= {limit:.0f} s"),
    ]


def main() -> None:
    """Measure all, and print the table."""
    with tempfile.TemporaryDirectory() as directory, start_postgres() as postgres, targets() as ports:
        workspace = Path(directory) / "workspace"
        workspace.mkdir()
        settings = {"WELLHEAD_VALIDATION_WORKERS": str(WORKERS), "WELLHEAD_LOG_LEVEL": "error"}
        with running_service(workspace, Path(directory) / "config", **settings) as service:
            print(f"{'what':46} {'ours':>10} {'baseline':>10} {'':4} {'ratio':>6}  target   ({os.cpu_count()} cores)")
            for measure in (
                lambda: [single(service, postgres)],
                lambda: thousand_targets(service, ports),
                lambda: [thousand_logins(service, postgres)],
                lambda: some_never_answer(service, ports),
            ):
                for row in measure():
                    print(row, flush=True)


if __name__ == "__main__":
    main()
