"""Documents to make data sources of."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

from support.service import SOURCES

Make = Callable[..., dict[str, Any]]
_NUMBERS = itertools.count(1)


def document_of(kind: str = "csv", **fields: Any) -> dict[str, Any]:
    """Return a document to make a data source of."""
    own: dict[str, dict[str, Any]] = {
        "csv": {"path": "sales.csv"},
        "postgres": {
            "host": "127.0.0.1",
            "port": 9,
            "database": "sales",
            "username": "reader",
            "tls_mode": "disable",
        },
        "gadget": {"host": "127.0.0.1"},
        "webhook": {"url": "https://api.example.com"},
    }
    return {"name": f"{kind} {next(_NUMBERS)}", "type": kind, **own[kind], **fields}


def path_of(source: dict[str, Any], *more: str) -> str:
    """Return the path of a data source."""
    return "/".join((SOURCES, source["id"], *more))
