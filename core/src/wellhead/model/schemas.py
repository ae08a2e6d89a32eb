"""JSON Schemas of a type as it is created, read and patched (JSON Schema 2020-12, as OpenAPI 3.1 uses it)."""

from __future__ import annotations

from typing import Any, Literal

from wellhead.model.conditions import as_json_schema
from wellhead.model.connection_string import CONNECTION_STRING
from wellhead.model.parameters import takes_connection_string, title_of
from wellhead.model.shape import Shape
from wellhead.model.source import SERVER_FIELDS

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
    schemas = {name: _DIRECTIONS[direction](_rewrite(whole, targets, direction), shape, type_name)}
    for inner, schema in nested.items():
        schemas[name + inner] = _rewrite(schema, targets, direction)
    return {own: {**schema, "title": own} for own, schema in schemas.items()}


def _create(schema: dict[str, Any], shape: Shape, _type_name: str) -> dict[str, Any]:
    properties = schema["properties"]
    for field in SERVER_FIELDS:
        properties[field] = {"readOnly": True, "description": "Made by the server; may be sent back as it was read."}
    properties |= {"state": {"readOnly": True}, "health": {"readOnly": True}}
    rules = as_json_schema(shape.model.conditions, shape.defaults)
    required = ["type", *(field for field in schema["required"] if field != "type")]
    if takes_connection_string(shape.model):
        properties[CONNECTION_STRING] = _connection_string(shape)
        instead = [field for field in _FROM_CONNECTION_STRING if field in required]
        required = [field for field in required if field not in instead]
        rules.append({"anyOf": [{"required": instead}, {"required": [CONNECTION_STRING]}]})
    return {**schema, "required": required, **({"allOf": rules} if rules else {})}


def _read(schema: dict[str, Any], _shape: Shape, _type_name: str) -> dict[str, Any]:
    properties = {field: _without_default(written) for field, written in schema["properties"].items()}
    properties |= {
        "id": {"type": "string", "format": "uuid"},
        "created_at": {"type": "string", "format": "date-time"},
        "updated_at": {"type": "string", "format": "date-time"},
        "revision": {"type": "integer", "minimum": 1},
        "state": {"$ref": f"{REF}State"},
        "health": {"$ref": f"{REF}Health"},
    }
    return {**schema, "properties": properties, "required": list(properties)}


def _patch(schema: dict[str, Any], shape: Shape, _type_name: str) -> dict[str, Any]:
    properties = {field: _or_null(_without_default(written)) for field, written in schema["properties"].items()}
    properties["type"] = schema["properties"]["type"]
    properties |= {field: {"readOnly": True} for field in (*SERVER_FIELDS, "state", "health")}
    if takes_connection_string(shape.model):
        properties[CONNECTION_STRING] = _connection_string(shape)
    return {key: value for key, value in schema.items() if key != "required"} | {"properties": properties}


_DIRECTIONS = {"Create": _create, "Read": _read, "Patch": _patch}
_FROM_CONNECTION_STRING = ("host", "port", "database", "username")


def _rewrite(schema: dict[str, Any], targets: dict[str, str], direction: Direction) -> dict[str, Any]:
    """Rewrite one object's schema: secrets as they are written or read, references to where they will stand."""
    properties = {name: _value(inner, targets, direction, name) for name, inner in schema["properties"].items()}
    if "const" in properties.get("type", {}):
        properties["type"] = {"type": "string", "const": properties["type"]["const"], "description": "The type."}
    # A secret that is left out keeps what is stored, so the document cannot call it required.
    required = [name for name in schema.get("required", []) if not _is_secret(schema["properties"][name])]
    return {**schema, "properties": properties, "required": required}


def _is_secret(schema: dict[str, Any]) -> bool:
    return any(form.get("x-secret") is True and "$ref" not in form for form in (schema, *schema.get("anyOf", [])))


def _value(schema: Any, targets: dict[str, str], direction: Direction, name: str | None = None) -> Any:
    """Rewrite the schema of a value."""
    if isinstance(schema, list):
        return [_value(inner, targets, direction) for inner in schema]
    if not isinstance(schema, dict):
        return schema
    title = {"title": title_of(name)} if name and schema.get("title", "").lower() == name.replace("_", " ") else {}
    if _is_secret(schema):
        secret = {"$ref": f"{REF}{'SecretOutput' if direction == 'Read' else 'SecretInput'}"}
        return {**_notes(schema), **title, **secret, "x-secret": True}
    if "$ref" in schema:
        return {**schema, "$ref": targets[schema["$ref"]]}
    copied = {key: inner if key in _LITERAL else _value(inner, targets, direction) for key, inner in schema.items()}
    if copied.get("type") == "object" and isinstance(schema.get("properties"), dict):
        return _rewrite(schema, targets, direction)
    return copied | title


_LITERAL = {"default", "examples", "const", "enum", "x-visible-when", "x-required-when"}


def _notes(schema: dict[str, Any]) -> dict[str, Any]:
    """Keep what describes a field, not its value."""
    return {key: value for key, value in schema.items() if key in {"title", "description"} or key.startswith("x-")}


def _without_default(schema: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in schema.items() if key != "default"}


def _or_null(schema: dict[str, Any]) -> dict[str, Any]:
    """Let a property be null as well: in a merge patch, null takes it back to its default (RFC 7396)."""
    forms = schema.get("anyOf", [])
    if any(form.get("type") == "null" for form in forms) or schema.get("x-secret"):
        return schema
    return {"anyOf": [schema, {"type": "null"}]}


def _connection_string(shape: Shape) -> dict[str, Any]:
    scheme = getattr(shape.model, "connection_schemes", ("scheme",))[0]
    return {
        "type": "string",
        "format": "uri",
        "writeOnly": True,
        "description": f"In place of the fields: {scheme}://user:password@host:port/database. Never stored whole.",
    }
