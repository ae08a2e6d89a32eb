"""The rule that a model has no secret where core does not see it, for which its JSON Schema is searched."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from wellhead.errors import TypeRefusedError
from wellhead.model.shape import PLAIN, SECRET, Fields, Map, Node, Shape
from wellhead.model.source import DataSourceConfig


def check_hidden_secrets(model: type[DataSourceConfig], shape: Shape, schema: Mapping[str, Any]) -> None:
    """Hold the rule that core knows of each secret, and the one that each reference leads somewhere.

    Args:
        model: The model.
        shape: What core knows of it.
        schema: Its JSON Schema.

    Raises:
        TypeRefusedError: `hidden-secret` or `unresolved-reference`.
    """
    for name, inner in schema["properties"].items():
        if any(_hidden(inner, shape.root.fields[name], schema.get("$defs", {}), frozenset())):
            raise TypeRefusedError(
                "hidden-secret",
                f"{model.__name__}.{name} has a secret where it cannot be told apart. "
                "Use wellhead.Secret, in a field of its own, a nested pydantic model, or a map.",
            )


_VALUES = frozenset(("const", "default", "enum", "examples"))
"""Keywords of a schema below which there are values, and no schema."""


def _hidden(schema: Any, node: Node, definitions: Mapping[str, Any], seen: frozenset[str]) -> Iterator[bool]:
    """Look in a schema for values that are written only, where the shape knows of no secret."""
    if isinstance(schema, list):
        for inner in schema:
            yield from _hidden(inner, node, definitions, seen)
    if not isinstance(schema, Mapping) or node is SECRET:
        return
    if (written := schema.get("$ref")) and (reference := _name_of(written, definitions)) not in seen:
        yield from _hidden(definitions[reference], node, definitions, seen | {reference})
    if schema.get("writeOnly") is True:
        yield True
    for key, inner in schema.items():
        if key in _VALUES:
            continue
        if key in {"anyOf", "oneOf", "allOf"}:
            yield from _hidden(inner, node, definitions, seen)
        elif key in {"properties", "patternProperties"}:
            for name, value in inner.items():
                yield from _hidden(value, _below(node, key, name), definitions, seen)
        else:
            yield from _hidden(inner, _below(node, key, ""), definitions, seen)


def _name_of(reference: object, definitions: Mapping[str, Any]) -> str:
    """Return the name of the definition that a reference leads to.

    Raises:
        TypeRefusedError: `unresolved-reference`.
    """
    name = str(reference).removeprefix("#/$defs/")
    if reference != f"#/$defs/{name}" or name not in definitions:
        raise unresolved_reference()
    return name


def unresolved_reference() -> TypeRefusedError:
    """Make the error for a reference in a schema that leads nowhere."""
    return TypeRefusedError(
        "unresolved-reference",
        "The JSON Schema of the model has a $ref that leads nowhere. It may lead to a nested model only.",
    )


def _below(node: Node, key: str, name: str) -> Node:
    if isinstance(node, Fields) and key == "properties":
        return node.fields.get(name, PLAIN)
    if isinstance(node, Map) and key in {"additionalProperties", "patternProperties"}:
        return node.values
    return PLAIN
