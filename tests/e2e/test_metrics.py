"""The numbers of a running service, whichever of its processes is asked."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx2
import psutil
import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as read_openmetrics
from prometheus_client.parser import text_string_to_metric_families as read_text

from support import calls
from support.documents import document_of
from support.programs import wait_until
from support.service import SOURCES, Service, running_service

Numbers = dict[tuple[str, frozenset[tuple[str, str]]], float]


@pytest.fixture(scope="module", params=[1, 2], ids=["one worker", "two workers"])
def served(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Service, int]]:
    """A service with one or two workers, and how many."""
    home = tmp_path_factory.mktemp("metrics")
    (home / "workspace").mkdir()
    with running_service(home / "workspace", home / "config", workers=request.param) as service:
        yield service, request.param


def ask(service: Service, method: str, path: str, **more: object) -> httpx2.Response:
    """Ask over a connection of its own, so that any of the workers may get it."""
    headers = {"Authorization": f"Bearer {service.token}"}
    return calls.request(method, service.url + path, headers=headers, timeout=30, **more)


def scrape(service: Service) -> Numbers:
    """Read the numbers; those of processes are added up."""
    numbers: Numbers = {}
    for family in read_text(ask(service, "GET", "/metrics").text):
        for sample in family.samples:
            labels = frozenset(pair for pair in sample.labels.items() if pair[0] != "worker")
            numbers[sample.name, labels] = numbers.get((sample.name, labels), 0.0) + sample.value
    return numbers


def number(numbers: Numbers, name: str, **labels: str) -> float:
    """Return one number; 0 where it is not told."""
    return numbers.get((name, frozenset(labels.items())), 0.0)


def test_requests_are_counted_by_operation_over_all_workers(served: tuple[Service, int]) -> None:
    service, _ = served
    labels = {"operation": "listDataSources", "method": "GET"}
    before = scrape(service)
    for _ in range(20):
        assert ask(service, "GET", SOURCES).status_code == 200
    assert ask(service, "GET", f"{SOURCES}?nonsense=1").status_code == 422
    for _ in range(3):  # whichever answers, it tells the same
        after = scrape(service)
        name = "wellhead_http_requests_total"
        assert number(after, name, **labels, status="2xx") - number(before, name, **labels, status="2xx") == 20
        assert number(after, name, **labels, status="4xx") - number(before, name, **labels, status="4xx") == 1
        count = "wellhead_http_request_duration_seconds_count"
        seconds = [number(found, count, operation="listDataSources") for found in (before, after)]
        assert seconds[1] - seconds[0] == 21


def test_what_is_no_operation_is_counted_without_what_was_sent(served: tuple[Service, int]) -> None:
    service, _ = served
    before = scrape(service)
    assert ask(service, "GET", "/hunter2").status_code == 404
    assert ask(service, "HUNTER3", "/healthz").status_code == 405
    assert calls.get(f"{service.url}{SOURCES}").status_code == 401
    labels = {"operation": "none", "method": "none", "status": "4xx"}
    text = ask(service, "GET", "/metrics").text
    after = scrape(service)
    assert "hunter" not in text.lower()
    name = "wellhead_http_requests_total"
    assert number(after, name, **labels) - number(before, name, **labels) == 3


def test_validations_are_counted_by_type_and_status(served: tuple[Service, int]) -> None:
    service, _ = served
    before = scrape(service)
    source = ask(service, "POST", SOURCES, json=document_of("csv")).json()
    assert ask(service, "POST", f"{SOURCES}/{source['id']}/validate").json()["status"] == "failed"
    assert ask(service, "POST", f"{SOURCES}/validations").status_code == 200
    after = scrape(service)
    found = {key: value for key, value in after.items() if key[0] == "wellhead_validations_total"}
    assert {dict(labels)["type"] for _, labels in found} == {"csv"}
    name = "wellhead_validations_total"
    labels = {"type": "csv", "status": "failed"}
    assert number(after, name, **labels) - number(before, name, **labels) == 2
    assert number(after, "wellhead_validation_duration_seconds_count", type="csv") >= 2
    assert number(after, "wellhead_validation_workers_started_total") >= 2
    assert number(after, "wellhead_validation_workers_busy") == 0


def test_a_worker_that_is_killed_at_the_deadline_is_counted(served: tuple[Service, int]) -> None:
    service, _ = served
    before = scrape(service)
    silent = {"type": "postgres", "host": "127.0.0.1", "port": 9, "database": "d", "username": "u"}
    answer = ask(service, "POST", f"{SOURCES}/validate?timeout=0.001", json=silent)
    assert answer.json()["status"] == "timeout"
    killed = "wellhead_validation_workers_killed_total"
    assert number(scrape(service), killed) - number(before, killed) == 1


def test_what_all_workers_share_is_told_once(served: tuple[Service, int]) -> None:
    service, workers = served
    ask(service, "POST", SOURCES, json=document_of("csv"))
    total = ask(service, "GET", SOURCES).json()["total"]
    numbers = scrape(service)
    assert number(numbers, "wellhead_datasources", state="ok") == total
    assert number(numbers, "wellhead_datasources", state="corrupt") == 0
    assert number(numbers, "wellhead_store_up") == 1
    assert number(numbers, "wellhead_plugins", state="ready") == 5
    assert number(numbers, "wellhead_worker_up") == workers
    assert number(numbers, "process_resident_memory_bytes") > workers * 10_000_000


def test_openmetrics_is_written_for_who_asks_for_it(served: tuple[Service, int]) -> None:
    service, _ = served
    plain = ask(service, "GET", "/metrics")
    assert plain.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    headers = {"Authorization": f"Bearer {service.token}", "Accept": "application/openmetrics-text; version=1.0.0"}
    answer = calls.get(f"{service.url}/metrics", headers=headers)
    assert answer.headers["Content-Type"].startswith("application/openmetrics-text; version=1.0.0")
    names = {family.name for family in read_openmetrics(answer.text)}
    assert {"wellhead_http_requests", "wellhead_datasources", "process_cpu_seconds"} <= names


def test_a_worker_that_is_killed_is_said_to_be_down_and_comes_back(tmp_path: Path) -> None:
    (tmp_path / "workspace").mkdir()
    with running_service(tmp_path / "workspace", tmp_path / "config", workers=2) as service:
        first = psutil.Process(service.process.pid).children()[0]
        first.suspend()  # it answers nobody
        try:
            wait_until(lambda: number(scrape_of_other(service), "wellhead_worker_up") == 1, "it is still said to be up")
        finally:
            first.kill()
        wait_until(lambda: number(scrape(service), "wellhead_worker_up") == 2, "it did not come back")


def scrape_of_other(service: Service) -> Numbers:
    """Read the numbers, trying again where the worker that sleeps has got the connection."""
    while True:
        try:
            headers = {"Authorization": f"Bearer {service.token}"}
            text = calls.get(f"{service.url}/metrics", headers=headers, timeout=4).text
        except httpx2.TimeoutException:
            continue
        samples = [sample for family in read_text(text) for sample in family.samples]
        return {
            (sample.name, frozenset()): sum(s.value for s in samples if s.name == sample.name) for sample in samples
        }


@pytest.mark.parametrize(("public", "status"), [("false", 401), ("true", 200)])
def test_the_numbers_need_a_token_unless_the_settings_say_otherwise(tmp_path: Path, public: str, status: int) -> None:
    (tmp_path / "workspace").mkdir()
    with running_service(tmp_path / "workspace", tmp_path / "config", WELLHEAD_METRICS_PUBLIC=public) as service:
        assert calls.get(f"{service.url}/metrics").status_code == status
        assert calls.get(f"{service.url}{SOURCES}").status_code == 401
