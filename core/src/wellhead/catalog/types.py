"""The types as they are shown: every one that is installed, and every plugin that is broken."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from wellhead.model.parameters import takes_connection_string
from wellhead.model.schemas import REF, SECRET_SCHEMAS, schema_name, schemas_of
from wellhead.plugins.registry import DataSourceTypeRegistry, RegisteredType, unknown_type
from wellhead.plugins.reports import PluginReport

INSTALL_HINT = "No type is installed. Install one, for example: pip install wellhead-files"


def type_items(registry: DataSourceTypeRegistry, reports: Sequence[PluginReport]) -> list[dict[str, Any]]:
    """Return an item for each type, and for each plugin that provides none because of what is wrong with it."""
    notes = {name: report for report in reports if report.state == "ready" for name in report.types}
    items = [_ready(registry.describe(name), notes.get(name)) for name in registry.list_types()]
    items += [item for report in reports if report.state != "ready" for item in _not_ready(report)]
    return sorted(items, key=lambda item: (item["name"], item["distribution"] or ""))


def type_list(items: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return the list of types as the API shows it; where there is none, with a hint."""
    return {"items": list(items)} if items else {"items": [], "hint": INSTALL_HINT}


def type_changes(before: DataSourceTypeRegistry, now: DataSourceTypeRegistry) -> dict[str, list[str]]:
    """Return the names of the types that came, and of those that went."""
    old, new = set(before.list_types()), set(now.list_types())
    return {"added": sorted(new - old), "removed": sorted(old - new)}


def restarts(reports: Sequence[PluginReport]) -> list[dict[str, Any]]:
    """Return the plugins of which this process has something else than what is installed."""
    return [
        {"distribution": report.distribution, "reason": report.reason, "remedy": report.remedy}
        for report in reports
        if report.needs_restart
    ]


def type_detail(registry: DataSourceTypeRegistry, type_name: str) -> dict[str, Any]:
    """Return the item of one type, with the JSON Schemas of its data sources, and examples.

    Raises:
        UnknownTypeError: No such type is registered.
    """
    found = registry.find(type_name)
    if found is None:
        raise unknown_type(registry.list_types())
    schemas = schemas_of(found.shape, found.name, "Create")
    name = schema_name(found.name, "Create")
    schema = {**schemas.pop(name), "$schema": "https://json-schema.org/draft/2020-12/schema"}
    definitions = schemas | {key: value for key, value in SECRET_SCHEMAS.items() if key != "SecretOutput"}
    return _ready(found) | {"schema": _local({**schema, "$defs": definitions}), **_more(found)}


def capabilities_of(found: RegisteredType) -> list[str]:
    """Return what can be done with data sources of a type, besides keeping them."""
    capabilities = ["validate"] if found.validator is not None else []
    return capabilities + (["connection_string"] if takes_connection_string(found.model) else [])


def examples_of(found: RegisteredType) -> list[dict[str, Any]]:
    """Return the examples of a type; one that is made from its fields, if it gives none."""
    return [dict(example) for example in found.examples] or [example_of(found)]


def _ready(found: RegisteredType, note: PluginReport | None = None) -> dict[str, Any]:
    return {
        "name": found.name,
        "title": found.title,
        "description": found.description,
        "state": "ready",
        "reason": note.reason if note is not None else None,
        "remedy": note.remedy if note is not None else None,
        "distribution": found.distribution,
        "version": found.version,
        "load_ms": found.load_ms,
        "icon": found.icon,
        "docs_url": found.docs_url,
        "capabilities": capabilities_of(found),
        "parameters": [dict(parameter) for parameter in found.parameters],
    }


def _not_ready(report: PluginReport) -> Iterator[dict[str, Any]]:
    for name in report.types or (report.entry_point,):
        yield {
            "name": name,
            "title": name,
            "description": None,
            "state": report.state,
            "reason": report.reason,
            "remedy": report.remedy,
            "distribution": report.distribution,
            "version": report.version,
            "load_ms": report.load_ms,
            "icon": None,
            "docs_url": None,
            "capabilities": [],
            "parameters": [],
        }


def _more(found: RegisteredType) -> dict[str, Any]:
    """Return what is told of one type only, and not of each in the list."""
    codes = {name: {"title": of.title, "cause": of.cause, "remedy": of.remedy} for name, of in found.codes.items()}
    return {"codes": codes, "examples": examples_of(found)}


def example_of(found: RegisteredType) -> dict[str, Any]:
    """Make an example from those of the fields: what is required, filled in."""
    example: dict[str, Any] = {"name": f"my-{found.name}", "type": found.name}
    for parameter in found.parameters:
        if parameter["required"] and not parameter["secret"] and parameter["examples"]:
            example[parameter["name"]] = parameter["examples"][0]
    return example


def _local(node: Any) -> Any:
    """Point references at the definitions inside the schema, so that it stands alone."""
    if isinstance(node, dict):
        return {key: _local(value) for key, value in node.items()}
    if isinstance(node, str) and node.startswith(REF):
        return node.replace(REF, "#/$defs/")
    return [_local(inner) for inner in node] if isinstance(node, list) else node
