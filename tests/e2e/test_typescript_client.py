"""A client in TypeScript, generated from the OpenAPI document, compiled strictly, and run against a live service."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from support.canary import Canary
from support.mariadb import mariadb  # noqa: F401  # pytest finds fixtures by their names here
from support.postgres import postgres_with_tls  # noqa: F401  # pytest finds fixtures by their names here
from support.programs import missing_service, run_in
from support.redis import redis_server  # noqa: F401  # pytest finds fixtures by their names here
from support.service import running_service
from support.targets import servers, write_files  # noqa: F401  # as above

CLIENT = Path(__file__).parent / "typescript"
CACHE = Path(__file__).parents[2] / "node_modules" / ".wellhead"

pytestmark = pytest.mark.slow


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A directory with the client and its tools, which are installed once for each state of package.json."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        missing_service("Node.js and npm are not there: no TypeScript client was compiled.")
    tools = CACHE / hashlib.sha256((CLIENT / "package.json").read_bytes()).hexdigest()[:16]
    if not (tools / "node_modules" / ".package-lock.json").exists():
        tools.mkdir(parents=True, exist_ok=True)
        shutil.copy(CLIENT / "package.json", tools)
        run_in(tools, "npm", "install", "--no-package-lock", "--no-audit", "--no-fund", "--loglevel=error")
    made = tmp_path / "client"
    shutil.copytree(CLIENT, made)
    (made / "node_modules").symlink_to(tools / "node_modules", target_is_directory=True)
    return made


def test_a_generated_client_compiles_strictly_and_does_its_work(
    project: Path,
    servers: dict[str, Any],  # noqa: F811
    workspace: Path,
    tmp_path: Path,
    canary: Canary,
) -> None:
    write_files(workspace)
    with running_service(workspace, tmp_path / "config") as service:
        (project / "openapi.json").write_bytes(service.client.get("/openapi.json").raise_for_status().content)
        generate = (
            "openapi-typescript",
            "openapi.json",
            "--output",
            "wellhead.d.ts",
            "--default-non-nullable",
            "false",
        )
        run_in(project, "npm", "exec", "--no", "--", *generate)
        run_in(project, "npm", "exec", "--no", "--", "tsc", "--project", ".")
        secret = canary.secret()
        facts = {"SERVICE_URL": service.url, "SERVICE_TOKEN": service.token, "SERVERS": json.dumps(servers)}
        printed = run_in(project, "node", "client.js", SECRET=secret, **facts)
    canary.saw(printed)
    assert printed.splitlines()[-1] == "ok"
