"""What the data sources of a soak point to: a real PostgreSQL, a web API, a file, and servers that do wrong."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from support.postgres import start_postgres
from support.soak.caller import Secrets
from wellhead.testing.servers import http, mysql_without_tls, silent

FILE = "sales.csv"

VERDICTS: dict[str, set[str]] = {
    "file": {"passed"},
    "database": {"passed", "warning"},
    "api": {"passed", "warning"},
    "rogue": {"failed"},
    "silent": {"timeout"},
}
"""What a validation may say, by what it is against."""


@dataclass(frozen=True, slots=True)
class Targets:
    """Where the targets are."""

    database: int
    database_password: str = field(repr=False)
    api: str
    rogue: int
    silent: int
    hidden: Secrets

    def document(self, kind: str, name: str, text: str) -> dict[str, Any]:
        """Return a document to make a data source of, with a secret of its own where it has any."""
        secret = self.hidden.make()
        login = {"host": "127.0.0.1", "database": "shop", "username": "reader", "password": secret}
        own: dict[str, dict[str, Any]] = {
            "file": {"type": "csv", "path": FILE},
            "database": {
                **login,
                "type": "postgres",
                "port": self.database,
                "tls_mode": "disable",
                "password": self.database_password,
            },
            "api": {
                "type": "api",
                "url": self.api,
                "auth_type": "api_key",
                "api_key": secret,
                "secret_headers": {"X-More": self.hidden.make()},
            },
            "rogue": {**login, "type": "mysql", "port": self.rogue, "tls_mode": "require"},
            "silent": {**login, "type": "postgres", "port": self.silent, "tls_mode": "disable"},
        }
        return {"name": name, "description": text, "labels": {"soak": kind}, **own[kind]}


@contextmanager
def running_targets(hidden: Secrets) -> Iterator[Targets]:
    """Start all targets."""
    with ExitStack() as stack:
        database = stack.enter_context(start_postgres())
        web = stack.enter_context(http())
        rogue, mute = stack.enter_context(mysql_without_tls()), stack.enter_context(silent())
        hidden.watch(database.password)
        yield Targets(database.port, database.password, web.url, rogue.port, mute.port, hidden)


def put_file(workspace: Path) -> None:
    """Put the file into a workspace that its data sources name."""
    (workspace / FILE).write_text("region,amount\nnorth,10\n")
