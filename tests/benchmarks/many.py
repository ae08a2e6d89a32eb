"""The benchmark of many data sources: what costs more with 100,000 of them than with 100, measured in turns.

Run as `uv run python tests/benchmarks/many.py`; it takes some minutes and a gigabyte of disk, most of it to make the
data sources. `--sources N` takes another number than 100,000, `--directory DIR` the disk to measure.
"""

from __future__ import annotations

import argparse
import asyncio
import http.client
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from pathlib import Path
from urllib.parse import quote

from run import HERE, SOURCES, TOKEN, Place, Row, Server, create_in_process, in_turns, rate, write_files

from wellhead import clock
from wellhead.assembled import Wellhead
from wellhead.catalog.documents import read_new
from wellhead.catalog.listing import ListQuery
from wellhead.storage.changes import change_of
from wellhead.storage.records import Record, as_stored
from wellhead.storage.sealing import Sealer

FEW = 100
READS = 300
STARTS = 5
SECONDS = 4.0
DELAY_MS = 5
SLOW_DISK = ("strace", "-D", "-f", "--seccomp-bpf", "-qq", "-o", "/dev/null", "-e", "trace=fsync")
SLOW_DISK += ("-e", f"inject=fsync:delay_exit={DELAY_MS * 1000}")
TEAMS = ("sales", "ops", "research", "support")


async def fill(parts: Wellhead, count: int) -> None:
    """Write records as the service would, but do not wait for the disk."""
    sealer = Sealer(parts.store, parts.live_keys)
    await parts.store.make_workspace_id()
    shapes = {name: parts.catalog.registry.describe(name).shape for name in ("postgres", "mysql")}
    for number in range(count):
        kind = ("postgres", "mysql")[number % 2]
        document = {"name": f"warehouse {number:06} {uuid.uuid4().hex[:8]}", "type": kind, "description": "Orders"}
        document |= {"host": "db.example.com", "database": "orders", "username": "reader", "password": "a password"}
        shape = shapes[kind]
        config = read_new(shape, document)
        fields = as_stored(shape.without_secrets(config.model_dump(mode="json", include=set(shape.root.fields))))
        own = {name: value for name, value in fields.items() if name not in Record.__dataclass_fields__}
        now = clock.to_text(clock.now())
        labels = {"team": TEAMS[number % len(TEAMS)], **({"rare": "yes"} if number % 1000 == 0 else {})}
        record = Record(str(uuid.uuid4()), kind, config.name, "Orders", labels, now, now, 1, own)
        record = await sealer.seal(record, shape, change_of(shape, None, config).secrets, previous=None)
        path = parts.settings.workspace / ".datasources" / f"{record.id}.json"
        path.write_bytes(record.encode())
        path.chmod(0o600)


def indexing(place: Place, sources: int) -> Iterator[Row]:
    """Making the index, sweeping it, and telling all states."""
    for workspace, count in (("small", FEW), ("large", sources)):
        with place.parts(workspace) as parts:
            asyncio.run(fill(parts, count))
    with place.parts("large") as parts:
        yield Row(f"make the index of {sources:,}", timed(parts.store.rebuild_index), None, "s", "< 15")
        yield Row("sweep it", timed(parts.store.sweep_index), None, "s")
        wrong = ListQuery(states=("invalid", "secret_unavailable", "type_unavailable"))
        yield Row("tell the states of all, once", timed(lambda: parts.catalog.list(wrong)), None, "s")


def timed(work: Callable[[], object]) -> float:
    """Return how many seconds a piece of asynchronous work takes."""

    async def run() -> float:
        began = time.perf_counter()
        await work()  # type: ignore[misc]  # a coroutine
        return time.perf_counter() - began

    return asyncio.run(run())


def reads(place: Place, sources: int) -> Iterator[Row]:
    """Lists, searches and reads."""
    with place.wellhead("large") as large, place.wellhead("small") as small:
        pages = {
            "list 50, first page": (SOURCES, SOURCES),
            "list 50, last page": (last_page(large), last_page(small)),
            "list 50, newest first": (f"{SOURCES}?sort=-created_at",) * 2,
            "list 50 of a type": (f"{SOURCES}?type=mysql",) * 2,
            "list 50 of a label": (f"{SOURCES}?label=team:ops",) * 2,
        }
        for path in {path for paths in pages.values() for path in paths}:
            for server in (large, small):
                server.send([("GET", path, None)] if "cursor" not in path else [])
        for what, (ours, base) in pages.items():
            found = in_turns(partial(ms_per_get, large, ours), partial(ms_per_get, small, base))
            yield Row(f"{what}, {sources:,} / {FEW}", *found, "ms", "<= 1.3")
        for text in ("042", "e 0420", "orders", "nothing of the kind"):
            path = f"{SOURCES}?q={quote(text)}"
            large.get(path)
            yield Row(f"list with q={text}, {sources:,}", 1000 / large.per_second(path), None, "ms", "< 20")
        ids = {server.port: some_ids(place, name) for server, name in ((large, "large"), (small, "small"))}
        found = in_turns(partial(ms_per_read, large, ids[large.port]), partial(ms_per_read, small, ids[small.port]))
        yield Row(f"get any one, {sources:,} / {FEW}", *found, "ms", "<= 1.1")
        yield Row("resident memory after that", large.memory(), small.memory(), "MB", "<= 1.5")


def ms_per_get(server: Server, path: str) -> float:
    """Return how many milliseconds a GET request takes, sent over and over."""
    return 1000 / server.per_second(path)


def ms_per_read(server: Server, ids: list[str]) -> float:
    """Return how many milliseconds reading one data source takes, each time another one."""
    chosen = random.choices(ids, k=READS)
    began = time.perf_counter()
    server.send(("GET", f"{SOURCES}/{record_id}", None) for record_id in chosen)
    return (time.perf_counter() - began) * 1000 / READS


def last_page(server: Server) -> str:
    """Go to the last page, and return its path."""
    headers, path = {"Authorization": f"Bearer {TOKEN}"}, f"{SOURCES}?limit=50"
    with closing(http.client.HTTPConnection("127.0.0.1", server.port)) as connection:
        following = ""
        while True:
            connection.request("GET", path + following, headers=headers)
            page = json.loads(connection.getresponse().read())
            if page["next"] is None:
                return path + following
            following = f"&cursor={page['next']}"


def some_ids(place: Place, workspace: str) -> list[str]:
    """Return ids of a workspace."""
    found = sorted(path.stem for path in (place.path / workspace / ".datasources").glob("????????-*[0-9a-f].json"))
    return random.Random(1).sample(found, min(len(found), 5000))


def starts(place: Place, sources: int) -> Iterator[Row]:
    """Start to first list."""

    def start(workspace: str) -> float:
        with place.wellhead(workspace) as found:
            return float(found.started_ms)

    found = in_turns(partial(start, "large"), partial(start, "small"), STARTS)
    yield Row(f"start to first list, {sources:,} / {FEW}", *found, "ms", "<= 1.3")


def writes(place: Place, sources: int) -> Iterator[Row]:
    """Creating, with one client and with 32."""
    store = place.path / "large" / ".datasources"
    content = next(store.glob("????????-*.json")).read_bytes()
    raw = partial(rate, store, partial(write_files, store, content))
    with place.wellhead("large") as served, place.parts("large") as parts:
        ours = in_turns(partial(rate, store, partial(create_in_process, parts)), raw)
        yield Row(f"create in process, among {sources:,} / raw loop", *ours, "/s", ">= 0.4")
        ours = in_turns(partial(created_per_second, served, 1), raw, 3)
        yield Row(f"create over HTTP, among {sources:,} / raw loop", *ours, "/s", ">= 0.4")
        both = in_turns(partial(created_per_second, served, 32), partial(created_per_second, served, 1), 3)
        yield Row("create over HTTP, 32 clients / 1 client", *both, "/s", ">= 2.0")


def writes_to_a_slow_disk(place: Place, sources: int) -> Iterator[Row]:
    """Creating, where each fsync takes longer: strace delays it, for Wellhead and for the raw loop alike."""
    if shutil.which("strace") is None:
        print("strace is not there: nothing is measured of a slow disk", flush=True)
        return
    store = place.path / "small" / ".datasources"
    with place.wellhead("small", under=SLOW_DISK) as served:
        one, raw = in_turns(partial(created_per_second, served, 1), partial(raw_on_slow_disk, store), 3)
        yield Row(f"create over HTTP, fsync + {DELAY_MS} ms / raw loop", one, raw, "/s", ">= 0.4")
        both = in_turns(partial(created_per_second, served, 32), partial(created_per_second, served, 1), 3)
        yield Row(f"the same, 32 clients / 1 client, fsync + {DELAY_MS} ms", *both, "/s", ">= 2.0")


def raw_on_slow_disk(store: Path) -> float:
    """Return how many files the raw loop writes per second, where each fsync takes longer."""
    code = f"import pathlib, run; s = pathlib.Path({str(store)!r}); c = next(s.glob('????????-*.json')).read_bytes()"
    code += "; print(run.rate(s, lambda: run.write_files(s, c)))"
    command = [*SLOW_DISK, sys.executable, "-c", code]
    variables = {**os.environ, "PYTHONPATH": str(HERE)}
    return float(subprocess.run(command, env=variables, stdout=subprocess.PIPE, check=True).stdout)


def created_per_second(server: Server, clients: int) -> float:
    """Return how many data sources some clients make per second."""
    command = [sys.executable, str(HERE / "creating.py"), str(server.port), str(clients), str(SECONDS)]
    variables = {**os.environ, "WELLHEAD_TOKEN": TOKEN}
    return float(subprocess.run(command, env=variables, stdout=subprocess.PIPE, check=True).stdout)


def main() -> None:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(description="Measure what many data sources cost.")
    parser.add_argument("--sources", type=int, default=100_000)
    parser.add_argument("--directory", type=Path)
    given = parser.parse_args()
    print(f"{'':46} {'many':>10} {'baseline':>10} {'':4} {'ratio':>6}  target", flush=True)
    with tempfile.TemporaryDirectory(prefix="wellhead-benchmarks-", dir=given.directory) as directory:
        for measure in (indexing, reads, starts, writes, writes_to_a_slow_disk):
            for row in measure(Place(Path(directory)), given.sources):
                print(row, flush=True)


if __name__ == "__main__":
    main()
