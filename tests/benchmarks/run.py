"""The benchmarks: one table of ratios, each against a baseline that was measured in the same run, in turns with it.

Run as `uv run python tests/benchmarks/run.py`; it takes about two minutes. Absolute numbers say little on somebody
else's machine, ratios do. Nothing here fails on a number: read the table, and look for what became worse.
"""

from __future__ import annotations

import asyncio
import http.client
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import psutil

from wellhead.assembled import Wellhead
from wellhead.assembly import assemble
from wellhead.settings import Settings

HERE = Path(__file__).parent
TOKEN = secrets.token_urlsafe(24)
SOURCES = "/api/v1/datasources"
ROUNDS = 5
WRITES = 40
UNMET = {
    "WELLHEAD_LIMIT_READ": "999999999/minute",
    "WELLHEAD_LIMIT_WRITE": "999999999/minute",
    "WELLHEAD_LIMIT_VALIDATE": "999999999/minute",
    "WELLHEAD_QUOTA": "0",
}
"""Limits that are enforced, and never met."""
MANY = 1000
SECONDS = 0.6


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table: what was measured, beside its baseline, and where it should be.

    Attributes:
        what: What was measured.
        ours: How Wellhead did.
        baseline: How the baseline did; None where there is none.
        unit: The unit of both.
        target: What to aim at, such as `<= 2.0`.
    """

    what: str
    ours: float
    baseline: float | None
    unit: str
    target: str = ""

    def __str__(self) -> str:
        ratio = "" if self.baseline is None else f"{self.ours / self.baseline:.2f}"
        baseline = "" if self.baseline is None else f"{self.baseline:,.1f}"
        return f"{self.what:46} {self.ours:>10,.1f} {baseline:>10} {self.unit:4} {ratio:>6}  {self.target}"


def in_turns(ours: Callable[[], float], baseline: Callable[[], float], rounds: int = ROUNDS) -> tuple[float, float]:
    """Measure two things in turns, so that what else the machine does meets both; return the median of each."""
    pairs = [(ours(), baseline()) for _ in range(rounds)]
    return median(one for one, _ in pairs), median(other for _, other in pairs)


# Processes.


@dataclass(frozen=True, slots=True)
class Server:
    """A server that has answered once.

    Attributes:
        process: Its process.
        port: Its port.
        started_ms: Milliseconds from starting the process to its first answer.
    """

    process: subprocess.Popen[bytes]
    port: int
    started_ms: float = 0.0

    def send(self, requests: Iterable[tuple[str, str, Any]]) -> None:
        """Send requests, each a method, a path and a document or None, over one connection."""
        headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}
        with closing(http.client.HTTPConnection("127.0.0.1", self.port)) as connection:
            for method, path, body in requests:
                connection.request(method, path, None if body is None else json.dumps(body), headers)
                answer = connection.getresponse()
                content = answer.read()
                if not 200 <= answer.status < 300:
                    raise SystemExit(f"{method} {path}: {answer.status} {content!r}")

    def get(self, path: str, times: int = 1) -> None:
        """Send a GET request, several times if it is said so."""
        self.send(("GET", path, None) for _ in range(times))

    def ask(self, path: str) -> Any:
        """Return the document that a path is answered with."""
        with closing(http.client.HTTPConnection("127.0.0.1", self.port)) as connection:
            connection.request("GET", path, headers={"Authorization": f"Bearer {TOKEN}"})
            return json.load(connection.getresponse())

    def per_second(self, path: str, clients: int = 1, seconds: float = SECONDS) -> float:
        """Return how many GET requests are answered per second."""
        return self.load(path, clients, seconds)["rate"]

    def load(self, path: str, clients: int = 1, seconds: float = SECONDS) -> dict[str, float]:
        """Let clients send GET requests; return `rate` per second, `p50_ms` and `p99_ms`. A failed one ends it all."""
        request = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {TOKEN}\r\n\r\n"
        command = [sys.executable, str(HERE / "load.py"), str(self.port), str(clients), str(seconds)]
        told = subprocess.run(command, input=request.encode(), stdout=subprocess.PIPE, check=True).stdout
        found: dict[str, float] = json.loads(told)
        return found

    def cpu(self) -> float:
        """Return how many seconds of a processor it has taken."""
        times = psutil.Process(self.process.pid).cpu_times()
        return float(times.user + times.system)

    def memory(self) -> float:
        """Return its resident memory in MB."""
        return psutil.Process(self.process.pid).memory_info().rss / 1e6


@contextmanager
def server(command: list[str], path: str, log: Path, under: Sequence[str] = (), **environment: str) -> Iterator[Server]:
    """Start a server, wait until it answers `path`, and end it afterwards; `PORT` in the command is its port."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    arguments = [*under, sys.executable, *(str(port) if part == "PORT" else part for part in command)]
    with log.open("ab") as output:
        began = time.perf_counter()
        process = subprocess.Popen(arguments, stdout=output, stderr=output, env={**os.environ, **environment})
    found = Server(process, port)
    try:
        while not _listens(port):
            if process.poll() is not None:
                raise SystemExit(f"the server ended: {log.read_text()}")
            time.sleep(0.002)
        found.get(path)
        yield replace(found, started_ms=(time.perf_counter() - began) * 1000)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(20)


def _listens(port: int) -> bool:
    with socket.socket() as connection:
        return connection.connect_ex(("127.0.0.1", port)) == 0


Asked = tuple[Server, str]
"""A server, and the path that it is asked for."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where all this happens: one directory, with workspaces and the configuration below."""

    path: Path

    @property
    def settings(self) -> dict[str, str]:
        """The variables of every Wellhead here."""
        return {"WELLHEAD_CONFIG_DIR": str(self.path / "config"), "WELLHEAD_TOKEN": TOKEN, **UNMET}

    def wellhead(self, workspace: str, under: Sequence[str] = ()) -> Any:
        """Start Wellhead on a workspace, under another program if need be."""
        directory = self.path / workspace
        directory.mkdir(exist_ok=True)
        command = ["-m", "wellhead", "serve", "--port", "PORT", "--workspace", str(directory)]
        return server(command, SOURCES, self.path / "wellhead.log", under, **self.settings)

    def team(self, *options: str) -> Any:
        """Start Wellhead for several users, with authentication, limits and the audit log; make a key ring first."""
        root = self.path / "root"
        root.mkdir(exist_ok=True)
        variables = {**os.environ, **self.settings}
        if not (self.path / "config" / "keys.json").exists():
            make = [sys.executable, "-m", "wellhead", "keys", "add", "--primary"]
            subprocess.run(make, env=variables, stdout=subprocess.DEVNULL, check=True)
        command = ["-m", "wellhead", "serve", "--port", "PORT", "--root", str(root), *options]
        return server(command, SOURCES, self.path / "wellhead.log", **self.settings)

    def bare(self) -> Any:
        """Start the bare app."""
        return server([str(HERE / "bare.py"), "PORT"], "/one", self.path / "bare.log")

    @contextmanager
    def parts(self, workspace: str) -> Iterator[Wellhead]:
        """Make the parts of a Wellhead in this process."""
        directory = self.path / workspace
        directory.mkdir(exist_ok=True)
        made = assemble(Settings(workspace=directory, config_dir=self.path / "config", quota=0))
        yield made
        made.close()


def document(number: int) -> dict[str, Any]:
    """Return a data source to make."""
    return {
        "name": f"warehouse {number} {secrets.token_hex(4)}",
        "type": "postgres",
        "description": "Orders",
        "labels": {"team": "sales"},
        "host": "db.example.com",
        "database": "orders",
        "username": "reader",
        "password": secrets.token_hex(8),
    }


def python(code: str) -> str:
    """Run code in a fresh process, and return what it prints."""
    return subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, check=True, text=True).stdout


# What is measured.


def imports(_place: Place) -> Iterator[Row]:
    """Import, and the plugins."""
    timed = "import time; t = time.perf_counter(); import {}; print((time.perf_counter() - t) * 1000)"
    own, base = in_turns(
        lambda: float(python(timed.format("wellhead"))), lambda: float(python(timed.format("pydantic")))
    )
    yield Row("import wellhead / import pydantic", own, base, "ms", "<= 1.4")
    every = timed.format("wellhead; [getattr(wellhead, name) for name in wellhead.__all__]")
    uses = timed.format("pydantic; type('M', (pydantic.BaseModel,), {'__annotations__': {'a': int}})")
    own, base = in_turns(lambda: float(python(every)), lambda: float(python(uses)))
    yield Row("  every public name / one pydantic model", own, base, "ms")
    found = [json.loads(python(LOAD)) for _ in range(ROUNDS)]
    for name in found[0]:
        yield Row(f"import plugin {name}", median(times[name][0] for times in found), None, "ms", "< 5")
        yield Row("  and check and register its types", median(times[name][1] for times in found), None, "ms", "< 5")


LOAD = """
import json, time
from importlib.metadata import entry_points
import wellhead.assembly, wellhead.cli.main
from wellhead.plugins import loader, registry
found = {}
for point in entry_points(group="wellhead"):
    began = time.perf_counter()
    point.load()
    imported = (time.perf_counter() - began) * 1000
    (report,) = loader.load_plugins(registry.DataSourceTypeRegistry(), [point])
    found[point.name] = imported, report.load_ms
print(json.dumps(found))
"""


def start(place: Place) -> Iterator[Row]:
    """Start to first answer."""

    def ours() -> float:
        with place.wellhead("start") as found:
            return float(found.started_ms)

    def bare() -> float:
        with place.bare() as found:
            return float(found.started_ms)

    yield Row("start to first answer / bare", *in_turns(ours, bare), "ms", "<= 1.6")


def requests(place: Place) -> Iterator[Row]:
    """Reading one, listing fifty, the types, memory, and the OpenAPI document, in a service for several users."""
    with place.team() as ours, place.bare() as bare:
        yield Row("resident memory, idle / bare", ours.memory(), bare.memory(), "MB", "<= 1.6")
        ours.send(("POST", SOURCES, document(number)) for number in range(MANY))
        one = f"{SOURCES}/{ours.ask(SOURCES)['items'][0]['id']}"
        ours.get(one, times=1000)
        bare.get("/one", times=1000)
        yield Row("resident memory after 1,000 requests / bare", ours.memory(), bare.memory(), "MB", "<= 2.0")
        for clients in (1, 8, 32):
            many = f"{clients} client{'s' if clients > 1 else ''}"
            yield _compared(f"get one, {many} / bare", (ours, one), (bare, "/one"), ">= 0.8", clients)
        for clients in (1, 32):
            yield _slow("get one", ours, one, clients)
            yield _slow("list of 50", ours, SOURCES, clients)
        yield _spent("get one", (ours, one), (bare, "/one"))
        yield _spent("list of 50", (ours, SOURCES), (bare, "/fifty"))
        yield _compared("list 50 of 1,000 / ready bytes", (ours, SOURCES), (bare, _ready(ours, SOURCES)), ">= 0.5")
        yield _compared("  the same / bare list of 50", (ours, SOURCES), (bare, "/fifty"))
        types, document_path = f"{SOURCES}/types", "/openapi.json"
        yield _compared("types / ready bytes", (ours, types), (bare, _ready(ours, types)), ">= 0.8")
        began = time.perf_counter()
        ours.get(document_path)
        first = (time.perf_counter() - began) * 1000
        began = time.perf_counter()
        bare.get("/openapi.json")
        yield Row("openapi.json, first / bare", first, (time.perf_counter() - began) * 1000, "ms")
        ready = _ready(ours, document_path)
        yield _compared("openapi.json, later / ready bytes", (ours, document_path), (bare, ready), ">= 0.8")
        yield Row("resident memory at the end / bare", ours.memory(), bare.memory(), "MB")
    with place.team("--workers", "2") as two, place.team() as ours:
        yield _compared("get one, 8 clients, 2 workers / 1", (two, one), (ours, one), ">= 1.7", 8)


def _compared(what: str, ours: Asked, baseline: Asked, target: str = "", clients: int = 1) -> Row:
    """Compare how often two servers answer, in turns."""
    rates = in_turns(lambda: ours[0].per_second(ours[1], clients), lambda: baseline[0].per_second(baseline[1], clients))
    return Row(what, *rates, "/s", target)


def _ready(ours: Server, path: str) -> str:
    """Return the path at which the bare app has as many bytes ready as ours answers with."""
    return f"/ready/{len(json.dumps(ours.ask(path), ensure_ascii=False, separators=(',', ':')).encode())}"


def _spent(what: str, ours: Asked, baseline: Asked) -> Row:
    """Compare what an answer takes of the processor, which says something beside other work of the machine too."""
    return Row(f"  {what}, processor / bare", *in_turns(partial(_cpu_of, ours), partial(_cpu_of, baseline)), "us")


def _cpu_of(asked: Asked) -> float:
    server, path = asked
    before = server.cpu()
    answers = server.per_second(path) * SECONDS
    return (server.cpu() - before) / answers * 1e6


def _slow(what: str, ours: Server, path: str, clients: int) -> Row:
    """Compare the slowest hundredth of the answers with the usual one."""
    found = ours.load(path, clients, ROUNDS * SECONDS)
    return Row(f"{what}, {clients} at once, p99 / p50", found["p99_ms"], found["p50_ms"], "ms", "<= 10")


def writes(place: Place) -> Iterator[Row]:
    """Creating, over HTTP and in this process."""
    with place.parts("many") as parts:
        for number in range(MANY):
            asyncio.run(parts.catalog.create(document(number)))
    for workspace, note in (("few", ""), ("many", ", among 1,000")):
        with place.wellhead(workspace) as served, place.parts(workspace) as parts:
            made, _ = asyncio.run(parts.catalog.create(document(0)))
            store = place.path / workspace / ".datasources"
            content = (store / f"{made['id']}.json").read_bytes()
            measure = partial(rate, store)
            rates = in_turns(
                partial(measure, partial(create_in_process, parts)),
                partial(measure, partial(write_files, store, content)),
            )
            yield Row(f"create in process{note} / raw loop", *rates, "/s", ">= 0.4")
            rates = in_turns(
                partial(measure, partial(create_over_http, served)),
                partial(measure, partial(write_files, store, content)),
            )
            yield Row(f"create over HTTP{note} / raw loop", *rates, "/s", ">= 0.3")


def rate(store: Path, write: Callable[[], None]) -> float:
    """Return how many writes there are per second, and remove what was written."""
    before = set(store.iterdir())
    began = time.perf_counter()
    write()
    took = time.perf_counter() - began
    for path in set(store.iterdir()) - before:
        path.unlink()
    return WRITES / took


def create_over_http(served: Server) -> None:
    """Make data sources over HTTP."""
    served.send(("POST", SOURCES, document(number)) for number in range(WRITES))


def create_in_process(parts: Wellhead) -> None:
    """Make data sources without HTTP."""

    async def create() -> None:
        for number in range(WRITES):
            await parts.catalog.create(document(number))

    asyncio.run(create())


def write_files(directory: Path, content: bytes) -> None:
    """Write, fsync, rename, fsync of the directory: the least that a durable write takes."""
    for _ in range(WRITES):
        temporary = directory / ".raw"
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.rename(directory / f"raw-{secrets.token_hex(8)}")
        descriptor = os.open(directory, os.O_RDONLY)
        os.fsync(descriptor)
        os.close(descriptor)


def main() -> None:
    """Measure, and print the table."""
    print(f"{'':46} {'wellhead':>10} {'baseline':>10} {'':4} {'ratio':>6}  target", flush=True)
    with tempfile.TemporaryDirectory(prefix="wellhead-benchmarks-") as directory:
        place = Place(Path(directory))
        for measure in (imports, start, requests, writes):
            for row in measure(place):
                print(row, flush=True)


if __name__ == "__main__":
    main()
