"""From what was typed in a form to the JSON document that the API gets, and what of it may be shown again."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from wellhead.ui.fields import CONNECTION_STRING, Field
from wellhead.ui.reading import Choice, Document, Hidden, Typed

READ_ONLY = frozenset(("id", "type", "created_at", "updated_at", "revision", "state", "health"))
"""What a read shows and no form changes."""


def written(fields: Iterable[Field], values: Mapping[str, Any], base: Mapping[str, Any]) -> Document:
    """Write the document that the API gets.

    Args:
        fields: The fields of the form.
        values: What was read from it.
        base: What the form began with; what it has no field for is kept as it is.
    """
    fields = tuple(fields)
    keys = {field.key for field in fields}
    document = {key: value for key, value in base.items() if key not in keys and key not in READ_ONLY}
    for field in fields:
        if field.key in values or (field.kind in {"secret", "secret_lines"} and base.get(field.key) is not None):
            found = _written(field, values.get(field.key), base.get(field.key))
            if found is not None or base.get(field.key) is not None:
                document[field.key] = found
    return document


def _written(field: Field, value: Any, base: Any) -> Any:
    if isinstance(value, Choice):
        return value.as_json(base)
    if isinstance(value, Hidden | Typed):
        return value.value if isinstance(value, Hidden) else value.text
    before = base if isinstance(base, Mapping) else {}
    if field.kind == "secrets" and isinstance(value, Mapping):
        rows = {key: choice.as_json(before.get(key)) for key, choice in value.items() if choice.how != "clear"}
        return {key: "" if found is None else found for key, found in rows.items()}  # null would drop the row
    if field.kind == "variant" and isinstance(value, Mapping):
        tag = {field.tag: value[field.tag]}
        return tag | written(field.inner(value), value, before if before.get(field.tag) == value[field.tag] else {})
    if field.kind == "group" and isinstance(value, Mapping):
        return written(field.fields, value, before)
    return value


def created(fields: Iterable[Field], values: Mapping[str, Any], type_name: str) -> Document:
    """Write the document of a new data source; beside a connection string, only what is not just a default."""
    fields = tuple(fields)
    pasted = values.get(CONNECTION_STRING)
    if isinstance(pasted, Choice) and pasted.is_given:
        defaults = {field.key: field.default for field in fields}
        values = {key: value for key, value in values.items() if value != defaults.get(key)}
    return {"type": type_name, **written(fields, values, {})}


def difference(old: Mapping[str, Any], new: Mapping[str, Any]) -> Document:
    """Return the merge patch (RFC 7396) that makes one document of another; a secret is replaced whole."""
    patch: Document = dict.fromkeys(key for key, value in old.items() if key not in new and value is not None)
    for key, value in new.items():
        before = old.get(key)
        if isinstance(value, Mapping) and isinstance(before, Mapping) and "is_set" not in before:
            if inner := difference(before, value):
                patch[key] = inner
        elif key not in old or type(value) is not type(before) or value != before:
            patch[key] = value
    return patch


def shown_again(fields: Iterable[Field], values: Mapping[str, Any]) -> Document:
    """Return values without what nobody may see: of a secret only what was to become of it."""
    known = {field.key: field for field in fields}
    found = {key: _shown(known[key], value) for key, value in values.items() if key in known}
    return {key: value for key, value in found.items() if value is not None}


def _shown(field: Field, value: Any) -> Any:
    if isinstance(value, Choice):
        return replace(value, value="")
    if isinstance(value, Hidden):
        return None
    if field.kind == "secrets" and isinstance(value, Mapping):
        return {key: replace(choice, value="") for key, choice in value.items()}
    if field.kind in {"group", "variant"} and isinstance(value, Mapping):
        tag = {field.tag: value[field.tag]} if field.kind == "variant" else {}
        return tag | shown_again(field.inner(value), value)
    return value


def secrets_typed(fields: Iterable[Field], values: Mapping[str, Any]) -> bool:
    """Tell whether a secret was typed, so that it has to be typed again where the form is shown once more."""
    for field in fields:
        value = values.get(field.key)
        if isinstance(value, Hidden) or (isinstance(value, Choice) and value.value):
            return True
        inner: Sequence[Any] = list(value.values()) if field.kind == "secrets" and isinstance(value, Mapping) else ()
        if any(choice.value for choice in inner):
            return True
        if isinstance(value, Mapping) and secrets_typed(field.inner(value), value):
            return True
    return False
