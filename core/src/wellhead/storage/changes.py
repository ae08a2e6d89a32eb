"""What a new state changes in a stored one, and the rule that holds secrets to their destination.

Every field of a type that its author did not mark as harmless counts as part of where the secrets go. When one of
them changes, each stored secret must be sent anew: a value, a reference, or null. Else whoever may edit a host could
have the password sent to a host of their own.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from wellhead.errors import InputError, InputProblem
from wellhead.model.pointer import to_pointer
from wellhead.model.secret import Secret
from wellhead.model.shape import Shape
from wellhead.model.source import BASE_FIELDS, DataSourceConfig
from wellhead.storage.records import as_stored
from wellhead.storage.stored import StoredDataSource


@dataclass(frozen=True, slots=True)
class Change:
    """What a new state has, compared with the stored one.

    Attributes:
        is_change: False where the new state is equal to the stored one.
        secrets: The secrets of the new state, by JSON Pointer; those to be kept are sealed.
        moved: The names of the fields that were changed and that secrets are bound to.
        fields: The type's fields of the new state as they are to be stored, without secrets.
    """

    is_change: bool
    secrets: Mapping[str, Secret]
    moved: tuple[str, ...]
    fields: Mapping[str, Any]


def change_of(shape: Shape, stored: StoredDataSource | None, config: DataSourceConfig) -> Change:
    """Compare a new state with the stored one.

    Args:
        shape: The shape of the type's model.
        stored: What is stored; None for a new data source.
        config: The new state.

    Raises:
        InputError: Its fields cannot be stored; or `secret_required` for each secret that would have to be kept and
            cannot be, `secret_state_changed` for each whose facts are not those that are stored.
    """
    found = shape.secrets(config.model_dump(exclude=set(BASE_FIELDS)))
    secrets = {to_pointer(path): secret for path, secret in found if isinstance(secret, Secret)}
    fields = fields_of(shape, config)
    if stored is None:
        differing = frozenset(fields)
    else:
        before, now = _texts(as_stored(_fields_before(shape, stored))), _texts(fields)
        differing = frozenset(name for name in before.keys() | now.keys() if before.get(name) != now.get(name))
    moved = () if stored is None else tuple(sorted(shape.bound & differing))
    problems = list(_problems(stored, secrets, moved))
    if problems:
        raise InputError(problems)
    is_change = stored is None or stored.state != "ok" or bool(differing) or _base_changed(stored, config)
    return Change(is_change or _secrets_changed(stored, secrets), secrets, moved, fields)


def fields_of(shape: Shape, config: DataSourceConfig) -> dict[str, Any]:
    """Return the type's fields of a configuration as they are to be stored, without secrets.

    Raises:
        MalformedJSONError: They cannot be stored.
    """
    return as_stored(shape.without_secrets(config.model_dump(mode="json", exclude=set(BASE_FIELDS))))


def _texts(fields: Mapping[str, Any]) -> dict[str, str]:
    """Write each field as it is compared. Python alone would take true and 1 for the same."""
    return {name: json.dumps(value, sort_keys=True) for name, value in fields.items()}


def _fields_before(shape: Shape, stored: StoredDataSource) -> Mapping[str, Any]:
    """Return the stored fields; one that the type has got since counts as its default."""
    return {**shape.without_secrets(shape.defaults), **stored.fields}


def _problems(
    stored: StoredDataSource | None, secrets: Mapping[str, Secret], moved: tuple[str, ...]
) -> Iterator[InputProblem]:
    facts = {} if stored is None else stored.facts
    for pointer, secret in secrets.items():
        if not secret.is_sealed:
            continue
        if pointer not in facts:
            yield InputProblem(pointer, "secret_required", "Nothing is stored that could be kept. Send the secret.")
        elif secret.facts != facts[pointer]:
            hint = "To keep the secret, leave the field out or send back what a read returned."
            yield InputProblem(pointer, "secret_state_changed", "The secret was changed since it was read.", hint)
        elif moved:
            hint = "A secret stays with the destination that it was given for. Send its value, a reference, or null."
            message = f"The secret must be sent again, because {', '.join(moved)} changed."
            yield InputProblem(pointer, "secret_required", message, hint)


def _base_changed(stored: StoredDataSource, config: DataSourceConfig) -> bool:
    record = stored.record
    before = None if record is None else (record.name, record.description, dict(record.labels))
    return before != (config.name, config.description, config.labels)


def _secrets_changed(stored: StoredDataSource | None, secrets: Mapping[str, Secret]) -> bool:
    """A literal always counts as a change, whether or not it is the stored one: nobody learns which."""
    facts = {} if stored is None else stored.facts
    if secrets.keys() != facts.keys():
        return True
    return any(
        not secret.is_sealed and (secret.is_clear or secret.reference != facts[pointer].reference)
        for pointer, secret in secrets.items()
    )
