"""The fields of a type, from what the API tells of it: its parameters, and its JSON Schema where they nest."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from wellhead.model.parameters import title_of
from wellhead.ui.fields import ABOUT, CONNECTION_STRING, Field, Kind

_BASE = ("name", "description", "labels")
_SECRET = {"$ref": "#/$defs/SecretInput"}
_SCALARS = frozenset(("string", "integer", "number", "boolean"))
_MAX_NESTING = 6


def fields_of(type_detail: Mapping[str, Any]) -> tuple[Field, ...]:
    """Make the fields of a type, its base fields first.

    Args:
        type_detail: What `GET /datasources/types/{type}` answers.
    """
    schemas = _Schemas(type_detail["schema"].get("$defs", {}), type_detail["schema"])
    properties = type_detail["schema"]["properties"]
    required = set(type_detail["schema"].get("required", ()))
    base = [replace(schemas.field(name, properties[name], required=name in required), group=ABOUT) for name in _BASE]
    base = [replace(found, kind="lines") if found.key == "description" else found for found in base]
    own = [_of_parameter(schemas, parameter, properties) for parameter in type_detail["parameters"]]
    return (*base, *(found for found in own if not _is_fixed(found)))


def _is_fixed(found: Field) -> bool:
    """Tell whether there is nothing to choose."""
    return found.kind == "choice" and found.choices == (found.default,)


def _of_parameter(schemas: _Schemas, parameter: Mapping[str, Any], properties: Mapping[str, Any]) -> Field:
    """Make the field of a parameter; what the parameter tells wins over the schema."""
    found = schemas.field(parameter["name"], properties[parameter["name"]], required=parameter["required"])
    kind = found.kind
    if parameter["multi_line"] and kind in {"text", "secret"}:
        kind = "lines" if kind == "text" else "secret_lines"
    if parameter["name"] == CONNECTION_STRING:
        kind = "secret"
    return replace(
        found,
        kind=kind,
        title=parameter["title"],
        description=parameter["description"],
        default=parameter["default"],
        placeholder=parameter["placeholder"] or _example(parameter, kind),
        group=parameter["group"],
        visible_when=parameter["visible_when"],
        required_when=parameter["required_when"],
        has_secrets=parameter["secret"],
    )


def _example(parameter: Mapping[str, Any], kind: Kind) -> str | None:
    examples = [
        example for example in parameter["examples"] if isinstance(example, str | int | float) and example != ""
    ]
    return f"For example {examples[0]}" if examples and kind in {"text", "number"} else None


@dataclass(frozen=True, slots=True)
class _Schemas:
    """Makes fields from JSON Schemas.

    Attributes:
        definitions: The nested schemas, by their names.
        root: The schema of the document.
    """

    definitions: Mapping[str, Any]
    root: Mapping[str, Any]

    def field(self, key: str, schema: Mapping[str, Any], *, required: bool, above: tuple[str, str] = ("", "")) -> Field:
        """Make the field of a property; `above` is the name and the pointer of what it stands in."""
        value, is_open = self._value(schema)
        part = "/" + key.replace("~", "~0").replace("/", "~1")
        found = Field(
            name=above[0] + part,
            pointer=above[1] + part,
            key=key,
            kind=self._kind(schema, value, depth=(above[1] + part).count("/")),
            title=schema.get("title") or title_of(key),
            description=schema.get("description"),
            required=required,
            default=schema.get("default"),
            choices=_choices(value, is_open=is_open and not required),
            types=frozenset(_types(value)),
            placeholder=schema.get("x-placeholder"),
            visible_when=schema.get("x-visible-when"),
            required_when=schema.get("x-required-when"),
            max_length=value.get("maxLength"),
            has_secrets=self._mentions_secret(schema, frozenset()),
        )
        return self._with_inner(found, value)

    def _with_inner(self, found: Field, value: Mapping[str, Any]) -> Field:
        if found.kind == "group":
            return replace(found, fields=self._fields(value, (found.name, found.pointer)))
        if found.kind != "variant":
            return found
        mapping = value["discriminator"]["mapping"]
        variants = {
            tag: self._fields(self._named(target), (f"{found.name}#{tag}", found.pointer))
            for tag, target in mapping.items()
        }
        tag_key = value["discriminator"]["propertyName"]
        inner = {tag: tuple(item for item in fields if item.key != tag_key) for tag, fields in variants.items()}
        return replace(found, variants=inner, tag=tag_key)

    def _fields(self, schema: Mapping[str, Any], above: tuple[str, str]) -> tuple[Field, ...]:
        required = schema.get("required", ())
        properties = schema.get("properties", {}).items()
        return tuple(self.field(key, inner, required=key in required, above=above) for key, inner in properties)

    def _value(self, schema: Mapping[str, Any]) -> tuple[Mapping[str, Any], bool]:
        """Return the schema of a value without null, and whether null was allowed."""
        schema = self._named(schema["$ref"]) if "$ref" in schema and not _is_secret(schema) else schema
        forms = [form for form in schema.get("anyOf", ()) if form.get("type") != "null"]
        is_open = len(forms) < len(schema.get("anyOf", ()))
        if len(forms) != 1:
            return schema, is_open
        inner, _ = self._value(forms[0])
        return inner, is_open

    def _named(self, reference: str) -> Mapping[str, Any]:
        found: Mapping[str, Any] = self.definitions[reference.rpartition("/")[2]]
        return found

    def _kind(self, schema: Mapping[str, Any], value: Mapping[str, Any], *, depth: int) -> Kind:
        tests: tuple[tuple[Kind, Callable[[], bool]], ...] = (
            ("secret", lambda: _is_secret(schema) or _is_secret(value)),
            ("variant", lambda: depth < _MAX_NESTING and "mapping" in value.get("discriminator", {})),
            ("group", lambda: depth < _MAX_NESTING and isinstance(value.get("properties"), dict)),
            ("secrets", lambda: _is_secret(value.get("additionalProperties"))),
            ("map", lambda: _is_map_of_texts(value)),
            ("flag", lambda: value.get("type") == "boolean"),
            ("choice", lambda: "enum" in value or "const" in value),
            ("number", lambda: _types(value) in ({"integer"}, {"number"}, {"integer", "number"})),
            ("text", lambda: bool(_types(value)) and _types(value) <= _SCALARS),
        )
        return next((kind for kind, test in tests if test()), "json")

    def _mentions_secret(self, schema: Any, seen: frozenset[str]) -> bool:
        if isinstance(schema, list):
            return any(self._mentions_secret(inner, seen) for inner in schema)
        if not isinstance(schema, Mapping):
            return False
        if _is_secret(schema):
            return True
        target = schema.get("$ref")
        if isinstance(target, str) and target not in seen:
            return self._mentions_secret(self._named(target), seen | {target})
        return any(self._mentions_secret(inner, seen) for inner in schema.values())


def _is_secret(schema: Any) -> bool:
    return isinstance(schema, Mapping) and (schema.get("x-secret") is True or schema.get("$ref") == _SECRET["$ref"])


def _is_map_of_texts(value: Mapping[str, Any]) -> bool:
    """Tell whether each value of a map is a text of one line."""
    if value.get("type") != "object" or "properties" in value:
        return False
    values = [*value.get("patternProperties", {}).values(), value.get("additionalProperties")]
    values = [inner for inner in values if inner is not False]
    return bool(values) and all(isinstance(inner, Mapping) and inner.get("type") == "string" for inner in values)


def _types(value: Mapping[str, Any]) -> set[str]:
    """Return the JSON types of a value, as far as the schema says so."""
    forms = value.get("anyOf") or value.get("oneOf") or [value]
    found = {kind for form in forms for kind in _listed(form.get("type", "any"))}
    return found - {"null"}


def _listed(kinds: Any) -> list[str]:
    return list(kinds) if isinstance(kinds, list) else [kinds]


def _choices(value: Mapping[str, Any], *, is_open: bool) -> tuple[Any, ...]:
    if value.get("type") == "boolean":
        return (True, False) if is_open else ()
    if "const" in value:
        return (value["const"],)
    return tuple(value.get("enum", ()))
