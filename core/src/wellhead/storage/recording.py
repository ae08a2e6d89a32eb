"""Making the record of a configuration: what is stored of it, in the schema that its type has now."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from wellhead.model.source import DataSourceConfig
from wellhead.storage.known_type import KnownType
from wellhead.storage.records import Record


def record_of(
    config: DataSourceConfig,
    known: KnownType,
    fields: Mapping[str, Any],
    *,
    record_id: str,
    created_at: str,
    updated_at: str,
    revision: int,
    extra: Mapping[str, Any] | None = None,
) -> Record:
    """Make the record of a configuration, without its secrets.

    Args:
        config: The configuration.
        known: Its type.
        fields: The type's fields as they are to be stored, without secrets.
        record_id: Its id.
        created_at: When it was made (RFC 3339).
        updated_at: When it was last changed (RFC 3339).
        revision: The number of this state.
        extra: Members that a newer minor format added.
    """
    return Record(
        id=record_id,
        type=config.type,
        name=config.name,
        description=config.description,
        labels=config.labels,
        created_at=created_at,
        updated_at=updated_at,
        revision=revision,
        fields=fields,
        plugin=(known.distribution, known.version),
        schema_version=known.schema_version,
        extra=extra or {},
    )
