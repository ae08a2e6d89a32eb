"""A configuration as the document that the API takes, with its secrets in clear."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from wellhead.model.secret import Secret
from wellhead.model.source import DataSourceConfig


def in_clear(config: DataSourceConfig) -> dict[str, Any]:
    """Write a configuration as a document; a secret that is not in clear stays the reference or the facts it is."""
    document: dict[str, Any] = with_secrets(config.model_dump(mode="json"), config.model_dump())
    return document


def with_secrets(dumped: Any, value: Any) -> Any:
    """Put secrets in clear in place of what they were dumped as.

    Args:
        dumped: A dumped value, as JSON.
        value: The value itself.
    """
    if isinstance(value, Mapping):
        return {name: with_secrets(dumped[name], inner) for name, inner in value.items()}
    if not isinstance(value, Secret):
        return dumped
    if value.is_clear:
        return value.reveal()
    return {"ref": value.reference} if value.facts is None else value.facts.as_document()
