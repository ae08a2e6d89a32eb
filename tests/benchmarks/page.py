"""The benchmark of the page: what its list costs with 100,000 data sources and with 100, and how much a browser loads.

Run as `uv run python tests/benchmarks/page.py`; it takes some minutes and a gigabyte of disk, most of it to make the
data sources. `--sources N` takes another number than 100,000.
"""

from __future__ import annotations

import argparse
import asyncio
import http.client
import re
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from functools import partial
from pathlib import Path
from urllib.parse import urlencode

from many import FEW, fill
from run import TOKEN, Place, Row, Server, in_turns

TIMES = 200
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
_ADDRESS = re.compile(rb'(?:href|src)="(/static/[^"]+)"')


class Browser:
    """Something that signs in and loads pages, over one connection at a time."""

    def __init__(self, server: Server) -> None:
        self._server = server
        headers, _ = self._load([("POST", "/sign-in", urlencode({"token": TOKEN}), FORM)])[0]
        self._session = {"Cookie": headers["set-cookie"].partition(";")[0], "Accept-Encoding": "gzip"}

    def get(self, path: str, times: int = 1) -> bytes:
        """Load a page, and return it as it was sent."""
        return self._load([("GET", path, None, self._session)] * times)[-1][1]

    def milliseconds(self, path: str) -> float:
        """Return how long a page takes, loaded over and over."""
        began = time.perf_counter()
        self.get(path, TIMES)
        return (time.perf_counter() - began) * 1000 / TIMES

    def _load(self, requests: list[tuple[str, str, str | None, dict[str, str]]]) -> list[tuple[dict[str, str], bytes]]:
        answers = []
        with closing(http.client.HTTPConnection("127.0.0.1", self._server.port)) as connection:
            for request in requests:
                connection.request(*request)
                answer = connection.getresponse()
                content = answer.read()
                if answer.status != 200:
                    raise SystemExit(f"{request[0]} {request[1]}: {answer.status} {content!r}")
                answers.append(({name.lower(): value for name, value in answer.getheaders()}, content))
        return answers


def pages(place: Place, sources: int) -> Iterator[Row]:
    """Lists with many and with few."""
    for workspace, count in (("small", FEW), ("large", sources)):
        with place.parts(workspace) as parts:
            asyncio.run(fill(parts, count))
            asyncio.run(parts.store.rebuild_index())
    with place.wellhead("large") as large, place.wellhead("small") as small:
        many, few = Browser(large), Browser(small)
        addresses = {"first page": "/", "of a type": "/?type=mysql", "newest first": "/?sort=-created_at"}
        for what, path in addresses.items():
            many.get(path), few.get(path)
            found = in_turns(partial(many.milliseconds, path), partial(few.milliseconds, path))
            yield Row(f"list, {what}, {sources:,} / {FEW}", *found, "ms", "<= 1.3")
        last = [fourth_page(browser) for browser in (many, few)]
        found = in_turns(partial(many.milliseconds, last[0]), partial(few.milliseconds, last[1]))
        yield Row(f"list, fourth page, {sources:,} / {FEW}", *found, "ms", "<= 1.3")
        yield Row("what a browser loads at first", payload(many), None, "kB", "< 60")


def fourth_page(browser: Browser) -> str:
    """Go some pages on, as a reader would, and return where that is."""
    path = "/"
    for _ in range(3):
        found = re.search(rb'rel="next" href="([^"]+)"', browser.get(path))
        if found is None:
            break
        path = found[1].decode().replace("&amp;", "&")
    return path


def payload(browser: Browser) -> float:
    """Return how many kilobytes the list takes, with all that it needs, as it is sent."""
    html = browser.get("/")
    scripts = {address.decode() for address in _ADDRESS.findall(html)}
    return (len(html) + sum(len(browser.get(address)) for address in scripts)) / 1000


def main() -> None:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(description="Measure the page.")
    parser.add_argument("--sources", type=int, default=100_000)
    given = parser.parse_args()
    print(f"{'':46} {'many':>10} {'baseline':>10} {'':4} {'ratio':>6}  target", flush=True)
    with tempfile.TemporaryDirectory(prefix="wellhead-benchmarks-") as directory:
        for row in pages(Place(Path(directory)), given.sources):
            print(row, flush=True)


if __name__ == "__main__":
    main()
