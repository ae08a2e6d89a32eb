"""The schemas of the OpenAPI document that are there whatever types are installed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, get_args

from wellhead.access.audit_entry import OUTCOMES
from wellhead.codes import CODES
from wellhead.model.result import CheckStatus, ValidationStatus
from wellhead.model.schemas import REF
from wellhead.plugins.reports import STATES as PLUGIN_STATES
from wellhead.storage.stored import STATES

TEXT: dict[str, Any] = {"type": "string"}
_COUNT: dict[str, Any] = {"type": "integer"}
TEXT_OR_NULL: dict[str, Any] = {"type": ["string", "null"]}
_INSTANT: dict[str, Any] = {"type": "string", "format": "date-time"}
HEALTH_OR_NULL: dict[str, Any] = {"anyOf": [{"$ref": REF + "Health"}, {"type": "null"}]}


def _object(properties: dict[str, Any], required: Iterable[str] | None = None, **more: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties if required is None else required),
        **more,
    }


def unavailable_schema(names: Sequence[str]) -> dict[str, Any]:
    """Describe a data source whose type is not installed, or of which little can be read."""
    kind: dict[str, Any] = {**TEXT_OR_NULL, **({"not": {"enum": list(names)}} if names else {})}
    properties: dict[str, Any] = {
        "id": {"type": "string", "format": "uuid"},
        "name": TEXT_OR_NULL,
        "type": kind,
        "description": TEXT_OR_NULL,
        "labels": {"type": "object", "additionalProperties": TEXT},
        "created_at": {"type": ["string", "null"], "format": "date-time"},
        "updated_at": {"type": ["string", "null"], "format": "date-time"},
        "revision": {"type": ["integer", "null"]},
        "state": {"$ref": REF + "State"},
        "health": HEALTH_OR_NULL,
    }
    text = "A data source whose type is not installed, or whose record cannot be read; its other fields may be there."
    return _object(properties, description=text, additionalProperties=True)


def nameless_schema(names: Sequence[str]) -> dict[str, Any]:
    """Describe a data source to validate, which is as to make one, but for its name."""
    kind = {"type": "string", "enum": list(names)} if names else TEXT
    return _object({"type": kind}, description="The fields of the type.", additionalProperties=True)


def fixed_schemas() -> dict[str, Any]:
    """Return the schemas that are there whatever is installed, by name."""
    finding = {"code": TEXT_OR_NULL, "message": TEXT_OR_NULL, "check": TEXT, "fields": _list(TEXT)}
    check = {
        "name": TEXT,
        "status": {"type": "string", "enum": list(get_args(CheckStatus))},
        "code": TEXT_OR_NULL,
        "message": TEXT_OR_NULL,
        "hint": TEXT_OR_NULL,
        "fields": _list(TEXT),
        "duration_ms": {"type": "number"},
    }
    result = {
        "success": {"type": "boolean"},
        "status": {"$ref": REF + "ValidationStatus"},
        "checks": _list(_reference("Check")),
        "errors": _list(_reference("Finding")),
        "warnings": _list(_reference("Finding")),
        "details": {"type": "object", "additionalProperties": True},
        "started_at": _INSTANT,
        "duration_ms": {"type": "number"},
    }
    health = {
        "status": {"$ref": REF + "ValidationStatus"},
        "checked_at": _INSTANT,
        "revision": {"type": "integer"},
        "duration_ms": {"type": "number"},
    }
    revision = {
        "revision": {"type": "integer"},
        "at": {**_INSTANT, "description": "When it was changed, and so became a former revision."},
        "by": {**TEXT_OR_NULL, "description": "Who changed it."},
        "changed": {**_list(TEXT), "description": "The names of the fields that were changed then, secrets too."},
    }
    audited = {
        "at": _INSTANT,
        "entry": TEXT,
        "user": TEXT,
        "workspace": TEXT,
        "operation": TEXT,
        "outcome": {"type": "string", "enum": list(OUTCOMES)},
        "id": {**TEXT_OR_NULL, "description": "The data source's id; that of the key, or of the token."},
        "name": TEXT_OR_NULL,
        "revision": {"type": ["integer", "null"]},
        "fields": {**_list(TEXT), "description": "The names of the fields that were changed."},
        "status": {"type": ["integer", "null"], "description": "Of the answer; null without a request."},
        "code": TEXT_OR_NULL,
        "address": {**TEXT_OR_NULL, "description": "Where the request came from."},
        "request_id": TEXT_OR_NULL,
        "pid": _COUNT,
    }
    later = {
        "role": {**TEXT_OR_NULL, "description": "The role that a token gives; null for all else."},
        "count": {"type": ["integer", "null"], "description": "How many failed logins there were; null for all else."},
    }
    page = {"items": _list(_reference("DataSourceRead")), "next": TEXT_OR_NULL, "total": {"type": "integer"}}
    counted = {
        "type": {**TEXT_OR_NULL, "description": "Null where it cannot be read."},
        "state": _reference("State"),
        "health": {"type": "string", "enum": [*get_args(ValidationStatus), "none"]},
        "count": _COUNT,
    }
    return {
        "AuditEntry": _object(audited | later, tuple(audited)),  # older entries do not have them
        "AuditPage": _object({"items": _list(_reference("AuditEntry")), "next": TEXT_OR_NULL}),
        "ChangedPlugin": _object({"distribution": TEXT, "reason": TEXT, "remedy": TEXT}),
        "Check": _object(check),
        "DataSourcePage": _object(page),
        "DataSourceSummary": _object({"total": _COUNT, "items": _list(_reference("SummaryItem"))}),
        "Finding": _object(finding),
        "Health": _object(health, description="The newest result of validating a data source."),
        "HealthHistory": _object({"items": _list(_reference("PastResult"))}),
        "History": _object({"items": _list(_reference("Revision"))}),
        "PastResult": _object({**result, "revision": _COUNT}),
        "PluginReload": _object(
            {
                "added": _list(TEXT),
                "removed": _list(TEXT),
                "needs_restart": _list(_reference("ChangedPlugin")),
                "items": _list(_reference("TypeItem")),
            }
        ),
        "PluginCounts": _object(dict.fromkeys(PLUGIN_STATES, _COUNT)),
        "Readiness": _object({"status": TEXT, "plugins": _reference("PluginCounts")}),
        "Revision": _object(revision),
        "RollbackRequest": _object({"revision": {"type": "integer", "minimum": 1}}, additionalProperties=False),
        "State": {"type": "string", "enum": list(STATES)},
        "Status": _object({"status": TEXT}),
        "SummaryItem": _object(counted),
        "ValidationRequest": _object({"changes": _reference("DataSourcePatch")}, (), additionalProperties=False),
        "ValidationResult": _object(result),
        "ValidationStatus": {"type": "string", "enum": list(get_args(ValidationStatus))},
        **_line_schemas(),
        **_problem_schemas(),
        **_type_schemas(),
    }


def _line_schemas() -> dict[str, Any]:
    """Describe the lines of the answer to a request that validates many."""
    outcome = {
        "id": {"type": "string", "format": "uuid"},
        "name": TEXT_OR_NULL,
        "result": {"anyOf": [_reference("ValidationResult"), {"type": "null"}]},
    }
    text = "The result is null where the data source cannot be read; `state` then says why."
    totals = {
        "type": "object",
        "description": "How many, by status, or by state where there is no result.",
        "additionalProperties": {"type": "integer"},
    }
    return {
        "ValidationLine": {"anyOf": [_reference("ValidationOutcome"), _reference("ValidationTotals")]},
        "ValidationOutcome": _object({**outcome, "state": _reference("State")}, outcome, description=text),
        "ValidationTotals": _object({"totals": totals}),
    }


def _problem_schemas() -> dict[str, Any]:
    inputs = sorted(code for code, entry in CODES.items() if entry.kind == "input")
    item = {
        "pointer": {**TEXT, "description": "Where in the body, a JSON Pointer (RFC 6901)."},
        "parameter": {**TEXT, "description": "Which parameter of the query."},
        "code": {**TEXT, "examples": inputs[:3]},
        "message": TEXT,
        "hint": TEXT,
        "allowed": {"type": "array", "items": {}},
    }
    problem = {
        "type": {**TEXT, "format": "uri-reference"},
        "title": TEXT,
        "status": {"type": "integer"},
        "code": TEXT,
        "detail": TEXT,
        "request_id": TEXT,
        "errors": _list(_reference("ProblemItem")),
        "result": _reference("ValidationResult"),
    }
    required = ("type", "title", "status", "code", "detail", "request_id")
    return {
        "Problem": _object(problem, required, description="Problem details (RFC 9457)."),
        "ProblemItem": _object(item, ("code", "message")),
    }


def _type_schemas() -> dict[str, Any]:
    parameter = {
        "name": TEXT,
        "type": TEXT,
        "title": TEXT,
        "description": TEXT_OR_NULL,
        "required": {"type": "boolean"},
        "default": {},
        "secret": {"type": "boolean"},
        "harmless": {"type": "boolean"},
        "enum": {"type": ["array", "null"], "items": {}},
        "examples": {"type": "array", "items": {}},
        "group": TEXT_OR_NULL,
        "order": {"type": ["integer", "null"]},
        "visible_when": {"type": ["object", "null"], "additionalProperties": {"type": "array", "items": {}}},
    }
    item = {
        "name": TEXT,
        "title": TEXT,
        "description": TEXT_OR_NULL,
        "state": {"type": "string", "enum": list(PLUGIN_STATES)},
        "reason": TEXT_OR_NULL,
        "remedy": TEXT_OR_NULL,
        "distribution": TEXT_OR_NULL,
        "version": TEXT_OR_NULL,
        "load_ms": {"type": ["number", "null"]},
        "icon": TEXT_OR_NULL,
        "docs_url": TEXT_OR_NULL,
        "capabilities": _list(TEXT),
        "parameters": _list(_reference("Parameter")),
    }
    detail = {
        "schema": {"type": "object"},
        "examples": {"type": "array", "items": {"type": "object"}},
        "codes": {"type": "object", "additionalProperties": _reference("CodeMeaning")},
    }
    return {
        "CodeMeaning": _object({"title": TEXT, "cause": TEXT, "remedy": TEXT}),
        "Parameter": _object(parameter, additionalProperties=True),
        "TypeDetail": _object({**item, **detail}),
        "TypeItem": _object(item),
        "TypeList": _object({"items": _list(_reference("TypeItem")), "hint": TEXT}, ["items"]),
    }


def _list(items: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": items}


def _reference(name: str) -> dict[str, Any]:
    return {"$ref": REF + name}
