"""The REST API inside the test's own process, and what requests need of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from starlette.testclient import TestClient

from wellhead.api.live import LiveApp
from wellhead.assembled import Wellhead

SOURCES = "/api/v1/datasources"


@contextmanager
def api_of(wellhead: Wellhead) -> Iterator[TestClient]:
    """Return a client that calls the API directly, with the token."""
    headers = {"Authorization": f"Bearer {wellhead.token.read_or_make()}"}
    with TestClient(LiveApp(wellhead), "http://localhost", raise_server_exceptions=False, headers=headers) as client:
        yield client


@pytest.fixture
def api(wellhead_parts: Wellhead) -> Iterator[TestClient]:
    """A client of an API that is not reached over the network."""
    with api_of(wellhead_parts) as client:
        yield client


def csv_source(name: str = "sales", **more: Any) -> dict[str, Any]:
    """Return a document without secrets."""
    return {"name": name, "type": "csv", "path": "sales.csv", **more}


def database(name: str = "warehouse", **more: Any) -> dict[str, Any]:
    """Return a document with a secret, of a database that is not there."""
    return {
        "name": name,
        "type": "postgres",
        "host": "127.0.0.1",
        "port": 9,
        "database": "sales",
        "username": "reader",
        "tls_mode": "disable",
        **more,
    }
