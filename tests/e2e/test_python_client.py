"""A client in Python, generated from the OpenAPI document, checked strictly, and run against a live service."""

from __future__ import annotations

import json
import os
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

from support.canary import Canary
from support.mariadb import mariadb  # noqa: F401  # pytest finds fixtures by their names here
from support.postgres import postgres_with_tls  # noqa: F401  # pytest finds fixtures by their names here
from support.programs import run_in
from support.redis import redis_server  # noqa: F401  # pytest finds fixtures by their names here
from support.service import running_service
from support.targets import servers, write_files  # noqa: F401  # as above
from support.uv import uv_command

PROGRAM = Path(__file__).parent / "python" / "use_client.py"
ROOT = Path(__file__).parents[2]
BEFORE = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["uv"]["exclude-newer"]
GENERATOR = "openapi-python-client==0.29.1"
"""It gets an environment of its own, because it wants other versions of libraries than Wellhead does."""

pytestmark = pytest.mark.slow


@pytest.fixture
def python(tmp_path: Path) -> Path:
    """The Python of an environment with the generator, and nothing of Wellhead."""
    run_in(tmp_path, *uv_command(), "venv", "-q", "--python", sys.executable, "environment")
    made = tmp_path / "environment" / "bin" / "python"
    install(made, GENERATOR, "mypy")
    return made


def install(python: Path, *names: str) -> None:
    command = [*uv_command(), "pip", "install", "-q", "--exclude-newer", BEFORE, "--python", str(python), *names]
    run_in(python.parent, *command)


def test_a_generated_client_has_no_gap_and_does_its_work(
    python: Path,
    servers: dict[str, Any],  # noqa: F811
    workspace: Path,
    tmp_path: Path,
    canary: Canary,
) -> None:
    write_files(workspace)
    (tmp_path / "client.yaml").write_text("content_type_overrides:\n  application/x-ndjson: text/plain\n")
    with running_service(workspace, tmp_path / "config") as service:
        (tmp_path / "openapi.json").write_bytes(service.client.get("/openapi.json").raise_for_status().content)
        generator = (python.parent / "openapi-python-client", "generate", "--path", "openapi.json", "--meta", "uv")
        path = f"{python.parent}{os.pathsep}{os.environ['PATH']}"
        said = run_in(tmp_path, *generator, "--config", "client.yaml", "--fail-on-warning", PATH=path)
        assert said.splitlines()[1:] == [], said
        install(python, str(tmp_path / "wellhead-client"))
        run_in(tmp_path, python, "-m", "mypy", "--strict", PROGRAM)
        run_in(tmp_path, python, "-m", "mypy", "wellhead-client/wellhead_client")
        facts = {"SERVICE_URL": service.url, "SERVICE_TOKEN": service.token, "SERVERS": json.dumps(servers)}
        printed = run_in(tmp_path, python, PROGRAM, **facts)
    canary.saw(printed)
    assert printed.splitlines()[-1] == "ok"
