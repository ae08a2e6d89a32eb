"""What a data source of each built-in type can be validated against: real servers, files, and a REST API."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from support.canary import Canary
from support.mariadb import MariaDB
from support.postgres import Postgres
from support.redis import RedisServer


@pytest.fixture
def servers(postgres_with_tls: Postgres, mariadb: MariaDB, redis_server: RedisServer, canary: Canary) -> dict[str, Any]:
    """The servers by type: the port on localhost, the certificate of the authority, and the password of `reader`."""
    ports = {"postgres": postgres_with_tls.port, "mysql": mariadb.port, "redis": redis_server.tls_port}
    running = {"postgres": postgres_with_tls, "mysql": mariadb, "redis": redis_server}
    return {
        kind: {"port": ports[kind], "ca": server.certificates.ca, "password": canary.watch(server.password)}
        for kind, server in running.items()
    }


def write_files(workspace: Path) -> None:
    """Write what the data sources of files name."""
    (workspace / "sales.csv").write_text("region,amount\nnorth,1\n")
    (workspace / "sales.json").write_text(json.dumps([{"region": "north", "amount": 1}]))
