"""A live service, a browser, and somebody who has signed in."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser

from support.canary import Canary
from support.chromium import Visit, running_chromium, show_traffic, visiting
from support.fixtures import _clean_environment, anyio_backend  # noqa: F401  # found by their names
from support.mariadb import mariadb  # noqa: F401  # as above
from support.postgres import postgres  # noqa: F401  # as above
from support.service import Service, running_service


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what is here as slow: a browser takes its time."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.slow)


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """The browser."""
    with running_chromium() as browser:
        yield browser


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory of the service: its workspace, its configuration and its logs."""
    home = tmp_path_factory.mktemp("service")
    (home / "workspace").mkdir()
    return home


@pytest.fixture(scope="module")
def service(home: Path) -> Iterator[Service]:
    """A live service, logging at DEBUG."""
    with running_service(home / "workspace", home / "config", WELLHEAD_LOG_LEVEL="debug") as running:
        yield running


@pytest.fixture
def canary(home: Path, service: Service, tmp_path: Path) -> Iterator[Canary]:
    """Unique secrets, and the token; after the test all traffic, files, logs and processes are searched for them."""
    canary = Canary(home)
    canary.watch(service.token)
    canary.put_into(home / "config" / "token")
    yield canary
    for record in tmp_path.glob("*.har"):
        show_traffic(record, canary)
    canary.search()


@pytest.fixture
def visit(chromium: Browser, service: Service, canary: Canary, tmp_path: Path) -> Iterator[Visit]:
    """Somebody who has signed in."""
    with visiting(chromium, service.url, tmp_path / "traffic.har") as visit:
        visit.sign_in(service.token)
        yield visit


@pytest.fixture
def sources(service: Service) -> Iterator[dict[str, Any]]:
    """A few data sources by their names, gone after the test."""
    made = {}
    for name, path in (("sales", "sales.csv"), ("rates", "rates.csv"), ("orders", "orders.csv")):
        document = {"name": name, "type": "csv", "path": path, "labels": {"team": name}}
        made[name] = service.client.post("/api/v1/datasources", json=document).json()
    yield made
    for source in made.values():
        service.client.delete(f"/api/v1/datasources/{source['id']}")
