"""The benchmark of many plugins: what each costs at a start, and what a reload and the OpenAPI document cost others.

Run as `uv run python tests/benchmarks/plugins.py`; it takes about a minute. The plugins are generated, built as wheels
and installed into a directory of its own.
"""

from __future__ import annotations

import json
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from statistics import median

from run import HERE, SOURCES, Place, Row, Server, in_turns, python, server

sys.path.append(str(HERE.parent))
from support.distributions import Site, good

PLUGINS = 100
FEW = 20
TYPES = 300
STARTS = 7
RELOADS = 5
CLIENTS = 4
ALONE = 400


class Bench:
    """Services beside plugins of their own."""

    def __init__(self, path: Path) -> None:
        self.place = Place(path)

    def site(self, name: str, plugins: int) -> Site:
        """Install generated plugins of one type each into a directory."""
        site = Site(self.place.path / name)
        for number in range(plugins):
            site.install(f"generated{number}", good(f"generated-{_letters(number)}"))
        return site

    @contextmanager
    def service(self, site: Site) -> Iterator[Server]:
        """Run the service with the plugins of a directory besides those that are installed."""
        workspace = self.place.path / "workspace"
        workspace.mkdir(exist_ok=True)
        command = ["-m", "wellhead", "serve", "--port", "PORT", "--workspace", str(workspace)]
        cache = str(self.place.path / "cache")
        variables = {**self.place.settings, "WELLHEAD_CACHE_DIR": cache, "PYTHONPATH": str(site.path)}
        with server(command, SOURCES, self.place.path / "wellhead.log", **variables) as found:
            yield found

    def start(self, site: Site) -> float:
        """Return the milliseconds to the first answer."""
        with self.service(site) as found:
            return float(found.started_ms)

    def start_bare(self) -> float:
        """Return the milliseconds to the first answer of the bare app."""
        with self.place.bare() as found:
            return float(found.started_ms)


COUNTED = """
import json
from wellhead.plugins import loader, registry
types = registry.DataSourceTypeRegistry()
loader.load_plugins(types)
print(json.dumps(types.list_types()))
"""


def _letters(number: int) -> str:
    return "".join("abcdefghij"[int(digit)] for digit in str(number))


def starts(bench: Bench) -> Iterator[Row]:
    """What plugins cost at a start: each is imported on trial once, and never again."""
    none, many = bench.site("none", 0), bench.site("many", PLUGINS)
    installed = len(json.loads(python(COUNTED)))
    twenty = bench.site("twenty", FEW - installed)
    bench.start(twenty)
    ours, base = in_turns(lambda: bench.start(twenty), bench.start_bare, STARTS)
    yield Row(f"start to first answer with {FEW} types / bare", ours, base, "ms", "<= 1.6")
    first = bench.start(many)
    bench.start(none)
    ours, base = in_turns(lambda: bench.start(many), lambda: bench.start(none), STARTS)
    yield Row(f"start with {PLUGINS} plugins more / none", ours, base, "ms")
    yield Row("  each of them", (ours - base) / PLUGINS, None, "ms", "<= 2")
    yield Row("  each of them at the first start, with its trial", (first - base) / PLUGINS, None, "ms")


def document(bench: Bench) -> Iterator[Row]:
    """What others notice of the OpenAPI document of very many types, which is made when it is first asked for."""
    with bench.service(bench.site("types", TYPES)) as found:
        alone = sorted(timed(found, SOURCES) for _ in range(ALONE))
        took: list[float] = []
        asking = threading.Thread(target=lambda: took.append(timed(found, "/openapi.json")))
        meanwhile: list[float] = []
        asking.start()
        while asking.is_alive():
            meanwhile.append(timed(found, SOURCES))
        asking.join()
        yield Row(f"OpenAPI document of {TYPES} types, first / then", took[0], timed(found, "/openapi.json"), "ms")
        yield Row("  longest request meanwhile / median alone", max(meanwhile), median(alone), "ms")


def reloads(bench: Bench) -> Iterator[Row]:
    """A reload of one new plugin, while others ask all the time."""
    site = bench.site("reloaded", 0)
    with bench.service(site) as found:
        alone = median(timed(found, SOURCES) for _ in range(ALONE))
        ended, took = threading.Event(), []  # type: tuple[threading.Event, list[float]]

        def ask() -> list[float]:
            times = []
            while not ended.is_set():
                times.append(timed(found, SOURCES))
            return times

        with ThreadPoolExecutor(CLIENTS) as clients:
            asking = [clients.submit(ask) for _ in range(CLIENTS)]
            try:
                for number in range(RELOADS):
                    site.install(f"new{number}", good(f"new-{_letters(number)}"))
                    began = time.perf_counter()
                    found.send([("POST", "/api/v1/plugins/reload", None)])
                    took.append((time.perf_counter() - began) * 1000)
            finally:
                ended.set()
            every = sorted(one for times in asking for one in times.result())  # a request that failed raises here
        yield Row("reload of one new plugin, under load", median(took), None, "ms", "< 300")
        yield Row("  99 of 100 requests meanwhile / median alone", every[len(every) * 99 // 100], alone, "ms")


def timed(found: Server, path: str) -> float:
    """Return the milliseconds of one GET request."""
    began = time.perf_counter()
    found.get(path)
    return (time.perf_counter() - began) * 1000


def main() -> None:
    """Print the table, line by line."""
    with tempfile.TemporaryDirectory() as directory:
        bench = Bench(Path(directory))
        for part in (starts, document, reloads):
            print(f"\n{part.__doc__}", flush=True)
            for row in part(bench):
                print(row, flush=True)


if __name__ == "__main__":
    main()
