"""Validating many data sources over HTTP and on the command line, and what happens to the service meanwhile."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import psutil
import pytest

from support import calls
from support.plugin import install_plugin
from support.service import SOURCES, Service, running_service

MANY = SOURCES + "/validations"

NASTY = '''
"""A type that does its worst."""

import os
import time
from typing import Literal

import wellhead


class Nasty(wellhead.DataSourceConfig):
    """A data source of a bad plugin."""

    type: Literal["nasty"] = "nasty"
    does: str = wellhead.field("nothing", description="What it does.", harmless=True)
    key: wellhead.Secret | None = wellhead.field(None, description="A key.")


async def validate(config, context):
    async with context.check("one"):
        pass
    async with context.check("two"):
        match config.does:
            case "spin":
                while True:
                    pass
            case "sleep":
                time.sleep(600)
            case "exit":
                os._exit(3)
            case "allocate":
                kept = []
                while True:
                    kept.append(bytearray(1 << 25))
            case "flood":
                context.detail("much", "x" * 10_000_000)


MODELS = (Nasty,)
'''


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A live service with a plugin that does its worst."""
    home = tmp_path_factory.mktemp("many")
    (home / "workspace").mkdir()
    plugins = install_plugin(home / "plugins", "nasty", NASTY)
    paths = os.pathsep.join(filter(None, [str(plugins), os.environ.get("PYTHONPATH")]))
    with running_service(home / "workspace", home / "config", PYTHONPATH=paths) as running:
        yield running


@pytest.fixture
def client(service: Service) -> Iterator[httpx2.Client]:
    """A client, whose data sources are gone afterwards."""
    yield service.client
    for item in service.client.get(SOURCES, params={"limit": 200}).json()["items"]:
        service.client.delete(f"{SOURCES}/{item['id']}", params={"force": "true"})


def make(client: httpx2.Client, name: str, **fields: Any) -> str:
    answer = client.post(SOURCES, json={"name": name, "type": "nasty", **fields})
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


def lines_of(client: httpx2.Client, **query: Any) -> list[dict[str, Any]]:
    answer = client.post(MANY, params=query)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/x-ndjson"), answer.text
    return [json.loads(line) for line in answer.text.splitlines()]


def test_each_data_source_is_a_line_and_the_totals_come_last(client: httpx2.Client) -> None:
    made = {make(client, f"source {number}", labels={"team": "a"}) for number in range(20)}

    *lines, last = lines_of(client)

    assert {line["id"] for line in lines} == made
    assert all(line.keys() == {"id", "name", "result"} for line in lines)
    assert {line["result"]["status"] for line in lines} == {"passed"}
    assert last == {"totals": {"passed": 20}}
    listed = client.get(SOURCES, params={"health": "passed", "limit": 200}).json()
    assert listed["total"] == 20


def test_the_filters_of_the_list_choose(client: httpx2.Client) -> None:
    make(client, "one", labels={"team": "a"})
    make(client, "two", labels={"team": "b"})

    assert [line.get("name") for line in lines_of(client, label="team:b")] == ["two", None]
    assert lines_of(client, type="csv") == [{"totals": {}}]
    assert [line.get("name") for line in lines_of(client, q="TWO")] == ["two", None]


@pytest.mark.parametrize("query", [{"limit": 5}, {"cursor": "x"}, {"sort": "name"}, {"timeout": "0"}, {"bogus": 1}])
def test_what_is_no_filter_is_refused(client: httpx2.Client, query: dict[str, Any]) -> None:
    answer = client.post(MANY, params=query)

    assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json")
    assert answer.json()["errors"][0]["parameter"] in query


def test_a_body_has_nothing_to_say(client: httpx2.Client) -> None:
    assert client.post(MANY, json={}).status_code == 200
    assert client.post(MANY, json={"changes": {}}).json()["errors"][0]["pointer"] == "/changes"


def test_what_cannot_be_read_is_told_and_stops_nothing(client: httpx2.Client, service: Service) -> None:
    broken, well = make(client, "broken"), make(client, "well")
    path = next(service.log.parent.rglob(f"{broken}.json"))
    path.write_text("{", encoding="utf-8")

    *lines, last = lines_of(client)

    assert {line["id"]: (line["result"] or {}).get("status") for line in lines} == {broken: None, well: "passed"}
    assert [line["state"] for line in lines if line["result"] is None] == ["corrupt"]
    assert last == {"totals": {"corrupt": 1, "passed": 1}}


def test_lines_come_while_others_still_run(client: httpx2.Client) -> None:
    make(client, "slow", does="sleep")
    make(client, "fast")

    with client.stream("POST", MANY, params={"timeout": "4"}) as answer:
        seen = [(json.loads(line).get("name", "totals"), time.monotonic()) for line in answer.iter_lines()]

    assert [name for name, _ in seen] == ["fast", "slow", "totals"]
    assert seen[1][1] - seen[0][1] > 1


MISDEEDS = {"spin": "timeout", "sleep": "timeout", "exit": "error", "allocate": "failed", "flood": "passed"}


def test_G_08_g_09_d_47_the_service_answers_whatever_plugins_do(client: httpx2.Client, service: Service) -> None:
    ids = {make(client, does, does=does): status for does, status in MISDEEDS.items()}
    client.post(f"{SOURCES}/{next(iter(ids))}/validate", params={"timeout": "1"})  # what is only made once is there
    process = psutil.Process(service.process.pid)
    before = process.memory_info().rss
    found: dict[str, str] = {}

    def validate(source: str) -> None:
        with calls.Client(base_url=service.url, headers=client.headers, timeout=60) as own:
            # Those that end by themselves get as long as a busy machine may need.
            timeout = "3" if ids[source] == "timeout" else "30"
            answer = own.post(f"{SOURCES}/{source}/validate", params={"timeout": timeout})
            found[source] = answer.json()["status"]

    threads = [threading.Thread(target=validate, args=[source]) for source in ids]
    for thread in threads:
        thread.start()
    answers = 0
    while any(thread.is_alive() for thread in threads):
        assert client.get(f"{SOURCES}/{next(iter(ids))}").status_code == 200
        answers += 1
    for thread in threads:
        thread.join()

    assert found == ids
    assert answers > 10
    assert process.memory_info().rss - before < 64 << 20
    end = time.monotonic() + 1
    while len(process.children(recursive=True)) > 1 and time.monotonic() < end:
        time.sleep(0.01)
    assert len(process.children(recursive=True)) == 1  # the process that workers are forked from


def test_a_client_that_goes_ends_what_it_asked_for(client: httpx2.Client, service: Service) -> None:
    for number in range(3):
        make(client, f"slow {number}", does="sleep")
    process = psutil.Process(service.process.pid)

    with client.stream("POST", MANY, params={"timeout": "60"}) as answer:
        assert answer.status_code == 200
        while len(process.children(recursive=True)) < 2:
            time.sleep(0.01)

    end = time.monotonic() + 5
    while len(process.children(recursive=True)) > 1 and time.monotonic() < end:
        time.sleep(0.01)
    assert len(process.children(recursive=True)) == 1


def test_R_07_when_all_places_are_taken_the_answer_says_when_to_come_back(tmp_path: Path) -> None:
    (tmp_path / "workspace").mkdir()
    plugins = install_plugin(tmp_path / "plugins", "nasty", NASTY)
    settings = {"WELLHEAD_VALIDATION_WORKERS": "1", "WELLHEAD_VALIDATION_QUEUE": "0", "PYTHONPATH": str(plugins)}
    with running_service(tmp_path / "workspace", tmp_path / "config", **settings) as service:
        slow = make(service.client, "slow", does="sleep")
        lines = {"accept": "application/x-ndjson"}
        with service.client.stream(
            "POST", f"{SOURCES}/{slow}/validate", params={"timeout": "60"}, headers=lines
        ) as answer:
            coming = answer.iter_lines()
            next(coming)

            for path in (f"{SOURCES}/{slow}/validate", MANY):
                refused = service.client.post(path)
                assert (refused.status_code, refused.json()["code"]) == (503, "validation_busy")
                assert int(refused.headers["retry-after"]) >= 1


@pytest.mark.parametrize("number", [signal.SIGTERM, pytest.param(signal.SIGINT, marks=pytest.mark.slow)])
def test_D_44_a_service_that_is_told_to_end_ends_its_workers_too(tmp_path: Path, number: int) -> None:
    (tmp_path / "workspace").mkdir()
    plugins = install_plugin(tmp_path / "plugins", "nasty", NASTY)
    with running_service(tmp_path / "workspace", tmp_path / "config", PYTHONPATH=str(plugins)) as service:
        slow = make(service.client, "slow", does="sleep")
        answers: list[int] = []

        def validate() -> None:
            answers.append(service.client.post(f"{SOURCES}/{slow}/validate", params={"timeout": "2"}).status_code)

        thread = threading.Thread(target=validate)
        thread.start()
        family = psutil.Process(service.process.pid)
        while len(family.children(recursive=True)) < 2:
            time.sleep(0.01)
        children = family.children(recursive=True)

        service.process.send_signal(number)

        assert service.process.wait(15) == 0
        thread.join()
        assert answers == [200]  # what was in flight has ended as it would have
        assert [child for child in children if child.is_running() and child.status() != psutil.STATUS_ZOMBIE] == []
        assert "Traceback" not in service.log.read_text()
        assert list((tmp_path / "workspace" / ".datasources").glob(".tmp-*")) == []


@pytest.mark.slow
def test_re_checks_happen_by_themselves(tmp_path: Path) -> None:
    (tmp_path / "workspace").mkdir()
    (tmp_path / "workspace" / "sales.csv").write_text("a,b\n1,2\n", encoding="utf-8")
    with running_service(tmp_path / "workspace", tmp_path / "config", WELLHEAD_RECHECK_SECONDS="10") as service:
        made = service.client.post(SOURCES, json={"name": "sales", "type": "csv", "path": "sales.csv"}).json()
        end = time.monotonic() + 30
        while (health := service.client.get(f"{SOURCES}/{made['id']}").json()["health"]) is None:
            assert time.monotonic() < end
            time.sleep(0.2)
    assert health["status"] == "passed"
