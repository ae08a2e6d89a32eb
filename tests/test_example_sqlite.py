"""The example of a plugin, as its users get it: wheels, in an environment that has only core beside it."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx2
import pytest

from support import calls
from support.uv import uv_command

ROOT = Path(__file__).parent.parent
EXAMPLE = ROOT / "examples" / "wellhead-sqlite"

pytestmark = pytest.mark.slow


def uv(*arguments: str | Path) -> None:
    """Run uv: the one that runs the tests, or the one that is installed."""
    done = subprocess.run(
        [*uv_command(), *arguments], cwd=ROOT, capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == 0, done.stderr


class Stranger:
    """An environment of somebody who installed Wellhead and the example.

    Attributes:
        workspace: Where the commands run.
    """

    def __init__(self, home: Path) -> None:
        self._programs = home / "venv" / "bin"
        self.workspace = home / "workspace"
        self.workspace.mkdir()
        self._environment = {
            "PATH": f"{self._programs}{os.pathsep}{os.defpath}",
            "HOME": str(home),
            "WELLHEAD_CONFIG_DIR": str(home / "config"),
            "WELLHEAD_TOKEN": "a-token-of-the-tests",
        }

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """Start a program of the environment."""
        command = [self._programs / arguments[0], *arguments[1:]]
        return subprocess.Popen(
            command,
            cwd=self.workspace,
            env=self._environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *arguments: str, code: int = 0) -> str:
        """Run a program of the environment, and return what it printed."""
        with self.start(*arguments) as process:
            output, errors = process.communicate(timeout=120)
        assert process.returncode == code, output + errors
        return output

    def wellhead(self, *arguments: str, code: int = 0) -> Any:
        """Run a command, and return the JSON that it printed."""
        return json.loads(self.run("wellhead", *arguments, "--json", code=code))


@pytest.fixture(scope="module")
def stranger(tmp_path_factory: pytest.TempPathFactory) -> Stranger:
    """Build wheels of core and of the example, and install them where nothing else is."""
    home = tmp_path_factory.mktemp("stranger")
    wheels = home / "wheels"
    for project in (ROOT / "core", EXAMPLE):
        copy = home / project.name  # building must leave nothing in the source tree
        shutil.copytree(project, copy, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info", "dist"))
        uv("build", "--wheel", "--no-sources", "--quiet", "--out-dir", wheels, copy)
    uv("venv", "--quiet", "--python", sys.executable, home / "venv")
    uv(
        "pip",
        "install",
        "--quiet",
        "--python",
        home / "venv" / "bin" / "python",
        "pytest",
        *sorted(wheels.glob("*.whl")),
    )
    made = Stranger(home)
    with closing(sqlite3.connect(made.workspace / "shop.db")) as database:
        database.execute("CREATE TABLE orders (id)")
    return made


@pytest.fixture(scope="module")
def service(stranger: Stranger) -> Iterator[httpx2.Client]:
    """The service, run in that environment."""
    process = stranger.start("wellhead", "serve", "--port", "0", "--json")
    assert process.stdout is not None
    headers = {"Authorization": "Bearer a-token-of-the-tests"}
    try:
        url = json.loads(process.stdout.readline())["url"]
        with calls.Client(base_url=url, headers=headers, timeout=30) as client:
            yield client
    finally:
        process.terminate()
        process.communicate(timeout=20)


def test_the_environment_has_only_core_and_the_example(stranger: Stranger) -> None:
    script = (
        "from importlib.metadata import distributions as d; print(*sorted(x.name for x in d() if 'wellhead' in x.name))"
    )
    assert stranger.run("python", "-c", script).split() == ["wellhead", "wellhead-sqlite"]


def test_the_type_is_listed(stranger: Stranger) -> None:
    [item] = stranger.wellhead("types")["items"]
    assert (item["name"], item["title"], item["state"]) == ("sqlite", "SQLite", "ready")
    assert (item["distribution"], item["version"]) == ("wellhead-sqlite", "0.1.0")
    assert {"path", "table"} <= {parameter["name"] for parameter in item["parameters"]}


def test_a_data_source_is_added_and_validated(stranger: Stranger) -> None:
    stranger.wellhead("add", "sqlite", "--name", "shop", "--set", "path=shop.db", "--set", "table=orders")
    result = stranger.wellhead("validate", "shop")
    text = json.dumps(result)
    assert '"passed"' in text
    assert '"tables": ["orders"]' in text


def test_a_data_source_that_is_wrong_fails(stranger: Stranger) -> None:
    stranger.wellhead("add", "sqlite", "--name", "lost", "--set", "path=lost.db")
    assert "file_unavailable" in json.dumps(stranger.wellhead("validate", "lost", code=1))


def test_the_type_is_in_the_openapi_document(service: httpx2.Client) -> None:
    schemas = service.get("/openapi.json").json()["components"]["schemas"]
    assert {"SqliteCreate", "SqliteRead", "SqlitePatch"} <= schemas.keys()
    assert "table" in schemas["SqliteCreate"]["properties"]


def test_the_service_validates_it(service: httpx2.Client) -> None:
    document = {"name": "shop-2", "type": "sqlite", "path": "shop.db", "table": "returns"}
    result = service.post("/api/v1/datasources/validate", json=document).json()
    [error] = result["errors"]
    assert (error["check"], error["code"], error["fields"]) == ("query", "table_not_found", ["/table"])
    assert result["details"] == {"tables": ["orders"]}
    assert result["checks"][-1]["hint"]


def test_the_examples_own_tests_pass(stranger: Stranger) -> None:
    tests = stranger.workspace.parent / EXAMPLE.name / "tests"
    assert " passed" in stranger.run("python", "-m", "pytest", "-q", "-p", "no:cacheprovider", str(tests))
