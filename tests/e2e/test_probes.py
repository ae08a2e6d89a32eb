"""What a load balancer sees while the service ends."""

from __future__ import annotations

import time
from pathlib import Path
from threading import Thread

import httpx2
import psutil
import pytest

from support import calls
from support.documents import document_of
from support.programs import wait_until
from support.service import SOURCES, Service, running_service


@pytest.fixture
def place(tmp_path: Path) -> tuple[Path, Path]:
    """A workspace and a configuration directory of the test's own."""
    (tmp_path / "workspace").mkdir()
    return tmp_path / "workspace", tmp_path / "config"


def says_that_it_stops(service: Service) -> bool:
    """Tell whether the service says, over a new connection, that it is about to end."""
    answer = calls.get(f"{service.url}/readyz")
    return (answer.status_code, answer.json()["status"]) == (503, "stopping")


@pytest.mark.parametrize("workers", [1, 2])
def test_D_44_before_it_ends_it_says_so_and_answers_on(place: tuple[Path, Path], workers: int) -> None:
    with running_service(*place, workers=workers, WELLHEAD_SHUTDOWN_DELAY="60") as service:
        assert service.client.get("/readyz").json()["status"] == "ready"
        service.process.terminate()
        wait_until(lambda: all(says_that_it_stops(service) for _ in range(8)), "not all of it says that it ends")
        made = service.client.post(SOURCES, json=document_of())
        assert (made.status_code, made.headers["Connection"]) == (201, "close")
        assert calls.get(f"{service.url}/healthz").status_code == 200
        service.process.terminate()  # a second signal makes it hurry
        assert service.process.wait(20) == 0
        assert "Traceback" not in service.log.read_text()


def test_it_ends_by_itself_after_the_delay(place: tuple[Path, Path]) -> None:
    with running_service(*place, WELLHEAD_SHUTDOWN_DELAY="1.5") as service:
        began = time.monotonic()
        service.process.terminate()
        assert service.process.wait(20) == 0
        assert time.monotonic() - began >= 1.5


def test_D_44_a_request_in_flight_is_answered_to_its_end(place: tuple[Path, Path], blackhole: int) -> None:
    source = document_of("postgres", port=blackhole, tls_mode="disable")
    answers: list[httpx2.Response] = []
    with running_service(*place) as service:
        path = f"{SOURCES}/validate?timeout=3"
        thread = Thread(target=lambda: answers.append(service.client.post(path, json=source)))
        thread.start()
        workers = psutil.Process(service.process.pid).children
        wait_until(lambda: len(workers(recursive=True)) > 1, "the validation does not begin")
        service.process.terminate()
        thread.join(20)
        assert service.process.wait(20) == 0
    assert answers[0].json()["status"] == "timeout"
