"""The key ring of a running service: changed, damaged and mended beside it."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from support.canary import Canary, hear
from support.command import COMMAND
from support.documents import document_of
from support.service import SOURCES, Service, running_service
from wellhead.secrets.keyring import KeyRing


@pytest.fixture
def place(workspace: Path, tmp_path: Path) -> tuple[Path, Path]:
    """The workspace and the configuration directory of a service."""
    return workspace, tmp_path / "config"


def serve(workspace: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run `wellhead serve` where it must end by itself."""
    command = [*COMMAND, "serve", "--port", "0", "--workspace", str(workspace)]
    variables = {**os.environ, **environment}
    done = subprocess.run(command, env=variables, capture_output=True, text=True, timeout=30, check=False)
    hear(done.stdout + done.stderr)
    return done


def made(service: Service, name: str, secret: str) -> Any:
    answer = service.client.post(SOURCES, json=document_of("postgres", name=name, password=secret))
    assert answer.status_code == 201, answer.text
    return answer.json()


@pytest.mark.parametrize("damage", [lambda good: b"", lambda good: good.replace(b'"primary"', b'"prime"')])
def test_D_51_L_21_a_damaged_ring_ends_the_start_and_not_a_service_that_runs_and_is_not_shown(
    place: tuple[Path, Path], damage: Callable[[bytes], bytes], canary: Canary
) -> None:
    workspace, config = place
    ring = config / "keys.json"
    with running_service(*place) as service:
        made(service, "before", canary.secret())
        good = ring.read_bytes()
        content = damage(good)
        canary.watch(json.loads(good)["keys"][0]["key"])
        canary.put_into(ring)
        ring.write_bytes(content)
        answer = service.client.get("/readyz")
        assert (answer.status_code, answer.json()["status"]) == (200, "degraded")
        made(service, "meanwhile", canary.secret())
        assert {item["state"] for item in service.client.get(SOURCES).json()["items"]} == {"ok"}
        started = serve(workspace)
        assert started.returncode == 78
        assert "is damaged. Restore it from a backup." in started.stderr
        assert ring.read_bytes() == content
        ring.write_bytes(good)
        assert service.client.get("/readyz").json()["status"] == "ready"
        log = [json.loads(line) for line in service.log.read_text().splitlines()]
    assert [line["level"] for line in log if line["event"].startswith("key ring")] == ["warning", "info"]


def test_D_51_a_ring_that_is_damaged_before_anything_needed_it_does_no_harm(place: tuple[Path, Path]) -> None:
    with running_service(*place) as service:
        made(service, "first", "a password")
    with running_service(*place) as service:
        (place[1] / "keys.json").write_bytes(b"")
        assert service.client.get("/readyz").json()["status"] == "degraded"
        assert service.client.get(SOURCES).json()["items"][0]["state"] == "ok"


def test_C_11_a_ring_that_a_command_changed_is_used_by_the_service(place: tuple[Path, Path], canary: Canary) -> None:
    with running_service(*place) as service:
        source = made(service, "first", canary.secret())
        ring = KeyRing.from_bytes((place[1] / "keys.json").read_bytes()).with_new_key(primary=True)
        (place[1] / "keys.json").write_bytes(ring.to_bytes())
        other = made(service, "second", canary.secret())
        assert {item["state"] for item in service.client.get(SOURCES).json()["items"]} == {"ok"}
    stored = {item["id"]: place[0] / ".datasources" / f"{item['id']}.json" for item in (source, other)}
    used = [json.loads(path.read_bytes())["encryption"]["key_id"] for path in stored.values()]
    assert used == [key.id for key in ring.keys]


def test_a_ring_in_a_variable_is_used_and_no_file_is_made(place: tuple[Path, Path], canary: Canary) -> None:
    ring = KeyRing.first()
    with running_service(*place, WELLHEAD_KEYS=ring.to_bytes().decode()) as service:
        made(service, "first", canary.secret())
        assert service.client.get("/readyz").json()["status"] == "ready"
        assert service.client.get(SOURCES).json()["items"][0]["state"] == "ok"
    assert not (place[1] / "keys.json").exists()


def test_a_ring_in_two_places_is_an_error_of_the_settings(place: tuple[Path, Path]) -> None:
    text = KeyRing.first().to_bytes().decode()
    started = serve(place[0], WELLHEAD_KEYS=text, WELLHEAD_KEY_FILE=str(place[1] / "keys.json"))
    assert started.returncode == 78
    assert "WELLHEAD_KEYS and WELLHEAD_KEY_FILE are both set" in started.stderr
    assert json.loads(text)["keys"][0]["key"] not in started.stderr


def test_a_variable_that_holds_no_ring_ends_the_start_and_is_not_repeated(
    place: tuple[Path, Path], canary: Canary
) -> None:
    started = serve(place[0], WELLHEAD_KEYS=canary.secret())
    canary.saw(started.stdout + started.stderr)
    assert started.returncode == 78
    assert "WELLHEAD_KEYS holds no key ring" in started.stderr
