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
    """

    is_change: bool
    secrets: Mapping[str, Secret]
    moved: tuple[str, ...]


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
    fields = _texts(shape.without_secrets(config.model_dump(mode="json", exclude=set(BASE_FIELDS))))
    before = _texts(_fields_before(shape, stored))
    moved = tuple(sorted(name for name in shape.bound if stored is not None and before.get(name) != fields.get(name)))
    problems = list(_problems(stored, secrets, moved))
    if problems:
        raise InputError(problems)
    is_change = stored is None or stored.state != "ok" or before != fields or _base_changed(stored, config)
    return Change(is_change or _secrets_changed(stored, secrets), secrets, moved)


def _texts(fields: Mapping[str, Any]) -> dict[str, str]:
    """Write each field as it is compared. Python alone would take true and 1 for the same."""
    return {name: json.dumps(value, sort_keys=True) for name, value in as_stored(fields).items()}


def _fields_before(shape: Shape, stored: StoredDataSource | None) -> Mapping[str, Any]:
    """Return the stored fields; one that the type has got since counts as its default."""
    return {} if stored is None else {**shape.without_secrets(shape.defaults), **stored.fields}


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
