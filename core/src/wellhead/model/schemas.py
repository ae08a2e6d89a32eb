"""JSON Schemas of a type as it is created, read and patched (JSON Schema 2020-12, as OpenAPI 3.1 uses it)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from wellhead.model.conditions import as_json_schema
from wellhead.model.connection_string import CONNECTION_STRING
from wellhead.model.parameters import takes_connection_string, title_of
from wellhead.model.shape import Shape

Direction = Literal["Create", "Read", "Patch"]
REF = "#/components/schemas/"

SECRET_SCHEMAS: dict[str, dict[str, Any]] = {
    "SecretReference": {
        "type": "object",
        "description": "A secret that is looked up when it is used.",
        "properties": {"ref": {"type": "string", "pattern": "^(env:|file:/)", "examples": ["env:PG_PASSWORD"]}},
        "required": ["ref"],
        "additionalProperties": False,
    },
    "SecretState": {
        "type": "object",
        "description": "What is told of a stored secret. Sent back as it was read, it keeps the secret.",
        "properties": {
            "is_set": {"const": True, "type": "boolean"},
            "set_at": {"type": "string", "format": "date-time"},
            "set_in_revision": {"type": "integer", "minimum": 1},
            "ref": {"type": "string"},
        },
        "required": ["is_set", "set_at", "set_in_revision"],
        "additionalProperties": False,
    },
    "SecretInput": {
        "description": "A new value, a reference, what was read (to keep it), or null (to clear it).",
        "anyOf": [
            {"type": "string", "minLength": 1, "writeOnly": True},
            {"$ref": f"{REF}SecretReference"},
            {"$ref": f"{REF}SecretState"},
            {"type": "null"},
        ],
    },
    "SecretOutput": {
        "description": "What is told of a stored secret; null if none is set.",
        "anyOf": [{"$ref": f"{REF}SecretState"}, {"type": "null"}],
    },
}


_INSTANT = {"type": "string", "format": "date-time"}
_MADE_BY_THE_SERVER: dict[str, dict[str, Any]] = {
    "id": {"type": "string", "format": "uuid"},
    "created_at": _INSTANT,
    "updated_at": _INSTANT,
    "revision": {"type": "integer", "minimum": 1},
    "state": {"$ref": f"{REF}State"},
    "health": {"anyOf": [{"$ref": f"{REF}Health"}, {"type": "null"}], "description": "Null after a change."},
}
_MADE_BY_THE_SERVER_ECHOED = {
    name: {**schema, "readOnly": True, "description": "Made by the server; may be sent back as it was read."}
    for name, schema in _MADE_BY_THE_SERVER.items()
}


def schema_name(type_name: str, direction: Direction) -> str:
    """Return the name of a type's schema: `PostgresCreate`."""
    return "".join(part[:1].upper() + part[1:] for part in type_name.split("-")) + direction


def schemas_of(shape: Shape, type_name: str, direction: Direction) -> dict[str, dict[str, Any]]:
    """Derive the schemas of one type in one direction, the nested ones too.

    Returns:
        A mapping of names under `components/schemas` to schemas; the type's own is named by `schema_name`.
    """
    name = schema_name(type_name, direction)
    whole = shape.model.model_json_schema(mode="validation", ref_template="{model}")
    nested = whole.pop("$defs", {})
    targets = {inner: f"{REF}{name}{inner}" for inner in nested}
    rewriter = _Rewriter(direction, targets, _with_secrets(nested))
    schemas = {name: _DIRECTIONS[direction](rewriter.schema(whole), shape)}
    for inner, schema in nested.items():
        schemas[name + inner] = rewriter.schema(schema)
    return {own: {**schema, "title": own} for own, schema in schemas.items()}


def _create(schema: dict[str, Any], shape: Shape) -> dict[str, Any]:
    properties = schema["properties"]
    properties |= _MADE_BY_THE_SERVER_ECHOED
    rules = as_json_schema(shape.model.conditions, shape.defaults, shape.secret_fields())
    required = ["type", *(field for field in schema["required"] if field != "type")]
    if takes_connection_string(shape.model):
        properties[CONNECTION_STRING] = _connection_string(shape)
        instead = [field for field in _FROM_CONNECTION_STRING if field in required]
        required = [field for field in required if field not in instead]
        rules.append({"anyOf": [{"required": instead}, {"required": [CONNECTION_STRING]}]})
    return {**schema, "required": required, **({"allOf": rules} if rules else {})}


def _read(schema: dict[str, Any], _shape: Shape) -> dict[str, Any]:
    properties = schema["properties"] | _MADE_BY_THE_SERVER
    return {**schema, "properties": properties, "required": list(properties)}


def _patch(schema: dict[str, Any], shape: Shape) -> dict[str, Any]:
    properties = schema["properties"] | _MADE_BY_THE_SERVER_ECHOED
    if takes_connection_string(shape.model):
        properties[CONNECTION_STRING] = _connection_string(shape)
    return schema | {"properties": properties}


_DIRECTIONS = {"Create": _create, "Read": _read, "Patch": _patch}
_FROM_CONNECTION_STRING = ("host", "port", "database", "username")


@dataclass(frozen=True, slots=True)
class _Rewriter:
    """Rewrites what pydantic writes for one direction.

    Attributes:
        direction: The direction.
        targets: Where the nested schemas will stand, by their names.
        secretive: The names of the nested schemas that have secrets in them.
    """

    direction: Direction
    targets: Mapping[str, str]
    secretive: frozenset[str]

    def schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        """Rewrite the schema of a model, or of what is nested in it, such as an enumeration."""
        rewritten: dict[str, Any] = self._value(schema)
        return rewritten

    def _object(self, schema: dict[str, Any]) -> dict[str, Any]:
        """Rewrite an object's schema: secrets as they are written or read, references to where they will stand."""
        properties = {name: self._property(name, inner) for name, inner in schema["properties"].items()}
        # A secret that is left out keeps what is stored, so the document cannot call it required.
        required = [name for name in schema.get("required", []) if not _is_secret(schema["properties"][name])]
        if self.direction == "Patch":
            return {key: inner for key, inner in schema.items() if key != "required"} | {"properties": properties}
        return {**schema, "properties": properties, "required": required}

    def _property(self, name: str, schema: dict[str, Any]) -> dict[str, Any]:
        if name == "type" and "const" in schema:
            return {"type": "string", "const": schema["const"], "description": "The type."}
        title = {"title": title_of(name)} if schema.get("title", "").lower() == name.replace("_", " ") else {}
        value: dict[str, Any] = self._value(schema) | title
        if self.direction == "Create":
            return value
        value = {key: inner for key, inner in value.items() if key != "default"}
        written: dict[str, Any] = _or_null(value) if self.direction == "Patch" else value
        return written

    def _value(self, schema: Any) -> Any:
        """Rewrite the schema of a value."""
        if isinstance(schema, list):
            return [self._value(inner) for inner in schema]
        if not isinstance(schema, dict):
            return schema
        if _is_secret(schema):
            secret = {"$ref": f"{REF}{'SecretOutput' if self.direction == 'Read' else 'SecretInput'}"}
            return {**_notes(schema), **secret, "x-secret": True}
        if _mentions(schema, self.secretive):
            # Whoever wrote these may have put a secret into them that looks real, or is.
            schema = {key: inner for key, inner in schema.items() if key != "examples"}
        if isinstance(schema.get("properties"), dict):
            return self._object(schema)
        return {key: self._member(key, inner) for key, inner in schema.items()}

    def _member(self, key: str, inner: Any) -> Any:
        if key in _LITERAL:
            return inner
        if key == "$ref":
            return self.targets[inner]
        if key == "discriminator":
            return inner | {"mapping": {tag: self.targets[name] for tag, name in inner.get("mapping", {}).items()}}
        if key == "patternProperties":
            return {pattern: self._member("additionalProperties", value) for pattern, value in inner.items()}
        value = self._value(inner)
        return _or_null(value) if key == "additionalProperties" and self.direction == "Patch" else value


_LITERAL = frozenset({"default", "examples", "const", "enum", "x-visible-when", "x-required-when"})


def _is_secret(schema: dict[str, Any]) -> bool:
    return any(form.get("x-secret") is True and "$ref" not in form for form in (schema, *schema.get("anyOf", [])))


def _with_secrets(nested: Mapping[str, Any]) -> frozenset[str]:
    """Return the names of the nested schemas that have secrets in them, at any depth."""
    found: frozenset[str] = frozenset()
    while more := {name for name, schema in nested.items() if name not in found and _mentions(schema, found)}:
        found |= more
    return found


def _mentions(schema: Any, secretive: frozenset[str]) -> bool:
    """Tell whether a schema has a secret in it, or refers to a nested one that has."""
    if isinstance(schema, list):
        return any(_mentions(inner, secretive) for inner in schema)
    if not isinstance(schema, dict):
        return False
    is_secret = schema.get("x-secret") is True or schema.get("$ref") in secretive
    return is_secret or any(_mentions(inner, secretive) for inner in schema.values())


def _notes(schema: dict[str, Any]) -> dict[str, Any]:
    """Keep what describes a field, not its value."""
    return {key: value for key, value in schema.items() if key in {"title", "description"} or key.startswith("x-")}


def _or_null(schema: Any) -> Any:
    """Let a property be null as well: in a merge patch, null takes it back to its default (RFC 7396)."""
    if not isinstance(schema, dict) or "const" in schema:
        return schema
    forms = schema.get("anyOf", [])
    if any(form.get("type") == "null" for form in forms) or schema.get("x-secret"):
        return schema
    return {"anyOf": [schema, {"type": "null"}]}


def _connection_string(shape: Shape) -> dict[str, Any]:
    schemes = getattr(shape.model, "connection_schemes", ("scheme",))
    return {
        "type": "string",
        "format": "uri",
        "pattern": f"^({'|'.join(schemes)})://",
        "writeOnly": True,
        "description": f"In place of the fields: {schemes[0]}://user:password@host:port/database. Never stored whole.",
    }
