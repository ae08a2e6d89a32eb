"""The record of one data source, as it is stored: format 1.

A record is a JSON object. `fields` has the type's fields without secrets; `secrets` has, by JSON Pointer, each
secret's facts and its sealed value. Every sealed value is bound to the format, the workspace, the record, the type,
its pointer, its facts, and to the fields that `bound` lists: it opens only while all of them are as they were.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from wellhead import clock, strict_json
from wellhead.errors import MalformedJSONError, RecordTooLargeError
from wellhead.model.pointer import from_pointer, to_pointer
from wellhead.model.secret import SecretFacts
from wellhead.model.source import RESERVED_FIELDS
from wellhead.secrets.cipher import SCHEME

FORMAT = 1
MAX_RECORD_BYTES = 64 * 1024

_LARGEST = 2**63 - 1
"""What the index can hold."""

_KNOWN = frozenset(
    (
        "wellhead_format",
        "id",
        "type",
        "name",
        "description",
        "labels",
        "created_at",
        "updated_at",
        "revision",
        "written_by",
        "fields",
        "bound",
        "secrets",
        "encryption",
    )
)
_SEALED = frozenset(("bound", "secrets", "encryption"))
"""The members that a record with secrets has, and no other one."""


class DamagedRecordError(Exception):
    """The bytes are no record."""


class NewerRecordError(Exception):
    """The record has a newer format. `document` is what could be read of it."""

    def __init__(self, document: dict[str, Any]) -> None:
        super().__init__("newer format")
        self.document = document


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
        text = json.dumps(self.as_document(), ensure_ascii=False, indent=2).encode("utf-8") + b"\n"
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
        return json.dumps(document, sort_keys=True, separators=(",", ":")).encode("ascii")


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


def decode(text: bytes, record_id: str) -> Record:
    """Read a record.

    Args:
        text: What is stored.
        record_id: The id under which it is stored.

    Raises:
        DamagedRecordError: It is not a record, or that of another id.
        NewerRecordError: Its format is newer than this.
    """
    if len(text) > MAX_RECORD_BYTES:
        raise DamagedRecordError("too large")
    try:
        document = strict_json.parse_object(text)
    except MalformedJSONError:
        raise DamagedRecordError("not JSON") from None
    return read_record(document, record_id)


def read_record(document: Mapping[str, Any], record_id: str) -> Record:
    """Read the members of a record.

    Args:
        document: The members.
        record_id: The id under which they are stored.

    Raises:
        DamagedRecordError: They are not those of a record, or are of another id.
        NewerRecordError: Their format is newer than this.
    """
    version = document.get("wellhead_format")
    if type(version) is not int or document.get("id") != record_id:
        raise DamagedRecordError("no format, or another id")
    if version > FORMAT:
        raise NewerRecordError(dict(document))
    try:
        return _read(document)
    except (KeyError, TypeError, ValueError, AttributeError):
        raise DamagedRecordError("wrong members") from None


def _read(document: Mapping[str, Any]) -> Record:
    written_by = _typed(document["written_by"], dict)
    fields = _typed(document["fields"], dict)
    if 0 < len(document.keys() & _SEALED) < len(_SEALED):
        raise ValueError("a part of what belongs to secrets is not there")  # or else they would be taken for not set
    secrets = {pointer: _read_secret(entry) for pointer, entry in document.get("secrets", {}).items()}
    for pointer in secrets:
        _check_place(pointer, fields)
    encryption = _typed(document.get("encryption", {"scheme": SCHEME}), dict)
    if encryption["scheme"] != SCHEME:
        raise ValueError("unknown encryption")
    clock.from_text(document["created_at"])
    clock.from_text(document["updated_at"])
    return Record(
        id=document["id"],
        type=_typed(document["type"], str),
        name=_typed(document["name"], str),
        description=_typed(document["description"], str, type(None)),
        labels={key: _typed(value, str) for key, value in _typed(document["labels"], dict).items()},
        created_at=document["created_at"],
        updated_at=document["updated_at"],
        revision=_positive(document["revision"]),
        fields=fields,
        bound=tuple(_typed(name, str) for name in _typed(document.get("bound", []), list)),
        secrets=secrets,
        key_id=_typed(encryption.get("key_id"), str, type(None)),
        plugin=(written_by.get("plugin"), written_by.get("plugin_version")),
        schema_version=_positive(written_by["schema_version"]),
        extra={key: value for key, value in document.items() if key not in _KNOWN},
    )


def _read_secret(entry: Any) -> SealedSecret:
    facts = SecretFacts.from_document({key: value for key, value in entry.items() if key != "box"})
    return SealedSecret(facts, _typed(entry["box"], str))


def _check_place(pointer: str, fields: dict[str, Any]) -> None:
    """Hold that a secret lies among the type's fields, where nothing else is."""
    path = from_pointer(pointer)
    if not path or to_pointer(path) != pointer or path[0] in RESERVED_FIELDS:
        raise ValueError("not the pointer of a secret")
    *parents, last = path
    for part in parents:
        fields = _typed(fields.get(part, {}), dict)
    if last in fields:
        raise ValueError("a secret and a field in one place")


def _typed(value: Any, *kinds: type) -> Any:
    if type(value) not in kinds:
        raise TypeError("wrong type")
    return value


def _positive(value: Any) -> int:
    if type(value) is not int or not 1 <= value <= _LARGEST:
        raise ValueError("not a positive number, or one that the index cannot hold")
    return value
