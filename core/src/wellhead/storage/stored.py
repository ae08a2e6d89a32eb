"""A data source as it was found in the store: whatever of it can be read, and its state."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from wellhead.model.pointer import from_pointer, place
from wellhead.model.secret import SecretFacts
from wellhead.model.source import DataSourceConfig
from wellhead.storage.records import Record

State = Literal["ok", "type_unavailable", "invalid", "secret_unavailable", "unreadable", "corrupt", "newer_format"]
STATES: tuple[State, ...] = (
    "ok",
    "type_unavailable",
    "invalid",
    "secret_unavailable",
    "unreadable",
    "corrupt",
    "newer_format",
)


@dataclass(frozen=True, slots=True, eq=False)
class StoredDataSource:
    """What is stored of one data source.

    Attributes:
        id: Its id.
        state: `ok`, or what is wrong with it.
        name: Its name; None where it cannot be read, as with all that follows.
        type: Its type's name.
        revision: The number of this state.
        config: The type's model, with its secrets sealed; None where the record does not fit its type.
        record: The record, migrated to its type's schema where that could be done; None where it cannot be read.
        fields: The type's fields as the model has them, without secrets; as stored where there is no model.
        facts: What may be told of each stored secret, by JSON Pointer.
        blank_secrets: The names of the type's secret fields that are not set.
        health: The summary of the newest result of validating this revision; None if there is none.
        unfit: The names of the fields that do not fit the type, where `state` is `invalid` and that is known.
        reason: Why it is `invalid`, where that lies in a migration of its type; None else.
    """

    id: str
    state: State
    name: str | None = None
    type: str | None = None
    revision: int | None = None
    config: DataSourceConfig | None = None
    record: Record | None = None
    fields: Mapping[str, Any] = field(default_factory=dict)
    facts: Mapping[str, SecretFacts] = field(default_factory=dict)
    blank_secrets: tuple[str, ...] = ()
    health: Mapping[str, Any] | None = None
    unfit: tuple[str, ...] = ()
    reason: str | None = None

    @property
    def is_left_alone(self) -> bool:
        """True where it can be shown and deleted, and not be changed."""
        return self.record is None or self.state in {"type_unavailable", "newer_format"}

    def as_document(self) -> dict[str, Any]:
        """Return what a read shows: base fields, the type's fields, secrets as facts, state and health."""
        record = self.record
        document: dict[str, Any] = {
            **_copied(self.fields),
            **dict.fromkeys(self.blank_secrets),
        }
        for pointer, facts in self.facts.items():
            place(document, from_pointer(pointer), facts.as_document())
        # The base fields come first for the reader, and win over whatever an edited file has among the type's.
        base: dict[str, Any] = {
            "id": self.id,
            "name": self.name,
            "type": self.type,
            "description": record.description if record else None,
            "labels": dict(record.labels) if record else {},
            "created_at": record.created_at if record else None,
            "updated_at": record.updated_at if record else None,
            "revision": self.revision,
        }
        return {**base, **document, **base, "state": self.state, "health": self.health}


def _copied(value: Any) -> Any:
    """Copy what JSON can hold, all the way down; `copy.deepcopy` would be the slowest part of a read."""
    if isinstance(value, Mapping):
        return {name: _copied(inner) for name, inner in value.items()}
    return [_copied(inner) for inner in value] if isinstance(value, list) else value
