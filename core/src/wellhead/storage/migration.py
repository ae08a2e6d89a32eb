"""Bringing a record of an older schema up to the schema that its type has now: in memory, as it is read.

The migrations of a type are foreign code. They get the fields as they are stored, and in the place of each stored
secret a marker, which tells nothing. Where markers are found again is where the secrets are from then on. Their boxes
stay as they are, bound to what is stored, until the record is saved.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, NoReturn, Self

from wellhead.errors import MalformedJSONError
from wellhead.model.extension import Migration
from wellhead.model.pointer import Path, from_pointer, place, to_pointer
from wellhead.model.shape import SECRET
from wellhead.storage.known_type import KnownType
from wellhead.storage.records import Origin, Record, as_stored


class MigrationFailedError(Exception):
    """A record cannot be brought up to its type's schema. The text says why, and holds nothing of the record."""


class Marker:
    """Stands for a stored secret in the fields that a migration gets. It may be moved or left out, and says nothing."""

    __slots__ = ()

    def __repr__(self) -> str:
        return "<a stored secret>"

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, _memo: object) -> Self:
        return self

    def __reduce__(self) -> NoReturn:
        raise TypeError("the marker of a stored secret cannot be pickled")


Places = Mapping[Marker, Path]
"""Where the marker of each secret is."""


class _RubbishError(Exception):
    """A migration returned what it may not; the text says what."""


def migrated(record: Record, known: KnownType) -> Record:
    """Return a record as the schema of its type has it now, with what it was made from as its origin.

    Args:
        record: A record as it is stored, of this schema or an older one.
        known: Its type.

    Raises:
        MigrationFailedError: A migration raised, or returned what does not stand for the record.
    """
    if record.schema_version >= known.schema_version:
        return record
    stored = {Marker(): pointer for pointer in record.secrets}
    fields = record.fields
    places: Places = {marker: from_pointer(pointer) for marker, pointer in stored.items()}
    for version in range(record.schema_version, known.schema_version):
        fields, places = _next(fields, places, known.migrations[version], version)
    if any(known.shape.node_at(path) is not SECRET for path in places.values()):
        raise MigrationFailedError("Its migrations put a stored secret where the type has none.")
    pointers = {to_pointer(path): stored[marker] for marker, path in places.items()}
    return replace(
        record,
        fields=fields,
        secrets={pointer: record.secrets[before] for pointer, before in pointers.items()},
        schema_version=known.schema_version,
        origin=Origin(record, pointers),
    )


def _next(
    fields: Mapping[str, Any], places: Places, migration: Migration, version: int
) -> tuple[Mapping[str, Any], Places]:
    """Return the fields of the next version of the schema, without secrets, and where those are."""
    try:
        document = as_stored(fields)  # a copy: what is read is kept, and must stay as it is
        for marker, path in places.items():
            place(document, path, marker)
        return _taken_apart(migration(document), places)
    except _RubbishError as error:
        what = f"returned {error}"
    except (Exception, SystemExit) as error:  # noqa: BLE001  # foreign code; one record that it fails on must not hide the others
        what = f"raised {type(error).__name__}"
    raise MigrationFailedError(f"Its migration from schema version {version} to {version + 1} {what}.")


def _taken_apart(document: object, known: Places) -> tuple[Mapping[str, Any], Places]:
    """Part what a migration returned into fields and markers."""
    if type(document) is not dict:
        raise _RubbishError("something that is no dictionary of fields")
    places: dict[Marker, Path] = {}
    fields = _without_markers(document, (), places)
    if not places.keys() <= known.keys():
        raise _RubbishError("the marker of a secret that is not stored")
    try:
        return as_stored(fields), places
    except MalformedJSONError:
        raise _RubbishError("what JSON cannot hold") from None


def _without_markers(value: Any, path: Path | None, places: dict[Marker, Path]) -> Any:
    """Copy what JSON can hold, and take markers out, noting where they were. Inside lists, `path` is None."""
    if type(value) is list:
        return [_without_markers(inner, None, places) for inner in value]
    if type(value) is not dict:
        return _plain(value)
    fields = {}
    for name, inner in value.items():
        if type(name) is not str:
            raise _RubbishError("a name that is no string")
        if not isinstance(inner, Marker):
            fields[name] = _without_markers(inner, None if path is None else (*path, name), places)
        elif path is None:
            raise _RubbishError("a stored secret in a list")
        elif inner in places:
            raise _RubbishError("one stored secret in two places")
        else:
            places[inner] = (*path, name)
    return fields


def _plain(value: Any) -> Any:
    if isinstance(value, Marker):
        raise _RubbishError("a stored secret in a list")
    if value is not None and type(value) not in {bool, int, float, str}:
        raise _RubbishError("what JSON cannot hold")
    return value
