"""One live service for all tests of a module, and a client whose every answer is searched for secrets."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from support import calls
from support.canary import Canary, forgotten, searched
from support.documents import Make, document_of
from support.fixtures import _clean_environment, anyio_backend  # noqa: F401  # found by their names
from support.plugin import install_plugin
from support.postgres import postgres  # noqa: F401  # found by its name
from support.service import SOURCES, Service, running_service


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory of the service: its workspace, its configuration and its logs."""
    home = tmp_path_factory.mktemp("service")
    (home / "workspace").mkdir()
    return home


@pytest.fixture(scope="module")
def service(home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A live service with a plugin of the tests' own, logging at DEBUG."""
    plugins = install_plugin(tmp_path_factory.mktemp("plugins"))
    paths = os.pathsep.join(filter(None, [str(plugins), os.environ.get("PYTHONPATH")]))
    variables = {"PYTHONPATH": paths, "WELLHEAD_LOG_LEVEL": "debug", "PYTHONASYNCIODEBUG": "1"}
    with running_service(home / "workspace", home / "config", **variables) as running:
        yield running


@pytest.fixture(scope="module", autouse=True)
def _forget_services() -> Iterator[None]:
    """Search the services of a module in its own tests only."""
    with forgotten():
        yield


@pytest.fixture(autouse=True)
def canary(home: Path, tmp_path: Path) -> Iterator[Canary]:
    """Unique secrets; after each test, the services' files, logs, output, answers and processes are searched for them.

    So they are for the tokens of the services. A test need not ask for it.
    """
    with searched(home, tmp_path) as canary:
        yield canary


@pytest.fixture
def client(service: Service) -> Iterator[httpx2.Client]:
    """A client of the service; as of every client, what it is answered must hold no secret."""
    with client_of(service) as client:
        yield client


def client_of(service: Service) -> httpx2.Client:
    """Return a client with the token of a service."""
    headers = {"Authorization": f"Bearer {service.token}"}
    return calls.Client(base_url=service.url, headers=headers, timeout=30)


@pytest.fixture
def make(client: httpx2.Client) -> Make:
    """Make a data source of a type, with a name that no other has."""

    def made(kind: str = "csv", **fields: Any) -> dict[str, Any]:
        answer = client.post(SOURCES, json=document_of(kind, **fields))
        assert answer.status_code == 201, answer.text
        return answer.json()

    return made


@pytest.fixture
def blackhole() -> Iterator[int]:
    """The port of a server that takes connections and never says a word."""
    with socket.create_server(("127.0.0.1", 0), backlog=5) as server:
        yield server.getsockname()[1]
