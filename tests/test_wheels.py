"""The wheels, in virtual environments of their own: nothing of the workspace is there."""

from __future__ import annotations

import json
import subprocess
import sys
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import httpx2
import pytest
from openapi_spec_validator import validate

from support.service import SOURCES, running_service
from support.uv import uv_command

ROOT = Path(__file__).parents[1]
BEFORE = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["uv"]["exclude-newer"]

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def uv() -> list[str]:
    """The command that runs uv."""
    return [*uv_command()]


@pytest.fixture(scope="module")
def wheels(uv: list[str], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The wheels of all members of the workspace, by distribution."""
    target = tmp_path_factory.mktemp("wheels")
    subprocess.run([*uv, "build", "-q", "--all-packages", "--wheel", "-o", target], cwd=ROOT, check=True)
    return {path.name.partition("-")[0].replace("_", "-"): path for path in target.glob("*.whl")}


@dataclass(frozen=True, slots=True)
class Installation:
    """A virtual environment, and a workspace for what runs in it."""

    uv: list[str]
    path: Path

    @property
    def python(self) -> str:
        """Its Python."""
        return str(self.path / "venv" / "bin" / "python")

    def pip(self, *arguments: str | Path) -> None:
        """Install or uninstall."""
        command = [*self.uv, "pip", arguments[0], "-q", "--python", self.python, *arguments[1:]]
        subprocess.run(command, cwd=self.path, check=True)

    def wellhead(self, *arguments: str) -> str:
        """Run a command, and return what it prints."""
        command = [self.path / "venv" / "bin" / "wellhead", *arguments]
        done = subprocess.run(command, cwd=self.path, stdout=subprocess.PIPE, text=True, check=True)
        return done.stdout

    def types(self) -> list[str]:
        """Return the types that the command line lists."""
        return [item["name"] for item in json.loads(self.wellhead("types", "--json"))["items"]]

    def service(self) -> Any:
        """Start the service."""
        return running_service(self.path, self.path.parent / "config", python=self.python)


@pytest.fixture
def installation(uv: list[str], wheels: dict[str, Path], tmp_path: Path) -> Installation:
    """Core alone, installed from its wheel."""
    path = tmp_path / "elsewhere"
    path.mkdir()
    made = Installation(uv, path)
    subprocess.run([*uv, "venv", "-q", "--python", sys.executable, path / "venv"], cwd=path, check=True)
    made.pip("install", "--exclude-newer", BEFORE, wheels["wellhead"])
    return made


def document_of(client: httpx2.Client) -> dict[str, Any]:
    """Return the OpenAPI document, which is valid."""
    document: dict[str, Any] = client.get("/openapi.json").json()
    validate(document)
    return document


def schemas_of(client: httpx2.Client) -> set[str]:
    """Return the names of the schemas in the OpenAPI document."""
    return set(document_of(client)["components"]["schemas"])


def types_of(client: httpx2.Client) -> list[str]:
    """Return the types that the API lists."""
    return [item["name"] for item in client.get(f"{SOURCES}/types").json()["items"]]


def test_a_wheel_has_its_package_and_its_license_and_nothing_else(wheels: dict[str, Path]) -> None:
    for distribution, path in wheels.items():
        package = distribution.replace("-", "_")
        with ZipFile(path) as wheel:
            names = set(wheel.namelist())
            information = f"{package}-{path.name.split('-')[1]}.dist-info"
            metadata = wheel.read(f"{information}/METADATA").decode()
        assert {name.partition("/")[0] for name in names} == {package, information}
        offered = ("wellhead/testing/", "wellhead/scaffold/")
        assert not any("test" in name for name in names if not name.startswith(offered))
        assert "License-Expression: Apache-2.0\n" in metadata
        assert f"{information}/licenses/LICENSE" in names


def test_the_wheel_of_core_brings_its_types_for_type_checkers(wheels: dict[str, Path]) -> None:
    with ZipFile(wheels["wellhead"]) as wheel:
        assert {"wellhead/py.typed", "wellhead/__init__.pyi"} <= set(wheel.namelist())


def test_core_alone_has_no_types_and_says_what_to_install(installation: Installation) -> None:
    assert installation.types() == []
    assert "pip install wellhead-files" in installation.wellhead("types")
    with installation.service() as service:
        assert types_of(service.client) == []
        assert "DataSourceCreate" in schemas_of(service.client)


def test_a_plugin_brings_exactly_its_types(installation: Installation, wheels: dict[str, Path]) -> None:
    installation.pip("install", "--exclude-newer", BEFORE, wheels["wellhead-postgres"])
    assert installation.types() == ["postgres"]
    with installation.service() as service:
        assert types_of(service.client) == ["postgres"]
        assert {"PostgresCreate", "PostgresRead", "PostgresPatch"} <= schemas_of(service.client)


def test_a_type_comes_and_goes_with_its_wheel_while_its_data_sources_stay(
    installation: Installation, wheels: dict[str, Path]
) -> None:
    installation.pip("install", "--exclude-newer", BEFORE, wheels["wellhead-files"])
    with installation.service() as service:
        before = schemas_of(service.client)
    installation.pip("install", "--exclude-newer", BEFORE, wheels["wellhead-postgres"])
    assert installation.types() == ["csv", "json", "postgres"]
    with installation.service() as service:
        added = schemas_of(service.client) - before
        source = {"type": "postgres", "name": "orders", "host": "db.example.com", "database": "o", "username": "u"}
        made = service.client.post(SOURCES, json=source | {"password": "to-be-kept"}).raise_for_status().json()
    assert {"PostgresCreate", "PostgresRead", "PostgresPatch"} <= added
    assert all(name.startswith("Postgres") for name in added)
    installation.pip("uninstall", "wellhead-postgres")
    assert installation.types() == ["csv", "json"]
    with installation.service() as service:
        assert schemas_of(service.client) == before
        listed = service.client.get(SOURCES).json()["items"]
        assert [(item["id"], item["state"]) for item in listed] == [(made["id"], "type_unavailable")]
        assert service.client.delete(f"{SOURCES}/{made['id']}").status_code == 204
