"""Validations that nobody waits for any more: whoever goes away frees the place, before any check has ended."""

from __future__ import annotations

import json
import re
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlencode

import httpx2
import pytest

from support.browsing import Visitor, visitor
from support.documents import Make, path_of
from support.plugin import install_plugin
from support.programs import wait_until
from support.service import SOURCES, Service, running_service

STUCK = '''
"""A type whose first check does not end."""

import asyncio
from typing import Literal

import wellhead


class Gadget(wellhead.DataSourceConfig):
    """A data source that does not answer."""

    type: Literal["gadget"] = "gadget"
    host: str = wellhead.field(description="Where it is.")


async def validate(config, context):
    async with context.check("one"):
        await asyncio.sleep(600)


MODELS = (Gadget,)
'''
Request = tuple[str, dict[str, str], bytes]
"""A target, header fields, and a body."""


@pytest.fixture(scope="module")
def service(home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A live service, with a type whose validations take as long as they may."""
    plugins = install_plugin(tmp_path_factory.mktemp("plugins"), source=STUCK)
    variables = {"PYTHONPATH": str(plugins), "WELLHEAD_VALIDATION_TIMEOUT": "60", "PYTHONASYNCIODEBUG": "1"}
    with running_service(home / "workspace", home / "config", **variables) as running:
        yield running


def busy(client: httpx2.Client) -> int:
    """Return how many processes run validations."""
    found = re.search(r"^wellhead_validation_workers_busy\S* (\d+)", client.get("/metrics").text, re.MULTILINE)
    assert found is not None
    return int(float(found[1]))


def sent(service: Service, method: str, request: Request) -> socket.socket:
    """Send a request, and return the connection that nobody reads."""
    path, headers, body = request
    host, port = service.url.removeprefix("http://").split(":")
    fields = {"Host": f"{host}:{port}", "Content-Length": str(len(body)), **headers}
    head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    connection = socket.create_connection((host, int(port)), timeout=10)
    connection.sendall(f"{method} {path} HTTP/1.1\r\n{head}\r\n".encode() + body)
    return connection


def goes_away(service: Service, client: httpx2.Client, request: Request, method: str = "POST") -> None:
    """Send what validates, go away as soon as it has begun, and see that it ends long before its time is over."""
    with sent(service, method, request):
        wait_until(lambda: busy(client) > 0, "no validation has begun")
    wait_until(lambda: busy(client) == 0, "a validation holds its place, though its client has gone away")


def by_program(service: Service, path: str, body: object = None, accept: str = "application/json") -> Request:
    headers = {"Authorization": f"Bearer {service.token}", "Accept": accept, "Content-Type": "application/json"}
    return path, headers, b"" if body is None else json.dumps(body).encode()


Asks = Callable[[Service, str], tuple[str, Request]]
DOCUMENT = {"name": "another", "type": "gadget", "host": "b"}
PROGRAMS: dict[str, Asks] = {
    "stored": lambda service, path: ("POST", by_program(service, f"{path}/validate")),
    "stored, in lines": lambda service, path: (
        "POST",
        by_program(service, f"{path}/validate", accept="application/x-ndjson"),
    ),
    "changed": lambda service, path: (
        "POST",
        by_program(service, f"{path}/validate", {"changes": {"description": "b"}}),
    ),
    "new": lambda service, _: ("POST", by_program(service, f"{SOURCES}/validate", DOCUMENT)),
    "many": lambda service, _: ("POST", by_program(service, f"{SOURCES}/validations")),
    "create": lambda service, _: ("POST", by_program(service, f"{SOURCES}?verify=true", DOCUMENT)),
    "replace": lambda service, path: (
        "PUT",
        by_program(service, f"{path}?verify=true", {**DOCUMENT, "host": "127.0.0.1"}),
    ),
    "patch": lambda service, path: ("PATCH", by_program(service, f"{path}?verify=true", {"description": "b"})),
}


@pytest.fixture
def source(client: httpx2.Client, make: Make) -> Iterator[dict[str, object]]:
    """A data source that does not answer, and the only one."""
    made = make("gadget")
    yield made
    client.delete(path_of(made))


@pytest.mark.parametrize("asks", PROGRAMS.values(), ids=PROGRAMS)
def test_a_program_that_goes_away_ends_its_validation(
    service: Service, client: httpx2.Client, source: dict[str, object], asks: Asks
) -> None:
    path = path_of(source)
    before = client.get(SOURCES).json()
    method, request = asks(service, path)
    goes_away(service, client, request, method)
    assert client.get(SOURCES).json() == before, "nothing was saved, and no health kept"


def test_what_was_abandoned_is_in_the_audit_log_with_its_code(
    service: Service, client: httpx2.Client, source: dict[str, object]
) -> None:
    goes_away(service, client, by_program(service, f"{path_of(source)}/validate"))
    wait_until(lambda: entry_of(client)["status"] == 499, "no entry")
    assert {name: entry_of(client)[name] for name in ("outcome", "code", "id")} == {
        "outcome": "refused",
        "code": "client_gone",
        "id": source["id"],
    }


def entry_of(client: httpx2.Client) -> dict[str, object]:
    found = client.get("/api/v1/audit?operation=validate&limit=1").json()["items"]
    return dict(found[0])


# The page


@pytest.fixture
def browser(service: Service) -> Iterator[Visitor]:
    """Somebody who has signed in to the page."""
    with visitor(service.url, service.token, follow_redirects=True) as found:
        yield found


Posts = Callable[[str], tuple[str, dict[str, str]]]
PAGES: dict[str, Posts] = {
    "one": lambda source: (f"/sources/{source}/validate", {}),
    "some": lambda source: ("/validate", {"what": "chosen", "id": source}),
    "all": lambda _: ("/validate", {"what": "all"}),
    "typed": lambda _: ("/add/gadget/validate", {"/name": "another", "/host": "b"}),
    "saved": lambda _: ("/add/gadget", {"/name": "another", "/host": "b", "verify": "true"}),
}


@pytest.mark.parametrize("is_script", [False, True], ids=["plain", "script"])
@pytest.mark.parametrize("posts", PAGES.values(), ids=PAGES)
def test_a_browser_that_goes_away_ends_its_validation(
    service: Service,
    client: httpx2.Client,
    browser: Visitor,
    source: dict[str, object],
    posts: Posts,
    is_script: bool,
) -> None:
    path, form = posts(str(source["id"]))
    cookies = "; ".join(f"{cookie.name}={cookie.value}" for cookie in browser.client.cookies.jar)
    headers = {"Cookie": cookies, "Origin": service.url, "Content-Type": "application/x-www-form-urlencoded"}
    if is_script:
        headers["X-Part"] = "lines"
    goes_away(service, client, (path, headers, urlencode({"csrf": browser.csrf, **form}).encode()))
    assert client.get(SOURCES).json()["total"] == 1, "nothing was saved"
