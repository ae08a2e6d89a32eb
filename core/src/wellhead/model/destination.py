"""Where the secrets of a data source go: the hosts that its fields name."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel

from wellhead.model.addresses import check_host, check_url
from wellhead.model.families import APIDataSource, DatabaseDataSource
from wellhead.model.markers import metadata
from wellhead.model.source import DataSourceConfig


def hosts_of(config: DataSourceConfig) -> frozenset[str] | None:
    """Return the hosts that a data source's secrets are sent to, in lower case; None if its type does not tell.

    A database or an API tells: by the fields of its family, and by those of its type that are a `Host` or a `Url`, at
    any depth. Other types may send their secrets anywhere.
    """
    if not isinstance(config, DatabaseDataSource | APIDataSource):
        return None
    return frozenset(_hosts(config))


def _hosts(model: BaseModel) -> Iterator[str]:
    for name, info in type(model).model_fields.items():
        value = getattr(model, name)
        checks = {mark.func for mark in metadata(info) if isinstance(mark, AfterValidator)}
        for item in _items(value):
            if isinstance(item, BaseModel):
                yield from _hosts(item)
            elif isinstance(item, str) and check_host in checks:
                yield item.lower()
            elif isinstance(item, str) and check_url in checks:
                yield (urlsplit(item).hostname or "").lower()


def _items(value: Any) -> Iterator[Any]:
    """Go through a value, and through what is in it if it is a list or a map."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list | tuple | set | frozenset):
        for item in value:
            yield from _items(item)
    else:
        yield value
