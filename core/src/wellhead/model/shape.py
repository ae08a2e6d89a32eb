"""The shape of a type's model: where its secrets are, at any depth, and which of its fields secrets are bound to."""

from __future__ import annotations

import types
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import to_jsonable_python

from wellhead.errors import TypeRefusedError
from wellhead.model.markers import is_harmless
from wellhead.model.pointer import Path
from wellhead.model.secret import Secret
from wellhead.model.source import BASE_FIELDS, DataSourceConfig


@dataclass(frozen=True, slots=True)
class Plain:
    """A value without a secret in it."""


@dataclass(frozen=True, slots=True)
class SecretLeaf:
    """A secret."""


@dataclass(frozen=True, slots=True)
class Fields:
    """A model, by field name; of a union of models, all their fields."""

    fields: Mapping[str, Node]


@dataclass(frozen=True, slots=True)
class Map:
    """A map whose values have secrets in them."""

    values: Node


_MAX_NESTING = 16

Node = Plain | SecretLeaf | Fields | Map
PLAIN, SECRET = Plain(), SecretLeaf()


@dataclass(frozen=True, slots=True)
class Shape:
    """What core knows of a type's model.

    Attributes:
        model: The model.
        root: Where its secrets are.
        bound: The names of the type's fields that secrets are bound to: all but secrets and harmless ones.
        defaults: The defaults of the type's own fields, as JSON, of those that have one.
    """

    model: type[DataSourceConfig]
    root: Fields
    bound: frozenset[str]
    defaults: Mapping[str, Any]

    def secrets(self, document: Mapping[str, Any]) -> Iterator[tuple[Path, Any]]:
        """Go through the values that a document has where the model has secrets, with their paths."""
        return secrets_at(self.root, document)

    def without_secrets(self, document: Mapping[str, Any]) -> dict[str, Any]:
        """Return a copy of a document with the secrets left out."""
        copy: dict[str, Any] = _without_secrets(self.root, document)
        return copy

    def with_secrets(self, config: DataSourceConfig, secrets: Mapping[Path, Secret]) -> DataSourceConfig:
        """Return a copy of a configuration with other secrets in it, by path; nothing is validated."""
        copy: DataSourceConfig = _with_secrets(self.root, config, secrets)
        return copy

    def secret_fields(self) -> frozenset[str]:
        """Return the names of the top fields that are secrets or have secrets in them."""
        return frozenset(name for name, node in self.root.fields.items() if _has_secret(node))

    def node_at(self, path: Path) -> Node:
        """Return what the model has at a path; `PLAIN` where it has nothing."""
        node: Node = self.root
        for part in path:
            if isinstance(node, Fields):
                node = node.fields.get(part, PLAIN)
            elif isinstance(node, Map):
                node = node.values
            else:
                return PLAIN
        return node


@lru_cache(maxsize=256)
def json_schema_of(model: type[DataSourceConfig]) -> dict[str, Any]:
    """Return a model's JSON Schema as pydantic writes it. It is made once: nobody may change it."""
    return model.model_json_schema(mode="validation")


def shape_of(model: type[DataSourceConfig]) -> Shape:
    """Read a model's shape.

    Raises:
        TypeRefusedError: A secret stands where it can have no identity, or a nested model is not strict.
    """
    root = read_model(model, model.__name__)
    own = {name: info for name, info in model.model_fields.items() if name not in BASE_FIELDS}
    bound = frozenset(name for name, info in own.items() if root.fields[name] is not SECRET and not is_harmless(info))
    return Shape(model, root, bound, defaults_of(own))


def defaults_of(fields: Mapping[str, FieldInfo]) -> dict[str, Any]:
    """Return the defaults of the fields that have one, as JSON; of a secret in one, only that it is set."""
    return {
        name: to_jsonable_python(info.get_default(call_default_factory=True, validated_data={}), fallback=_dump)
        for name, info in fields.items()
        if not info.is_required()
    }


def _dump(value: Any) -> Any:
    return {"is_set": True} if isinstance(value, Secret) else None


def flat(annotation: Any) -> Iterator[Any]:
    """Go through an annotation and everything inside it."""
    yield annotation
    for argument in getattr(annotation, "__args__", ()):
        yield from flat(argument)


def _read(annotation: Any, place: str) -> Node:
    """Read the shape of one annotation; `place` names it in errors."""
    if annotation is Secret:
        return SECRET
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return _read(arguments[0], place)
    if origin in {Union, types.UnionType}:
        return _merge([_read(argument, place) for argument in arguments if argument is not types.NoneType], place)
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return read_model(annotation, place)
    inner = [_read(argument, place) for argument in arguments if not isinstance(argument, str | int | bool | bytes)]
    if not any(_has_secret(node) for node in inner):
        return PLAIN
    if isinstance(origin, type) and issubclass(origin, Mapping) and inner[0] is PLAIN:
        if not _is_text(arguments[0]):
            raise TypeRefusedError("secret-map-key", f"{place} is a map with secrets; its keys must be str.")
        return Map(inner[1])
    raise TypeRefusedError(
        "secret-in-list",
        f"{place} has a secret in a list or a tuple, whose items have no name by which a stored secret could be kept. "
        "Use a map: dict[str, wellhead.Secret].",
    )


def _is_text(annotation: Any) -> bool:
    key = get_args(annotation)[0] if get_origin(annotation) is Annotated else annotation
    return key is str or (get_origin(key) is Literal and all(type(value) is str for value in get_args(key)))


def read_model(model: type[BaseModel], place: str) -> Fields:
    """Read the shape of a model, or of one that is nested in it; `place` names it in errors.

    Raises:
        TypeRefusedError: As `shape_of`.
    """
    if place.count(".") > _MAX_NESTING:
        raise TypeRefusedError("recursive-model", f"{place} holds itself; a configuration has a fixed depth.")
    fields = {name: _read(info.annotation, f"{place}.{name}") for name, info in model.model_fields.items()}
    if model.model_config.get("extra") != "forbid":
        raise TypeRefusedError(
            "nested-model-not-strict",
            f"{place} holds {model.__name__}, which takes unknown fields. "
            'Add model_config = pydantic.ConfigDict(extra="forbid", frozen=True) to it.',
        )
    return Fields(fields)


def _has_secret(node: Node) -> bool:
    if isinstance(node, Fields):
        return any(_has_secret(inner) for inner in node.fields.values())
    return node is SECRET or (isinstance(node, Map) and _has_secret(node.values))


def _merge(nodes: list[Node], place: str) -> Node:
    """Merge the members of a union into one shape in which each place is either a secret or not."""
    kinds = {type(node) for node in nodes}
    if not any(_has_secret(node) for node in nodes):
        return PLAIN
    if len(nodes) == 1 or kinds == {SecretLeaf}:
        return nodes[0]
    if kinds == {Fields}:
        merged: dict[str, Node] = {}
        for node in nodes:
            for name, inner in node.fields.items() if isinstance(node, Fields) else ():
                merged[name] = _merge([merged[name], inner], f"{place}.{name}") if name in merged else inner
        return Fields(merged)
    raise TypeRefusedError(
        "ambiguous-secret",
        f"{place} is a secret in one form of its value and not in another. Make it a secret in all, or none.",
    )


def secrets_at(node: Node, value: Any, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    """Go through the values that stand where a part of a model has secrets, with their paths."""
    if node is SECRET:
        yield path, value
    elif isinstance(value, Mapping) and isinstance(node, Fields | Map):
        for name, inner in value.items():
            below = node.fields.get(name, PLAIN) if isinstance(node, Fields) else node.values
            if below is not PLAIN:
                yield from secrets_at(below, inner, (*path, name))


def _without_secrets(node: Node, value: Any) -> Any:
    if not isinstance(value, Mapping) or not isinstance(node, Fields | Map):
        return value
    copy = {}
    for name, inner in value.items():
        below = node.fields.get(name, PLAIN) if isinstance(node, Fields) else node.values
        if below is not SECRET:
            copy[name] = inner if below is PLAIN else _without_secrets(below, inner)
    return copy


def _with_secrets(node: Node, value: Any, secrets: Mapping[Path, Secret], path: Path = ()) -> Any:
    if node is SECRET:
        return secrets.get(path, value)
    if isinstance(node, Map) and isinstance(value, Mapping):
        return {name: _with_secrets(node.values, inner, secrets, (*path, name)) for name, inner in value.items()}
    if not isinstance(node, Fields) or not isinstance(value, BaseModel):
        return value
    found = {name: getattr(value, name, None) for name, below in node.fields.items() if below is not PLAIN}
    changed = {
        name: _with_secrets(node.fields[name], inner, secrets, (*path, name))
        for name, inner in found.items()
        if inner is not None
    }
    return value.model_copy(update=changed)
