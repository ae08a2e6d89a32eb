"""The record of one data source, as it is stored: format 1.

A record is a JSON object. `fields` has the type's fields without secrets; `secrets` has, by JSON Pointer, each
secret's facts and its sealed value. Every sealed value is bound to the format, the workspace, the record, the type,
its pointer, its facts, and to the fields that `bound` lists: it opens only while all of them are as they were.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from json.encoder import encode_basestring as _quoted
from typing import Any

from wellhead import strict_json
from wellhead.errors import RecordTooLargeError
from wellhead.model.secret import SecretFacts
from wellhead.secrets.cipher import SCHEME

FORMAT = 1
RECORD_ID = re.compile("[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
MAX_RECORD_BYTES = 64 * 1024
_CANONICAL = json.JSONEncoder(sort_keys=True, separators=(",", ":"))


@dataclass(frozen=True, slots=True)
class SealedSecret:
    """A secret as it is stored: its facts in clear, and its value sealed."""

    facts: SecretFacts
    box: str


@dataclass(frozen=True, slots=True)
class Record:
    """One data source as it is stored.

    Attributes:
        id: Its id, a UUID in canonical form.
        type: Its type's name.
        name: Its name.
        description: Its description.
        labels: Its labels.
        created_at: When it was made (RFC 3339).
        updated_at: When it was last changed (RFC 3339).
        revision: The number of this state.
        fields: The type's fields, as JSON, without secrets.
        bound: The names of the fields that the secrets are bound to, sorted.
        secrets: The sealed secrets, by JSON Pointer.
        key_id: The key that they are sealed with; None without secrets.
        plugin: The distribution that the type came from, and its version.
        schema_version: The version of the type's schema.
        extra: Members that a newer minor format added; they are kept.
        origin: What it was migrated from; None for a record as it is stored.
    """

    id: str
    type: str
    name: str
    description: str | None
    labels: Mapping[str, str]
    created_at: str
    updated_at: str
    revision: int
    fields: Mapping[str, Any]
    bound: tuple[str, ...] = ()
    secrets: Mapping[str, SealedSecret] = field(default_factory=dict)
    key_id: str | None = None
    plugin: tuple[str | None, str | None] = (None, None)
    schema_version: int = 1
    extra: Mapping[str, Any] = field(default_factory=dict)
    origin: Origin | None = None

    def as_document(self) -> dict[str, Any]:
        """Return the members of the record as they are stored."""
        document: dict[str, Any] = {
            "wellhead_format": FORMAT,
            "id": self.id,
            "type": self.type,
            "name": self.name,
            "description": self.description,
            "labels": dict(self.labels),
            "created_at": self.created_at,
            "updated_at": self.updated_at,
            "revision": self.revision,
            "written_by": {
                "plugin": self.plugin[0],
                "plugin_version": self.plugin[1],
                "schema_version": self.schema_version,
            },
            "fields": dict(self.fields),
        }
        if self.secrets:
            document["bound"] = list(self.bound)
            document["secrets"] = {
                pointer: {**sealed.facts.as_document(), "box": sealed.box} for pointer, sealed in self.secrets.items()
            }
            document["encryption"] = {"scheme": SCHEME, "key_id": self.key_id}
        return document | dict(self.extra)

    def encode(self) -> bytes:
        """Write the record as it is stored: readable JSON, in UTF-8.

        Raises:
            RecordTooLargeError: It has more than 64 KiB.
        """
        text = indented(self.as_document()).encode("utf-8") + b"\n"
        if len(text) > MAX_RECORD_BYTES:
            raise RecordTooLargeError(f"The data source has {len(text)} bytes; a record may have {MAX_RECORD_BYTES}.")
        return text

    def sealed_at(self, pointer: str) -> tuple[Record, str]:
        """Return the record that a secret is bound to, and its pointer there: of a migrated one, its origin's."""
        return (self, pointer) if self.origin is None else (self.origin.record, self.origin.pointers.get(pointer, ""))

    def binding(self, workspace_id: str, pointer: str, facts: SecretFacts) -> bytes:
        """Return the associated data of one secret: where it belongs, in canonical JSON."""
        document = {
            "format": FORMAT,
            "workspace": workspace_id,
            "id": self.id,
            "type": self.type,
            "pointer": pointer,
            "facts": facts.as_document(),
            "bound": {name: self.fields[name] for name in self.bound if name in self.fields},
            "free": sorted(self.fields.keys() - set(self.bound)),
        }
        return _CANONICAL.encode(document).encode("ascii")


@dataclass(frozen=True, slots=True)
class Origin:
    """What a record was migrated from, to which its secrets are still bound.

    Attributes:
        record: The record as it is stored.
        pointers: Where each secret is there, by its pointer in the migrated record.
    """

    record: Record
    pointers: Mapping[str, str]


def as_stored(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return fields as a reader of the record will find them: 5.0 is 5 then, and what binds a secret must be the same.

    Raises:
        MalformedJSONError: They cannot be stored: they hold an infinity, or are nested too deep.
    """
    document = json.dumps({"fields": dict(fields)}).encode("ascii")
    found: dict[str, Any] = strict_json.parse_object(document)["fields"]
    return found


def indented(value: Any, margin: str = "\n") -> str:
    """Write JSON as `json.dumps` does with an indent of two; that one has to do it in Python, one token at a time."""
    if type(value) is str:
        return _quoted(value)
    inside = margin + "  "
    if isinstance(value, dict) and value:
        members = f",{inside}".join([f"{_quoted(name)}: {indented(item, inside)}" for name, item in value.items()])
        return f"{{{inside}{members}{margin}}}"
    if isinstance(value, list) and value:
        return f"[{inside}{f',{inside}'.join([indented(item, inside) for item in value])}{margin}]"
    return json.dumps(value)
