"""The rule for changes of models: what was stored by an older version of a plugin must still be read by a newer one.

`schema-snapshot.json`, beside `pyproject.toml`, has the fields of each type as they were at the last release.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from wellhead.plugins.registry import RegisteredType
from wellhead.testing.kit.old_records import faults_of_migrations
from wellhead.testing.kit.outcomes import Finding
from wellhead.testing.kit.subject import SkippedError, Subject

SNAPSHOT_FILE = "schema-snapshot.json"
Snapshot = Mapping[str, Any]


def snapshot_of(types: Sequence[RegisteredType]) -> dict[str, Any]:
    """Describe the fields of types, as far as what is stored depends on them."""
    return {
        known.name: {
            "schema_version": known.schema_version,
            "fields": {item["name"]: _field(known, item) for item in _stored(known)},
        }
        for known in sorted(types, key=lambda known: known.name)
    }


def _stored(known: RegisteredType) -> list[dict[str, Any]]:
    """Return the parameters that are fields: `connection_string` is never stored."""
    return [item for item in known.parameters if item["name"] in known.model.model_fields]


def _field(known: RegisteredType, item: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "type": item["type"],
        "values": item["enum"],
        "required": item["required"],
        "secret": item["secret"],
        "bound": item["name"] in known.shape.bound,
    }


def check_changes(subject: Subject) -> Iterator[Finding]:
    """Compare the types with the snapshot.

    Raises:
        SkippedError: There is none.
    """
    try:
        before = _read(subject)
    except ValueError:
        yield Finding(f"{SNAPSHOT_FILE} is no JSON. Get it back from your version control.")
        return
    now = snapshot_of(subject.types)
    for name, former in before.items():
        if name not in now:
            if subject.target.type_name is None:
                yield Finding(f"Type '{name}' is gone: its data sources cannot be used any more.")
        elif now[name]["schema_version"] <= former["schema_version"]:
            changes = _changes(former["fields"], now[name]["fields"])
            yield from (Finding(f"{name}.{change}, and schema_version is the same.") for change in changes)
        else:
            subject.say(f"the migrations of type '{name}'")
            known = next(known for known in subject.types if known.name == name)
            yield from map(Finding, _faults(known, former, now[name]["fields"]))


def _read(subject: Subject) -> Snapshot:
    if subject.before is not None:
        return subject.before
    if subject.target.project is None:
        raise SkippedError("There is nothing to compare with: name the last released wheel with --since.")
    path = Path(subject.target.project) / SNAPSHOT_FILE
    try:
        content: Snapshot = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise SkippedError(f"There is no {SNAPSHOT_FILE}: write it with 'wellhead plugin check --snapshot'.") from None
    return content


def write(directory: Path, snapshot: Snapshot) -> Path:
    """Write a snapshot into the directory of a plugin's source; return its path."""
    path = directory / SNAPSHOT_FILE
    path.write_text(json.dumps(snapshot, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    return path


def _faults(known: RegisteredType, former: Snapshot, now: Snapshot) -> Iterator[str]:
    """Say what no migration may do, or what those that there are do not do."""
    bared = [name for name, field in former["fields"].items() if field["secret"] and name in now]
    bared = [name for name in bared if not now[name]["secret"]]
    yield from (f"{known.name}.{name} was secret, and is not. Give the plain field another name." for name in bared)
    if not bared:
        yield from faults_of_migrations(known, former["schema_version"], former["fields"])


def _changes(former: Snapshot, now: Snapshot) -> Iterator[str]:
    """Say in words what of the fields breaks what is stored."""
    for name, field in former.items():
        yield from [f"{name} is gone"] if name not in now else _changes_of(name, field, now[name])
    yield from (f"{name} is new, and required" for name in now if name not in former and now[name]["required"])


def _changes_of(name: str, former: Snapshot, now: Snapshot) -> Iterator[str]:
    if former["type"] != now["type"]:
        yield f"{name} was of type {former['type']}, and is of type {now['type']}"
    if now["required"] and not former["required"]:
        yield f"{name} was not required, and is"
    if former["secret"] != now["secret"]:
        yield f"{name} was {'' if former['secret'] else 'not '}secret, and is {'' if now['secret'] else 'not'}".rstrip()
    elif former["bound"] and not now["bound"]:
        yield f"{name} had a say in where secrets go, and is harmless"
    if gone := [str(value) for value in former["values"] or () if value not in (now["values"] or [value])]:
        yield f"{name} no longer takes {', '.join(gone)}"
