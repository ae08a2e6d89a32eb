"""A former revision of a data source: what it is written and read as, and how it differs from the one that followed."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from wellhead import clock, strict_json
from wellhead.errors import MalformedJSONError
from wellhead.model.pointer import from_pointer
from wellhead.model.secret import SecretFacts
from wellhead.storage.record_reading import DamagedRecordError, NewerRecordError, read_record
from wellhead.storage.records import Record

_SUPERSEDED = "superseded"
_KNOWN = frozenset(("at", "by", "changed"))


@dataclass(frozen=True, slots=True)
class Revision:
    """A former state of a data source.

    Attributes:
        record: The record as it was; a secret that was purged has an empty box.
        superseded_at: When it was changed (RFC 3339).
        by: Who changed it; None where nobody knows.
        changed: The names of the fields that were changed then, sorted.
        extra: Members of `superseded` that a newer minor format added; they are kept.
    """

    record: Record
    superseded_at: str
    by: str | None
    changed: tuple[str, ...]
    extra: Mapping[str, Any] = field(default_factory=dict)

    @property
    def is_purged(self) -> bool:
        """True where secrets were taken out, so that it cannot be restored whole."""
        return not all(sealed.box for sealed in self.record.secrets.values())

    def as_document(self) -> dict[str, Any]:
        """Return what may be told of the revision: no values, and of secrets only that they were changed."""
        return {
            "revision": self.record.revision,
            "at": self.superseded_at,
            "by": self.by,
            "changed": list(self.changed),
        }

    def encode(self) -> bytes:
        """Write the revision as one line, without the line break."""
        superseded = {"at": self.superseded_at, "by": self.by, "changed": list(self.changed), **self.extra}
        document = self.record.as_document() | {_SUPERSEDED: superseded}
        text = json.dumps(document, ensure_ascii=False, separators=(",", ":"))
        return text.encode("utf-8")


@dataclass(frozen=True, slots=True)
class Rewritten:
    """What became of a history that was gone through.

    Attributes:
        changed: How many revisions were changed.
        dropped: How many lines were taken out, because they could not be read.
        left: How many lines could not be read, and were left as they are.
    """

    changed: int = 0
    dropped: int = 0
    left: int = 0


def read_revision(line: bytes, record_id: str) -> Revision | None:
    """Read one line of a history; None if it is damaged, of another data source, or in a newer format."""
    try:
        document = strict_json.parse_object(line)
        superseded = dict(document.pop(_SUPERSEDED))
        at, by, changed = (superseded[name] for name in ("at", "by", "changed"))
        clock.from_text(at)
        record = read_record(document, record_id)
    except (MalformedJSONError, DamagedRecordError, NewerRecordError, KeyError, TypeError, ValueError, AttributeError):
        return None
    if (
        not isinstance(by, str | None)
        or not isinstance(changed, list)
        or not all(type(name) is str for name in changed)
    ):
        return None
    extra = {name: value for name, value in superseded.items() if name not in _KNOWN}
    return Revision(record, at, by, tuple(changed), extra)


def revisions_of(lines: Sequence[bytes], record_id: str) -> list[Revision]:
    """Return what can be read of a history, newest first."""
    return [found for line in lines if (found := read_revision(line, record_id)) is not None]


def changed_fields(former: Record, record: Record) -> tuple[str, ...]:
    """Return the names of the fields that differ, sorted; of secrets, what is compared is when they were set."""
    base = ("name", "description", "labels")
    names = {name for name in base if getattr(former, name) != getattr(record, name)}
    names |= {
        name for name in former.fields.keys() | record.fields.keys() if _text(former, name) != _text(record, name)
    }
    pointers = former.secrets.keys() | record.secrets.keys()
    names |= {from_pointer(pointer)[0] for pointer in pointers if _facts(former, pointer) != _facts(record, pointer)}
    return tuple(sorted(names))


def _text(record: Record, name: str) -> str | None:
    """Write a field as it is compared. Python alone would take true and 1 for the same."""
    return json.dumps(record.fields[name], sort_keys=True) if name in record.fields else None


def _facts(record: Record, pointer: str) -> SecretFacts | None:
    sealed = record.secrets.get(pointer)
    return None if sealed is None else sealed.facts


def without_values(revision: Revision) -> Revision:
    """Return a revision without the values of its secrets. What is known of them stays; a reference is no value."""
    secrets = {
        pointer: sealed if sealed.facts.reference is not None else replace(sealed, box="")
        for pointer, sealed in revision.record.secrets.items()
    }
    key_id = revision.record.key_id if any(sealed.box for sealed in secrets.values()) else None
    return replace(revision, record=replace(revision.record, secrets=secrets, key_id=key_id))
