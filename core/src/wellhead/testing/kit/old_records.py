"""Records as an older version of a type may have stored them, brought up to what the type is now by its migrations."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from typing import Any

from wellhead.clock import from_text
from wellhead.model.pointer import to_pointer
from wellhead.model.secret import SecretFacts
from wellhead.plugins.registry import RegisteredType
from wellhead.storage.opening import opened
from wellhead.storage.records import Record, SealedSecret
from wellhead.storage.store import Entry
from wellhead.testing.kit.samples import SAMPLE_TEXTS, examples_of

Former = Mapping[str, Mapping[str, Any]]
_ID = "018f4b7e-0000-7000-8000-000000000000"
_TIME = "2026-01-01T00:00:00Z"
_SEALED = SealedSecret(SecretFacts(from_text(_TIME), 1), "")
_SAMPLES: Mapping[str, tuple[Any, ...]] = {
    "string": SAMPLE_TEXTS,
    "integer": (1, 1000),
    "number": (1.5, 1000.0),
    "boolean": (True,),
    "array": ([], ["sample"]),
    "object": ({},),
}
_MOST_TRIED = 200


def faults_of_migrations(known: RegisteredType, version: int, former: Former) -> Iterator[str]:
    """Migrate records of an older version: one, and if that works one for each value of the fields that have a list.

    Args:
        known: The type as it is now.
        version: The version of the schema that the records are of.
        former: The fields of that version, as the snapshot has them.

    Returns:
        What went wrong, in sentences; at most one for each record.
    """
    stored = f"Type '{known.name}', stored with schema version {version}"
    if (fault := _fault_of(known, version, former, {})) is not None:
        yield f"{stored}: {fault}"
        return
    for name, field in former.items():
        for value in field["values"] or ():
            if (fault := _fault_of(known, version, former, {name: value})) is not None:
                yield f"{stored} and {name} {value!r}: {fault}"


def _fault_of(known: RegisteredType, version: int, former: Former, fixed: Mapping[str, Any]) -> str | None:
    """Return what is wrong with a record whatever is in its other fields; None if it can be read with some values."""
    plain = {name: _values(known, name, field) for name, field in former.items() if not field["secret"]}
    plain |= {name: (value,) for name, value in fixed.items()}
    places = [*_places(known, former)]
    first = None
    for values in itertools.islice(itertools.product(*plain.values()), _MOST_TRIED):
        fault = _try(known, version, dict(zip(plain, values, strict=True)), places)
        if fault is None:
            return None
        first = first or fault
    return first


def _try(known: RegisteredType, version: int, fields: Mapping[str, Any], places: list[str]) -> str | None:
    record = Record(
        id=_ID,
        type=known.name,
        name="sample",
        description=None,
        labels={},
        created_at=_TIME,
        updated_at=_TIME,
        revision=1,
        fields=fields,
        secrets=dict.fromkeys(places, _SEALED),
        schema_version=version,
    )
    found = opened(Entry(_ID, "ok", record), known)
    if found.state == "ok":
        return None
    names = f" They are: {', '.join(found.unfit)}." if found.unfit else ""
    return found.reason or f"Its migrations make something of it that does not fit the model.{names}"


def _places(known: RegisteredType, former: Former) -> Iterator[str]:
    """Go through the JSON Pointers of the secrets: of a map of secrets one, of other objects those of the example."""
    for name, field in former.items():
        if field["secret"]:
            yield f"/{name}/sample" if field["type"] == "object" else f"/{name}"
    inner = (path for path, _ in known.shape.secrets(_example(known)) if len(path) > 1)
    yield from (to_pointer(path) for path in inner if not former.get(path[0], {"secret": True})["secret"])


def _values(known: RegisteredType, name: str, field: Mapping[str, Any]) -> tuple[Any, ...]:
    """Return values that a field may have had: as it is in an example of now, or else whatever its type allows."""
    kept = (item for item in known.parameters if item["name"] == name)
    now = next((item for item in kept if (item["type"], item["secret"]) == (field["type"], False)), None)
    if now is None and field["values"]:
        return tuple(field["values"])
    if now is None:
        likely = [value for item in known.parameters for value in item["examples"] if item["type"] == field["type"]]
        return (*likely, *_SAMPLES.get(field["type"], (None,)))
    return (known.shape.without_secrets(_example(known)).get(name, now["default"]),)


def _example(known: RegisteredType) -> dict[str, Any]:
    return next(iter(examples_of(known)), {})
