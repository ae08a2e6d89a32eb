"""The parameters of a type, derived from its model: what forms and the command line ask for."""

from __future__ import annotations

from typing import Any

from wellhead.model.connection_string import CONNECTION_STRING
from wellhead.model.families import DatabaseDataSource
from wellhead.model.fields import REQUIRED_KEY, VISIBLE_KEY
from wellhead.model.markers import is_harmless, is_multi_line
from wellhead.model.shape import Map, Shape, json_schema_of
from wellhead.model.source import BASE_FIELDS, DataSourceConfig

_LIMITS = {
    "minimum": "minimum",
    "maximum": "maximum",
    "minLength": "min_length",
    "maxLength": "max_length",
    "pattern": "pattern",
    "format": "format",
}


ABBREVIATIONS = frozenset(
    """
    api arn aws ca cn csv db dns gcp gcs html http https iam id ip json jwt kms ldap pem s3 sasl sql ssh ssl sso tcp tls
    ttl udp uri url uuid vpc xml
    """.split()  # noqa: SIM905  # it is read more easily
)
"""Words that are written in capitals in a title."""


def title_of(name: str) -> str:
    """Make a title from a field's name: `busy_timeout` becomes `Busy timeout`, and `ca_file` `CA file`."""
    words = (word.upper() if word in ABBREVIATIONS else word for word in name.lower().split("_"))
    title = " ".join(words)
    return title[:1].upper() + title[1:]


def parameters_of(shape: Shape) -> list[dict[str, Any]]:
    """Derive the parameters of a type's own fields, in their order.

    Returns:
        A list of mappings with `name`, `type` (of JSON Schema), `title`, `description`, `required`, `default`,
        `secret`, `harmless`, `enum`, `examples`, `group`, `order`, `visible_when` and `required_when` (mappings of
        field name to list of values, or None), `multi_line`, `placeholder`, and the limits that apply.
    """
    schema = json_schema_of(shape.model)
    names = [name for name in shape.model.model_fields if name not in BASE_FIELDS]
    parameters = [_parameter(shape, name, place, schema) for place, name in enumerate(names, start=1)]
    if takes_connection_string(shape.model):
        parameters.append(_connection_string(len(names) + 1))
    return sorted(parameters, key=lambda parameter: parameter["order"])


def takes_connection_string(model: type[DataSourceConfig]) -> bool:
    """Tell whether a model takes `connection_string` on input."""
    return issubclass(model, DatabaseDataSource) and bool(model.connection_schemes)


def _parameter(shape: Shape, name: str, place: int, schema: dict[str, Any]) -> dict[str, Any]:
    info = shape.model.model_fields[name]
    written = schema["properties"][name]
    value = _value_schema(written, schema.get("$defs", {}))
    holds_secrets = name in shape.secret_fields()
    parameter = {
        "name": name,
        "type": value.get("type", "object" if holds_secrets else "string"),
        "title": info.title or title_of(name),
        "description": info.description,
        "required": info.is_required(),
        "default": None if holds_secrets else shape.defaults.get(name),
        "secret": holds_secrets,
        "harmless": is_harmless(info),
        "enum": value.get("enum", [value["const"]] if "const" in value else None),
        "examples": [] if holds_secrets else info.examples or [],
        "group": written.get("x-group") or _inherited(shape.model, name, "x-group"),
        "order": written.get("x-order") or _inherited(shape.model, name, "x-order") or 100 + place,
        "visible_when": written.get(VISIBLE_KEY),
        "required_when": written.get(REQUIRED_KEY),
        "multi_line": is_multi_line(info),
        "placeholder": written.get("x-placeholder"),
    }
    if isinstance(shape.root.fields[name], Map):
        parameter["type"] = "object"
    return parameter | {ours: value[theirs] for theirs, ours in _LIMITS.items() if theirs in value}


def _inherited(model: type[DataSourceConfig], name: str, key: str) -> Any:
    """Return where a family puts a field that the type has redefined."""
    for parent in model.__mro__[1:]:
        info = getattr(parent, "model_fields", {}).get(name)
        extra = info.json_schema_extra if info is not None else None
        if isinstance(extra, dict) and key in extra:
            return extra[key]
    return None


def _value_schema(written: dict[str, Any], definitions: dict[str, Any]) -> dict[str, Any]:
    """Take null and references out of a property's schema: what is left describes its value."""
    forms = [form for form in written.get("anyOf", [written]) if form.get("type") != "null"]
    if len(forms) != 1:
        return {}
    reference = forms[0].get("$ref")
    found: dict[str, Any] = definitions[reference.rpartition("/")[2]] if reference else forms[0]
    return found


def _connection_string(order: int) -> dict[str, Any]:
    return {
        "name": CONNECTION_STRING,
        "type": "string",
        "title": "Connection string",
        "description": "In place of the fields: scheme://user:password@host:port/database. Never stored whole.",
        "required": False,
        "default": None,
        "secret": True,
        "harmless": False,
        "enum": None,
        "examples": [],
        "group": "Shortcut",
        "order": 1000 + order,
        "visible_when": None,
        "required_when": None,
        "multi_line": False,
        "placeholder": None,
    }
