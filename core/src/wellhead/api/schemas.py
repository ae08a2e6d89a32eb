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
        "health": {"$ref": REF + "Health"},
    }
    text = "A data source whose type is not installed, or whose record cannot be read; its other fields may be there."
    return _object(properties, description=text, additionalProperties=True)


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
    past = _object({"revision": {"type": "integer"}})
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
        "id": {**TEXT_OR_NULL, "description": "The data source's id."},
        "name": TEXT_OR_NULL,
        "revision": {"type": ["integer", "null"]},
        "fields": {**_list(TEXT), "description": "The names of the fields that were changed."},
        "status": {"type": ["integer", "null"], "description": "Of the answer; null without a request."},
        "code": TEXT_OR_NULL,
        "address": {**TEXT_OR_NULL, "description": "Where the request came from."},
        "request_id": TEXT_OR_NULL,
        "pid": _COUNT,
    }
    page = {"items": _list(_reference("DataSourceRead")), "next": TEXT_OR_NULL, "total": {"type": "integer"}}
    counted = {
        "type": {**TEXT_OR_NULL, "description": "Null where it cannot be read."},
        "state": _reference("State"),
        "health": {"type": "string", "enum": [*get_args(ValidationStatus), "none"]},
        "count": _COUNT,
    }
    return {
        "AuditEntry": _object(audited),
        "AuditPage": _object({"items": _list(_reference("AuditEntry")), "next": TEXT_OR_NULL}),
        "Check": _object(check),
        "DataSourcePage": _object(page),
        "DataSourceSummary": _object({"total": _COUNT, "items": _list(_object(counted))}),
        "Finding": _object(finding),
        "Health": {"anyOf": [_object(health), {"type": "null"}], "description": "Null after a change."},
        "HealthHistory": _object({"items": _list({"allOf": [_reference("ValidationResult"), past]})}),
        "History": _object({"items": _list(_reference("Revision"))}),
        "PluginReload": _object(
            {
                "added": _list(TEXT),
                "removed": _list(TEXT),
                "needs_restart": _list(_object({"distribution": TEXT, "reason": TEXT, "remedy": TEXT})),
                "items": _list(_reference("TypeItem")),
            }
        ),
        "Readiness": _object({"status": TEXT, "plugins": _object(dict.fromkeys(PLUGIN_STATES, _COUNT))}),
        "Revision": _object(revision),
        "RollbackRequest": _object({"revision": {"type": "integer", "minimum": 1}}, additionalProperties=False),
        "State": {"type": "string", "enum": list(STATES)},
        "Status": _object({"status": TEXT}),
        "ValidationLine": _validation_line(),
        "ValidationRequest": _object({"changes": _reference("DataSourcePatch")}, (), additionalProperties=False),
        "ValidationResult": _object(result),
        "ValidationStatus": {"type": "string", "enum": list(get_args(ValidationStatus))},
        **_problem_schemas(),
        **_type_schemas(),
    }


def _validation_line() -> dict[str, Any]:
    outcome = {
        "id": {"type": "string", "format": "uuid"},
        "name": TEXT_OR_NULL,
        "result": {"anyOf": [_reference("ValidationResult"), {"type": "null"}]},
    }
    totals = {"type": "object", "additionalProperties": {"type": "integer"}}
    return {
        "description": "One line. The result is null where the data source cannot be read; `state` then says why.",
        "anyOf": [
            _object({**outcome, "state": _reference("State")}, outcome),
            _object(
                {"totals": {**totals, "description": "How many, by status, or by state where there is no result."}}
            ),
        ],
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
    meaning = _object({"title": TEXT, "cause": TEXT, "remedy": TEXT})
    detail = {
        "schema": {"type": "object"},
        "examples": {"type": "array", "items": {"type": "object"}},
        "codes": {"type": "object", "additionalProperties": meaning},
    }
    return {
        "Parameter": _object(parameter, additionalProperties=True),
        "TypeDetail": {"allOf": [_reference("TypeItem"), _object(detail)]},
        "TypeItem": _object(item),
        "TypeList": _object({"items": _list(_reference("TypeItem")), "hint": TEXT}, ["items"]),
    }


def _list(items: dict[str, Any]) -> dict[str, Any]:
    return {"type": "array", "items": items}


def _reference(name: str) -> dict[str, Any]:
    return {"$ref": REF + name}
