"""Starting, ending and starting again."""

import json
import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from support import calls
from support.canary import Canary
from support.documents import document_of, path_of
from support.programs import wait_until
from support.service import SOURCES, running_service


@pytest.fixture
def place(tmp_path: Path) -> tuple[Path, Path]:
    """A workspace and a configuration directory of the test's own."""
    (tmp_path / "workspace").mkdir()
    return tmp_path / "workspace", tmp_path / "config"


def serve(*arguments: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a service that is expected to end by itself."""
    command = [sys.executable, "-m", "wellhead", "serve", *arguments]
    variables = {**os.environ, **environment}
    return subprocess.run(command, cwd=cwd, env=variables, capture_output=True, text=True, timeout=60, check=False)


def test_everything_is_there_after_a_restart(place: tuple[Path, Path], canary: Canary) -> None:
    with running_service(*place) as service:
        made = [service.client.post(SOURCES, json=document_of(password=canary.secret(), kind="postgres")).json()]
        made += [service.client.post(SOURCES, json=document_of()).json() for _ in range(3)]
        made[1] = service.client.patch(path_of(made[1]), json={"description": "changed"}).json()
        before = service.client.get(SOURCES).json()
        token = service.token
    with running_service(*place) as service:
        assert service.client.get(SOURCES).json() == before
        assert [service.client.get(path_of(source)).json() for source in made] == made
        assert service.token == token


def test_D_44_a_service_that_is_told_to_end_ends_well(place: tuple[Path, Path]) -> None:
    for number in (signal.SIGTERM, signal.SIGINT):
        with running_service(*place) as service:
            service.client.get(SOURCES)
            service.process.send_signal(number)
            assert service.process.wait(30) == 0
            assert "Traceback" not in service.log.read_text()


def test_a_service_that_is_killed_leaves_all_that_it_acknowledged(place: tuple[Path, Path]) -> None:
    with running_service(*place) as service:
        made = [service.client.post(SOURCES, json=document_of()).json() for _ in range(5)]
        service.process.kill()
        service.process.wait()
    with running_service(*place) as service:
        assert {item["id"] for item in service.client.get(SOURCES).json()["items"]} == {item["id"] for item in made}


def test_A_03_the_token_is_kept_for_its_owner_only(place: tuple[Path, Path]) -> None:
    with running_service(*place) as service:
        path = place[1] / "token"
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert stat.S_IMODE(place[1].stat().st_mode) == 0o700
        assert path.read_text().strip() == service.token
        assert service.token.startswith("wh_")
        assert len(service.token) >= 43


def test_a_token_that_others_may_read_is_refused(place: tuple[Path, Path]) -> None:
    with running_service(*place):
        pass
    (place[1] / "token").chmod(0o644)
    run = serve("--port", "0", cwd=place[0], WELLHEAD_CONFIG_DIR=str(place[1]))
    assert run.returncode == 78
    assert "chmod 600" in run.stderr


def test_a_token_of_the_environment_is_the_only_one_and_is_not_written(place: tuple[Path, Path]) -> None:
    with running_service(*place, WELLHEAD_TOKEN="a-token-of-my-own!") as service:
        assert service.client.get(SOURCES).status_code == 200
        assert not (place[1] / "token").exists()
        assert "a-token-of-my-own!" not in service.log.read_text()


@pytest.mark.parametrize("token", ["short", "fifteen-letters", "with a space in it", "ünïcödé-tökën-xxx", ""])
def test_a_token_that_is_too_weak_is_refused_and_not_repeated(place: tuple[Path, Path], token: str) -> None:
    run = serve("--port", "0", cwd=place[0], WELLHEAD_TOKEN=token, WELLHEAD_CONFIG_DIR=str(place[1]))
    assert run.returncode == 78
    assert "WELLHEAD_TOKEN" in run.stderr
    assert not token or token not in run.stdout + run.stderr


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.7", "a..b"])
def test_A_02_Z_10_a_service_for_other_machines_is_refused(place: tuple[Path, Path], host: str) -> None:
    run = serve("--host", host, "--port", "0", cwd=place[0], WELLHEAD_CONFIG_DIR=str(place[1]))
    assert run.returncode == 78
    assert run.stderr.startswith("Error: ")
    assert "Traceback" not in run.stderr


def test_the_first_line_is_for_programs_and_holds_no_token(place: tuple[Path, Path]) -> None:
    with running_service(*place) as service:
        assert calls.get(service.url + "/healthz").json() == {"status": "ok"}
        assert service.token not in " ".join(service.process.args)  # type: ignore[arg-type]  # a list of texts


def test_a_service_that_is_started_by_a_program_prints_no_token(place: tuple[Path, Path]) -> None:
    command = [sys.executable, "-m", "wellhead", "serve", "--port", "0"]
    variables = {**os.environ, "WELLHEAD_CONFIG_DIR": str(place[1])}
    with subprocess.Popen(command, cwd=place[0], env=variables, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(4)]
        process.terminate()
        output = "".join(lines) + process.stdout.read()
    assert (place[1] / "token").read_text().strip() not in output
    assert str(place[1] / "token") in output


def test_C_13_a_key_inside_the_store_is_refused(place: tuple[Path, Path]) -> None:
    key = place[0] / ".datasources" / "keys.json"
    with running_service(*place, WELLHEAD_KEY_FILE=str(key)) as service:
        answer = service.client.post(SOURCES, json=document_of("postgres", password="a password"))
        assert answer.status_code == 503
        assert answer.headers["Retry-After"].isdigit()
        assert not key.exists()


def test_C_12_a_key_that_everyone_may_read_is_refused(place: tuple[Path, Path]) -> None:
    with running_service(*place) as service:
        service.client.post(SOURCES, json=document_of("postgres", password="a password"))
    (place[1] / "keys.json").chmod(0o644)
    with running_service(*place) as service:
        assert service.client.get("/readyz").status_code == 503
        assert service.client.get("/readyz").json() == {"status": "not ready"}
        assert service.client.get("/healthz").status_code == 200
        assert service.client.get(SOURCES).status_code == 200


def test_the_log_is_json_lines_without_values(place: tuple[Path, Path], canary: Canary) -> None:
    with running_service(*place, WELLHEAD_LOG_LEVEL="debug") as service:
        document = document_of("postgres", host="only-in-the-body.example", password=canary.secret())
        service.client.post(SOURCES, json=document)
        wait_until(lambda: service.log.read_text().endswith("\n"), "the request was not logged")  # after the answer
        lines = [json.loads(line) for line in service.log.read_text().splitlines()]
    assert lines[-1].keys() >= {"operation", "user", "status", "ms", "request_id", "event", "level", "timestamp"}
    assert "only-in-the-body" not in json.dumps(lines)
