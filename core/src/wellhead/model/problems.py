"""Turning pydantic's errors into problems that repeat nothing of what was sent.

pydantic's messages, contexts and even locations can hold input; a plugin author's ValueError can hold a secret. So a
problem is made from the error's type, from facts of the schema, and from a path that is checked against the document.
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Collection, Mapping
from dataclasses import replace
from itertools import takewhile
from string import Formatter
from typing import Any

from pydantic import BaseModel, ValidationError

from wellhead.codes import CODES
from wellhead.errors import MAX_PROBLEMS, InputProblem
from wellhead.model.conditions import When
from wellhead.model.pointer import to_pointer
from wellhead.model.shape import Fields, Shape, flat
from wellhead.model.source import SERVER_FIELDS

_MAX_KEY = 64
_MAX_HINTS = 100
"""Of more problems than these, no name is compared with those that are known: thousands take seconds."""

_WRONG_TYPE = {
    "bool": "true or false",
    "datetime": "an instant, such as 2026-11-23T08:00:00Z",
    "date": "a date, such as 2026-11-23",
    "decimal": "a number",
    "dict": "an object",
    "float": "a number",
    "int": "an integer",
    "list": "a list",
    "model": "an object",
    "set": "a list without repetitions",
    "string": "a string",
    "tuple": "a list",
    "uuid": "a UUID",
}
_LIMITS = {
    "greater_than": ("out_of_range", "Must be more than {gt}."),
    "greater_than_equal": ("out_of_range", "Must be at least {ge}."),
    "less_than": ("out_of_range", "Must be less than {lt}."),
    "less_than_equal": ("out_of_range", "Must be at most {le}."),
    "multiple_of": ("out_of_range", "Must be a multiple of {multiple_of}."),
    "string_too_long": ("too_long", "The length must be at most {max_length}."),
    "string_too_short": ("too_short", "The length must be at least {min_length}."),
    "too_long": ("too_many", "The number of items must be at most {max_length}."),
    "too_short": ("too_short", "The number of items must be at least {min_length}."),
    "string_pattern_mismatch": ("bad_format", "Must match the pattern {pattern}."),
}
_TAGS = {"union_tag_invalid", "union_tag_not_found"}
_SIMPLE = {
    "missing": ("required", "The field is required."),
    "extra_forbidden": ("unknown_field", "There is no field of this name."),
    "union_tag_not_found": ("required", "The field that tells which form the value has is required."),
    "value_error": ("value_error", "The value breaks a rule of the type."),
    "assertion_error": ("value_error", "The value breaks a rule of the type."),
}


def problems_of(error: ValidationError, document: Mapping[str, Any], shape: Shape) -> list[InputProblem]:
    """Turn pydantic's errors into problems, one each; of more than `MAX_PROBLEMS`, the first.

    Args:
        error: What validating the document with the model of the shape raised.
        document: What was validated; only its structure is looked at, and that no secret of it is repeated.
        shape: The shape of the model.
    """
    hidden = {value[:_MAX_KEY] for _, value in shape.secrets(document) if isinstance(value, str)}
    hidden -= shape.model.model_fields.keys()
    found: dict[tuple[str, str], InputProblem] = {}
    has_hints = error.error_count() <= _MAX_HINTS
    for item in error.errors(include_url=False, include_input=False)[:MAX_PROBLEMS]:
        path = _path(item["loc"], document, may_be_absent=item["type"] == "missing")
        path = tuple(takewhile(lambda part: part not in hidden, path))
        problem = _problem(item, path, shape, has_hints=has_hints)
        other = found.setdefault((problem.pointer, problem.code), problem)
        if other.message != problem.message:  # the members of a union each ask for something else
            found[problem.pointer, problem.code] = replace(other, message=CODES[other.code].title)
    return list(found.values())


def unknown_key(key: str, known: Collection[str], parents: tuple[str, ...] = ()) -> InputProblem:
    """Make the problem of a key that nobody knows; as a hint, that of the known ones which is most like it."""
    code, message = _SIMPLE["extra_forbidden"]
    close = difflib.get_close_matches(key, known, n=1, cutoff=0.6)
    return InputProblem(
        to_pointer((*parents, key[:_MAX_KEY])), code, message, f"Did you mean '{close[0]}'?" if close else None
    )


def _problem(item: Mapping[str, Any], path: tuple[str, ...], shape: Shape, *, has_hints: bool) -> InputProblem:
    kind = item["type"]
    if kind == "extra_forbidden" and path:
        known = _known_fields(shape, path[:-1]) if has_hints else ()
        return unknown_key(path[-1], known, path[:-1])
    context = item.get("ctx") or {}
    if kind in _TAGS and isinstance(context.get("discriminator"), str):
        path = (*path, context["discriminator"].strip("'"))
    code, message, allowed = _explain(kind, context, path, shape)
    entry = CODES[code]
    hint = None if code in _GENERIC else entry.remedy
    return InputProblem(to_pointer(path), code, message, hint, allowed)


_GENERIC = frozenset(
    {
        "wrong_type",
        "out_of_range",
        "too_short",
        "too_long",
        "too_many",
        "bad_format",
        "not_allowed",
        "required",
        "unknown_field",
    }
)
"""Codes whose messages say all; those of the others are followed by the catalogue's remedy."""


def _condition(when: When | None) -> str:
    """Write a condition in words: `auth_type 'basic'`, `tls true`."""
    return " and ".join(f"{name} {' or '.join(map(_value, allowed))}" for name, allowed in (when or {}).items())


def _value(value: object) -> str:
    """Write a value as JSON does, but a text in single quotes, as all messages have it."""
    return repr(value) if isinstance(value, str) else json.dumps(value)


def _explain(  # noqa: PLR0911  # a table of kinds
    kind: str, context: Mapping[str, Any], path: tuple[str, ...], shape: Shape
) -> tuple[str, str, tuple[Any, ...] | None]:
    """Return code, message and allowed values for one kind of pydantic error."""
    if kind in _SIMPLE:
        return *_SIMPLE[kind], None
    if kind in _LIMITS:
        code, message = _LIMITS[kind]
        return code, _limit(message, context) or CODES[code].title, None
    if kind == "union_tag_invalid":
        tags = re.findall("'([^']*)'", context.get("expected_tags", ""))  # written in the model, not sent
        return "not_allowed", "The value is not one of those allowed.", tuple(tags) or None
    if kind in {"literal_error", "enum"}:
        return "not_allowed", "The value is not one of those allowed.", _allowed(path, shape)
    if kind == "not_applicable" and path[-1:] and path[-1] in shape.model.conditions:
        return kind, f"The field goes only with {_condition(shape.model.conditions[path[-1]].visible_when)}.", None
    if kind in CODES:  # raised by core's own field types, which use the codes of the catalogue
        return kind, CODES[kind].title, None
    wanted = next((wanted for prefix, wanted in _WRONG_TYPE.items() if kind.startswith(prefix)), None)
    if wanted is not None:
        return "wrong_type", f"Must be {wanted}.", None
    return "value_error", "The value breaks a rule of the type.", None


def _limit(message: str, context: Mapping[str, Any]) -> str | None:
    """Fill a limit of the schema in; an error that a plugin made itself may lack it, or have a text that was sent."""
    names = [name for _, name, _, _ in Formatter().parse(message) if name]
    is_limit = all(name in context and (name == "pattern" or not isinstance(context[name], str)) for name in names)
    return message.format_map(context) if is_limit else None


def _path(location: tuple[int | str, ...], document: Any, *, may_be_absent: bool) -> tuple[str, ...]:
    """Keep of a location what is a path in the document; names of union members and the like drop out."""
    path: list[str] = []
    node = document
    part: Any
    for index, part in enumerate(location):
        is_last = index == len(location) - 1
        if (isinstance(node, Mapping) and part in node) or (isinstance(node, list) and part in range(len(node))):
            node = node[part]
        elif not (may_be_absent and is_last and isinstance(node, Mapping)):
            continue
        path.append(str(part)[:_MAX_KEY])
    return tuple(path)


def _known_fields(shape: Shape, parents: tuple[str, ...]) -> list[str]:
    if not parents:
        return [name for name in shape.model.model_fields if name not in SERVER_FIELDS]
    model = _model_at(shape.model, parents)
    if model is not None:
        return list(model.model_fields)
    node = shape.node_at(parents)
    return list(node.fields) if isinstance(node, Fields) else []


def _model_at(model: type[BaseModel], path: tuple[str, ...]) -> type[BaseModel] | None:
    """Find the nested model that stands at a path of plain fields."""
    for part in path:
        info = model.model_fields.get(part)
        candidates = [] if info is None else [item for item in flat(info.annotation) if isinstance(item, type)]
        nested = [item for item in candidates if issubclass(item, BaseModel)]
        if len(nested) != 1:
            return None
        model = nested[0]
    return model


def _allowed(path: tuple[str, ...], shape: Shape) -> tuple[Any, ...] | None:
    """Read the allowed values from the schema of the field, never from the error."""
    parent = _model_at(shape.model, path[:-1]) if path else None
    if parent is None or path[-1] not in parent.model_fields:
        return None
    values = [item for item in flat(parent.model_fields[path[-1]].annotation) if isinstance(item, str | int)]
    return tuple(values) or None
