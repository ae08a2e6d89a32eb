"""Plugins that are installed and removed while the service runs."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx2
import pytest

from support import calls
from support.distributions import Site, good
from support.documents import path_of
from support.programs import wait_until
from support.service import SOURCES, Service, running_service

RELOAD = "/api/v1/plugins/reload"
ASKS = good("fine").replace(
    "            pass",
    "            stream = await context.connect('127.0.0.1', int(config.host))\n            await stream.read(1)",
)


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    """A directory for distributions, which every process of the test has on its path."""
    site = Site(tmp_path / "site")
    monkeypatch.setenv("PYTHONPATH", str(site.path))
    return site


@pytest.fixture(params=[pytest.param(1, marks=pytest.mark.slow, id="one process"), pytest.param(2, id="two processes")])
def service(request: pytest.FixtureRequest, site: Site, tmp_path: Path) -> Iterator[Service]:
    """A service of one process, or of several, that was started before anything was installed."""
    (tmp_path / "workspace").mkdir()
    with running_service(tmp_path / "workspace", tmp_path / "config", workers=request.param) as running:
        yield running


def reload(service: Service) -> dict[str, Any]:
    """Reload, and return what the service says of it."""
    answer = service.client.post(RELOAD, timeout=60)
    assert answer.status_code == 200, answer.text
    document: dict[str, Any] = answer.json()
    return document


def anew(service: Service, path: str, **options: Any) -> httpx2.Response:
    """Send a request on a connection of its own, which any of the processes may take."""
    with calls.Client(base_url=service.url, headers=service.client.headers, timeout=30) as client:
        return client.request(options.pop("method", "GET"), path, **options)


def test_a_plugin_that_is_installed_is_there_everywhere_after_a_reload_and_gone_when_it_was_removed(
    service: Service, site: Site
) -> None:
    site.install("fine", good("fine"))
    assert "fine" not in str(service.client.get(f"{SOURCES}/types").json())
    found = reload(service)
    assert (found["added"], found["removed"], found["needs_restart"]) == (["fine"], [], [])
    assert "fine" in [item["name"] for item in found["items"] if item["state"] == "ready"]
    for _ in range(12):
        assert "FineCreate" in anew(service, "/openapi.json").json()["components"]["schemas"]
    made = anew(service, SOURCES, method="POST", json={"type": "fine", "name": "one"})
    assert made.status_code == 201
    assert service.client.post(f"{path_of(made.json())}/validate").json()["status"] == "passed"
    site.uninstall("fine")
    assert reload(service)["removed"] == ["fine"]
    for _ in range(12):
        [listed] = anew(service, SOURCES).json()["items"]
        assert listed["state"] == "type_unavailable"
        assert anew(service, f"{SOURCES}/types/fine").status_code == 404


def test_G_16_a_record_outlives_the_plugin_and_is_whole_when_that_comes_back(service: Service, site: Site) -> None:
    site.install("fine", good("fine"))
    reload(service)
    made = service.client.post(SOURCES, json={"type": "fine", "name": "one", "host": "example.com"}).json()
    site.uninstall("fine")
    reload(service)
    refused = service.client.patch(path_of(made), json={"description": "x"})
    assert (refused.status_code, refused.json()["code"]) == (409, "type_unavailable")
    site.install("fine", good("fine"))
    assert reload(service)["needs_restart"] == [], "the same files are the same plugin"
    assert service.client.get(path_of(made)).json() == made
    assert service.client.patch(path_of(made), json={"description": "x"}).status_code == 200


def test_a_changed_version_is_used_as_it_was_and_named_until_the_service_is_restarted(
    service: Service, site: Site
) -> None:
    site.install("fine", good("fine"))
    reload(service)
    site.install("fine", good("fine").replace("host: str", "other: str"), version="2.0")
    found = reload(service)
    [restart] = found["needs_restart"]
    assert restart["distribution"] == "fine"
    assert "Version 2.0 was installed" in restart["reason"]
    assert "Restart" in restart["remedy"]
    [item] = [item for item in found["items"] if item["name"] == "fine"]
    assert (item["state"], item["version"], item["reason"]) == ("ready", "1.0", restart["reason"])
    body = {"type": "fine", "name": "one", "host": "example.com"}
    assert service.client.post(SOURCES, json=body).status_code == 201


def test_a_bad_plugin_is_named_by_the_reload_and_may_be_mended_without_a_restart(service: Service, site: Site) -> None:
    site.install("hurt", "import os\nos._exit(3)")
    found = reload(service)
    [item] = [item for item in found["items"] if item["distribution"] == "hurt"]
    assert (item["state"], item["reason"]) == ("broken", "Importing it ended the process with exit code 3.")
    assert "pip uninstall hurt" in item["remedy"]
    site.install("hurt", good("hurt"), version="1.1")
    found = reload(service)
    assert (found["added"], found["needs_restart"]) == (["hurt"], [])


def test_a_request_that_has_begun_goes_on_as_it_began(service: Service, site: Site) -> None:
    site.install("fine", ASKS)
    reload(service)
    with socket.create_server(("127.0.0.1", 0)) as listener, ThreadPoolExecutor(1) as others:
        port = str(listener.getsockname()[1])
        made = service.client.post(SOURCES, json={"type": "fine", "name": "one", "host": port}).json()
        validation = others.submit(anew, service, f"{path_of(made)}/validate", method="POST")
        with listener.accept()[0] as asked:  # the validation has begun, and waits for an answer
            site.uninstall("fine")
            assert reload(service)["removed"] == ["fine"]
            asked.sendall(b"+")
            answer = validation.result(30)
    assert (answer.status_code, answer.json()["status"]) == (200, "passed")
    assert service.client.get(path_of(made)).json()["state"] == "type_unavailable"


def test_reloads_at_once_and_requests_meanwhile_all_succeed(service: Service, site: Site) -> None:
    statuses: set[int] = set()
    ended = threading.Event()

    def list_all_the_time() -> None:
        while not ended.is_set():
            statuses.add(anew(service, SOURCES).status_code)

    with ThreadPoolExecutor(5) as others:
        listing = others.submit(list_all_the_time)
        for number in range(3):
            site.install(f"fine{number}", good(f"fine-{'abc'[number]}"))
            answers = list(others.map(lambda _: reload(service), range(4)))
            assert {f"fine-{'abc'[number]}" in str(answer["items"]) for answer in answers} == {True}
        ended.set()
        listing.result(30)
    assert statuses == {200}


def test_a_reload_takes_neither_a_body_nor_a_query_and_needs_the_token(service: Service) -> None:
    assert service.client.post(RELOAD, json={"force": True}).status_code == 422
    assert service.client.post(f"{RELOAD}?force=true").status_code == 422
    assert service.client.get(RELOAD).status_code == 405
    assert service.client.post(RELOAD, headers={"Authorization": "Bearer no"}).status_code == 401


def test_a_process_that_dies_during_a_reload_keeps_nobody_waiting(site: Site, tmp_path: Path) -> None:
    (tmp_path / "workspace").mkdir()
    with running_service(tmp_path / "workspace", tmp_path / "config", workers=2) as service:
        # It passes its trial, whose environment is empty, and ends the process of a worker that has not ended yet.
        note = tmp_path / "dead"
        source = (
            "import os, pathlib\n"
            f"note = pathlib.Path({str(note)!r})\n"
            "if 'WELLHEAD_CONFIG_DIR' in os.environ and not note.exists():\n"
            "    note.touch()\n"
            "    os._exit(1)\n"
        )
        site.install("fine", source + good("fine"))
        with suppress(httpx2.TransportError):  # it may be the one that has the request
            assert "fine" in str(reload(service)["items"])
        assert note.exists()
        wait_until(lambda: anew(service, "/healthz").status_code == 200, "the service does not answer")
        assert "fine" in str(reload(service)["items"])
