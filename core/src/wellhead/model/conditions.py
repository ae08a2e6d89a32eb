"""Fields that apply, or are required, only while other fields have certain values.

A condition is declared once, at its field (`field(visible_when=…, required_when=…)`). The model holds it when it is
made, and the JSON Schema and the parameters show it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import InitErrorDetails, PydanticCustomError, ValidationError

from wellhead.model.fields import REQUIRED_KEY, VISIBLE_KEY

When = Mapping[str, list[Any]]


@dataclass(frozen=True, slots=True)
class FieldConditions:
    """When one field applies, and when it is required; None: no such condition."""

    visible_when: When | None
    required_when: When | None


Conditions = Mapping[str, FieldConditions]


def conditions_of(fields: Mapping[str, FieldInfo]) -> Conditions:
    """Collect the conditions of a model's fields, by field name."""
    found = {}
    for name, info in fields.items():
        extra = info.json_schema_extra
        if isinstance(extra, dict) and VISIBLE_KEY in extra:
            found[name] = FieldConditions(extra[VISIBLE_KEY], extra.get(REQUIRED_KEY))  # type: ignore[arg-type]  # JSON, written by `field`
    return found


def holds(when: When, values: Mapping[str, Any]) -> bool:
    """Tell whether every field that the condition names has one of its values."""
    return all(values.get(name) in allowed for name, allowed in when.items())


def check_conditions(config: BaseModel) -> None:
    """Hold the conditions of a model.

    Raises:
        ValidationError: With `missing` at each field that is required and not there, and `not_applicable` at each
            that is there and does not apply.
    """
    fields: Conditions = getattr(type(config), "conditions", {})
    problems = [
        InitErrorDetails(type=kind if kind == "missing" else PydanticCustomError(kind, kind), loc=(name,), input=None)
        for name, kind in _broken(config, fields)
    ]
    if problems:
        raise ValidationError.from_exception_data(type(config).__name__, problems, hide_input=True)


def _broken(config: BaseModel, fields: Conditions) -> Iterator[tuple[str, Any]]:
    values = dict(config)
    for name, condition in fields.items():
        if condition.required_when is not None and holds(condition.required_when, values):
            if values[name] is None or values[name] == "":
                yield name, "missing"
        elif condition.visible_when is not None and not holds(condition.visible_when, values):
            default = type(config).model_fields[name].get_default(call_default_factory=True, validated_data={})
            if values[name] != default:
                yield name, "not_applicable"


def as_json_schema(fields: Conditions, defaults: Mapping[str, Any], secrets: Collection[str]) -> list[dict[str, Any]]:
    """Write the conditions for the `allOf` of an object's schema (JSON Schema 2020-12, `if`, `then` and `else`).

    Args:
        fields: The conditions, by field name.
        defaults: The defaults of the fields that have one: an absent field counts as its default.
        secrets: The fields that are secrets: one that is left out is kept, so that none is called required.
    """
    rules = []
    for name, condition in fields.items():
        if condition.required_when is not None:
            required = {} if name in secrets else {"required": [name]}
            then = {"properties": {name: {"not": {"type": "null"}}}}
            rules.append({"if": _holds(condition.required_when, defaults), "then": required | then})
        if condition.visible_when is not None:
            otherwise = {"properties": {name: {"enum": [defaults.get(name)]}}}
            rules.append({"if": _holds(condition.visible_when, defaults), "else": otherwise})
    return rules


def _holds(when: When, defaults: Mapping[str, Any]) -> dict[str, Any]:
    needed = [other for other, allowed in when.items() if defaults.get(other) not in allowed]
    return {"properties": {other: {"enum": allowed} for other, allowed in when.items()}, "required": needed}
