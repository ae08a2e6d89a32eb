"""Reading the record of a data source from what is stored, and refusing what is none."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from wellhead import clock, strict_json
from wellhead.errors import MalformedJSONError
from wellhead.model.pointer import from_pointer, to_pointer
from wellhead.model.secret import SecretFacts
from wellhead.model.source import RESERVED_FIELDS
from wellhead.secrets.cipher import SCHEME
from wellhead.storage.records import FORMAT, MAX_RECORD_BYTES, Record, SealedSecret

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
