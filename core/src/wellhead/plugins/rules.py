"""The rules that a type keeps, so that what core promises of every type holds for it too.

Each rule has a short name, which the refusal carries. A type that is registered can be described, saved, read back as
it was saved, and shown without its secrets.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from inspect import get_annotations
from typing import Any, Literal, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic.errors import PydanticUserError

from wellhead.errors import TypeRefusedError
from wellhead.model.conditions import conditions_of
from wellhead.model.parameters import parameters_of
from wellhead.model.shape import (
    Shape,
    defaults_of,
    flat,
    json_schema_of,
    read_model,
    secrets_at,
    shape_of,
)
from wellhead.model.source import BASE_FIELDS, RESERVED_FIELDS, TYPE_NAME, DataSourceConfig
from wellhead.plugins.hidden_secrets import check_hidden_secrets, unresolved_reference

_MIN_NAME, _MAX_NAME = 2, 32


def check_name(name: object) -> None:
    """Hold the rule for names of types.

    Raises:
        TypeRefusedError: `type-name`.
    """
    if not isinstance(name, str) or not _MIN_NAME <= len(name) <= _MAX_NAME or not re.fullmatch(TYPE_NAME, name):
        raise TypeRefusedError(
            "type-name",
            "A type's name has 2 to 32 characters: lower-case letters, digits, and single hyphens before letters.",
        )


def check_base(model: object) -> None:
    """Hold the rule that a model derives from `DataSourceConfig`.

    Raises:
        TypeRefusedError: `model-base`.
    """
    if not isinstance(model, type) or not issubclass(model, DataSourceConfig):
        raise TypeRefusedError("model-base", "A type's model must derive from wellhead.DataSourceConfig.")


def check_model(name: str, model: type[DataSourceConfig]) -> Shape:
    """Hold the rules for models, and read the model's shape.

    Raises:
        TypeRefusedError: A rule is broken.
    """
    annotation = model.model_fields["type"].annotation
    if get_origin(annotation) is not Literal or get_args(annotation) != (name,):
        raise TypeRefusedError("type-not-literal", f'{model.__name__} must say: type: Literal["{name}"] = "{name}"')
    if model.model_config.get("extra") != "forbid" or not model.model_config.get("frozen"):
        raise TypeRefusedError("model-config", f"{model.__name__} must keep extra='forbid' and frozen=True.")
    _check_field_names(model)
    shape = shape_of(model)
    for part in _models_in(model, []):
        _check_part(part)
        _check_default_secrets(part)
    _check_conditions(model)
    try:
        schema = json_schema_of(model)
    except PydanticUserError as error:
        raise TypeRefusedError("no-schema", f"{model.__name__} has a field without a JSON Schema.") from error
    except KeyError:  # pydantic looks references up
        raise unresolved_reference() from None
    check_hidden_secrets(model, shape, schema)
    _check_defaults(name, shape)
    return shape


def check_parameters(shape: Shape, given: object) -> tuple[dict[str, Any], ...]:
    """Hold the rule for parameters, and add to those that a type gives what it leaves out.

    What its fields say themselves, such as whether one is a secret, is not the author's to say again.

    Raises:
        TypeRefusedError: `parameters`.
    """
    derived = {parameter["name"]: parameter for parameter in parameters_of(shape)}
    return tuple(_parameter(item, derived) for item in (given if isinstance(given, list | tuple) else [None]))


def _parameter(item: object, derived: Mapping[str, dict[str, Any]]) -> dict[str, Any]:
    name = item.get("name") if isinstance(item, Mapping) else None
    if not isinstance(item, Mapping) or not isinstance(name, str) or name not in derived or not _is_json(dict(item)):
        raise TypeRefusedError(
            "parameters", "get_connection_parameters() must return a list of mappings, each with a field's name."
        )
    own = derived[name]
    facts = ("type", "required", "secret", "harmless", *(("default", "examples") if own["secret"] else ()))
    return {**own, **item, **{fact: own[fact] for fact in facts}}


def _is_json(value: Any) -> bool:
    try:
        json.dumps(value, allow_nan=False)
    except (TypeError, ValueError, RecursionError):
        return False
    return True


def _models_in(model: type[BaseModel], seen: list[type[BaseModel]]) -> list[type[BaseModel]]:
    """List a model and those nested in it."""
    if model not in seen:
        seen.append(model)
        for info in model.model_fields.values():
            for item in flat(info.annotation):
                if isinstance(item, type) and issubclass(item, BaseModel):
                    _models_in(item, seen)
    return seen


def _check_field_names(model: type[DataSourceConfig]) -> None:
    for name in model.model_fields:
        if name in BASE_FIELDS:
            redefined = [base for base in model.__mro__ if name in get_annotations(base)]
            if name != "type" and redefined[0] is not DataSourceConfig:
                raise TypeRefusedError("base-field", f"{model.__name__} redefines '{name}', a field of every type.")
        elif name in RESERVED_FIELDS or name == "connection_string":
            raise TypeRefusedError("reserved-name", f"{model.__name__} defines '{name}', which is reserved for core.")
    for name in model.__private_attributes__:  # pydantic takes no such name for a field, and would say nothing
        message = f"{model.__name__} defines '{name}'. Names that begin with '_' are reserved for core."
        raise TypeRefusedError("reserved-name", message)


def _check_part(model: type[BaseModel]) -> None:
    """Hold what makes a model, or a nested one, come back from the store as it was saved."""
    if model.model_computed_fields:
        raise TypeRefusedError("computed-field", f"{model.__name__} has a computed field; those cannot be stored.")
    for name, info in model.model_fields.items():
        if info.alias is not None or info.validation_alias is not None or info.serialization_alias is not None:
            raise TypeRefusedError("alias", f"{model.__name__}.{name} has an alias; a field has one name everywhere.")
        if info.exclude or getattr(info, "exclude_if", None) is not None:
            raise TypeRefusedError("excluded-field", f"{model.__name__}.{name} is excluded; it would not be stored.")
        if any((get_origin(part) or part) in {set, frozenset} for part in flat(info.annotation)):
            reason = f"{model.__name__}.{name} is a set, whose items have no order to be compared in. Use a list."
            raise TypeRefusedError("set", reason)


def _check_conditions(model: type[DataSourceConfig]) -> None:
    for name, condition in model.conditions.items():
        others = {*(condition.visible_when or ()), *(condition.required_when or ())}
        if not others <= model.model_fields.keys() or model.model_fields[name].is_required():
            raise TypeRefusedError(
                "condition", f"{model.__name__}.{name} has a condition; it needs a default, and fields that there are."
            )
    for part in _models_in(model, [])[1:]:
        if conditions_of(part.model_fields):
            raise TypeRefusedError("condition", f"{part.__name__} is nested; conditions stand at a type's own fields.")


def _check_default_secrets(model: type[BaseModel]) -> None:
    node = read_model(model, model.__name__)
    for path, value in secrets_at(node, defaults_of(model.model_fields)):
        if value is not None:
            raise TypeRefusedError(
                "default-secret", f"{model.__name__}.{'.'.join(path)} is a secret with a default value."
            )


def _check_defaults(name: str, shape: Shape) -> None:
    """A default is written into the record, and must come back from there like any other value."""
    document = {"name": name, "type": name, **shape.without_secrets(shape.defaults)}
    try:
        shape.model.model_validate_json(json.dumps(document), strict=True)
    except ValidationError as error:
        for item in error.errors(include_url=False, include_input=False, include_context=False):
            if item["type"] != "missing" and item["loc"] and item["loc"][0] in shape.defaults:
                place = f"{shape.model.__name__}.{item['loc'][0]}"
                raise TypeRefusedError(
                    "default-value", f"The default of {place} is not a value that it takes."
                ) from None
