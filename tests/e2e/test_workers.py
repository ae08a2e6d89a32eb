"""Several processes that answer together, one of which may die at any time."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import httpx2
import psutil
import pytest

from support import calls
from support.documents import document_of, path_of
from support.programs import wait_until
from support.service import SOURCES, Service, running_service


@pytest.fixture
def place(tmp_path: Path) -> tuple[Path, Path]:
    """A workspace and a configuration directory of the test's own."""
    (tmp_path / "workspace").mkdir()
    return tmp_path / "workspace", tmp_path / "config"


def workers_of(service: Service) -> list[psutil.Process]:
    """Return the processes of a service that answer."""
    children = psutil.Process(service.process.pid).children()
    return [child for child in children if "wellhead.api.serving.worker" in child.cmdline()]


def has_ended(process: psutil.Process) -> bool:
    """Tell whether a process does nothing any more, buried or not."""
    with suppress(psutil.NoSuchProcess):
        return process.status() == psutil.STATUS_ZOMBIE
    return True


def get(service: Service) -> int:
    """Read the list over a connection of its own, so that any of the workers may get it; return the status."""
    headers = {"Authorization": f"Bearer {service.token}"}
    return calls.get(service.url + SOURCES, headers=headers, timeout=30).status_code


def test_the_first_line_comes_when_all_answer_and_all_see_what_one_wrote(place: tuple[Path, Path]) -> None:
    with running_service(*place, workers=3) as service:
        assert len(workers_of(service)) == 3
        made = {service.client.post(SOURCES, json=document_of()).json()["id"] for _ in range(5)}
        for _ in range(12):
            answer = calls.get(service.url + SOURCES, headers={"Authorization": f"Bearer {service.token}"})
            assert {item["id"] for item in answer.json()["items"]} == made
        used = [sum(process.cpu_times()[:2]) for process in workers_of(service)]
        assert min(used) > 0


def test_of_many_that_want_one_name_or_one_revision_one_gets_it(place: tuple[Path, Path]) -> None:
    with running_service(*place, workers=2) as service, ThreadPoolExecutor(8) as threads:
        headers = {"Authorization": f"Bearer {service.token}"}
        url = service.url

        def create(_number: int) -> int:
            return calls.post(url + SOURCES, json=document_of(name="wanted"), headers=headers, timeout=30).status_code

        assert sorted(threads.map(create, range(8))) == [201] + [409] * 7
        [source] = service.client.get(SOURCES).json()["items"]

        def change(number: int) -> int:
            body, condition = {"description": f"by {number}"}, {**headers, "If-Match": '"1"'}
            return calls.patch(url + path_of(source), json=body, headers=condition, timeout=30).status_code

        assert sorted(threads.map(change, range(8))) == [200] + [412] * 7


def test_a_worker_that_is_killed_is_replaced_while_the_others_answer(place: tuple[Path, Path]) -> None:
    with running_service(*place, workers=2) as service:
        before = workers_of(service)
        before[0].kill()
        wait_until(lambda: has_ended(before[0]), "the worker lives on")  # it takes no connection any more
        assert {get(service) for _ in range(5)} == {200}
        wait_until(lambda: len(workers_of(service)) == 2, "the worker was not replaced")
        assert before[1] in workers_of(service)
        assert "worker_ended" in service.log.read_text()


@pytest.mark.parametrize("number", [signal.SIGTERM, pytest.param(signal.SIGINT, marks=pytest.mark.slow)])
def test_D_44_all_workers_end_with_the_service_and_finish_what_they_began(
    place: tuple[Path, Path], number: signal.Signals
) -> None:
    with running_service(*place, workers=2) as service:
        workers = workers_of(service)
        made = service.client.post(SOURCES, json=document_of()).json()
        service.process.send_signal(number)
        assert service.process.wait(30) == 0
        assert all(has_ended(worker) for worker in workers)
        assert "Traceback" not in service.log.read_text()
    assert (place[0] / ".datasources" / f"{made['id']}.json").exists()


def test_workers_end_when_the_service_is_killed(place: tuple[Path, Path]) -> None:
    with running_service(*place, workers=2) as service:
        workers = workers_of(service)
        service.process.kill()
        wait_until(lambda: all(has_ended(worker) for worker in workers), "a worker lives on")


def test_a_service_whose_workers_cannot_start_ends_with_their_error(place: tuple[Path, Path], tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "sitecustomize.py").write_text(
        "import os, sys\nif 'wellhead.api.serving.worker' in sys.orig_argv: os._exit(5)\n"
    )
    command = [sys.executable, "-m", "wellhead", "serve", "--port", "0", "--workers", "2", "--json"]
    variables = {**os.environ, "WELLHEAD_CONFIG_DIR": str(place[1]), "PYTHONPATH": str(broken)}
    done = subprocess.run(command, cwd=place[0], env=variables, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (5, "")


def test_the_command_line_and_the_workers_work_on_one_workspace_at_once(place: tuple[Path, Path]) -> None:
    command = [sys.executable, "-m", "wellhead"]
    variables = {**os.environ, "WELLHEAD_CONFIG_DIR": str(place[1])}

    def run(*arguments: str) -> str:
        done = subprocess.run(
            [*command, *arguments], cwd=place[0], env=variables, capture_output=True, text=True, timeout=60, check=True
        )
        return done.stdout

    with running_service(*place, workers=2) as service, ThreadPoolExecutor(2) as threads:
        adding = threads.submit(
            lambda: [run("add", "csv", "--name", f"cli {number}", "--set", "path=x.csv") for number in range(3)]
        )
        made = [service.client.post(SOURCES, json=document_of(name=f"api {number}")) for number in range(20)]
        adding.result()
        assert {answer.status_code for answer in made} == {201}
        wanted = {f"cli {number}" for number in range(3)} | {f"api {number}" for number in range(20)}
        assert {item["name"] for item in json.loads(run("list", "--json"))["items"]} == wanted
        assert {item["name"] for item in service.client.get(SOURCES).json()["items"]} == wanted


@pytest.mark.slow
def test_clients_that_try_again_notice_no_death_of_a_worker(place: tuple[Path, Path]) -> None:
    with running_service(*place, workers=3) as service:
        for _ in range(20):
            with suppress(IndexError, psutil.NoSuchProcess):
                workers_of(service)[0].kill()
            end = time.monotonic() + 15
            while True:
                with suppress(httpx2.TransportError):
                    if get(service) == 200:
                        break
                assert time.monotonic() < end
        wait_until(lambda: len(workers_of(service)) == 3, "a worker was not replaced")
