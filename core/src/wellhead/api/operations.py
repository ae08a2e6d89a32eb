"""The table of operations: the routes of the service and its OpenAPI document are both made from it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Literal

from fastapi import Request, Response

from wellhead.access.policy import Permission
from wellhead.api import auditing, handlers, pages
from wellhead.api.parameters import AUDIT_PARAMETERS, FILTER_PARAMETERS, FORCE, LIST_PARAMETERS, VERIFY
from wellhead.api.query import Parameter
from wellhead.api.requests import JSON_TYPES, PATCH_TYPES
from wellhead.api.telemetry import monitoring
from wellhead.settings import Settings

Handler = Callable[[Request], Awaitable[Response]]
Tag = Literal["data sources", "types", "audit", "service"]
SOURCES = "/api/v1/datasources"
SOURCE = SOURCES + "/{source_id}"


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation of the service.

    Attributes:
        method: The HTTP method.
        path: The path, with parameters in braces.
        name: The id of the operation, for generated clients.
        tag: What it is about: generated clients have a module for each.
        summary: What it does.
        handler: What answers.
        permission: What the role of whoever sends the request must permit.
        audited: What the audit log calls it; None for what is not written there.
        is_public: Whether it needs no token. Where it needs a permission too, that is so in local mode, or where the
            settings want it.
        opened_by: The setting that lets it be read without a token, if there is one.
        query: The parameters of its query.
        takes_timeout: Whether its query has the seconds of a validation too.
        body: The schema of its body, under `components/schemas`; None if it takes none.
        body_types: The media types of its body.
        body_required: Whether the body is required.
        answers: The schema of the answer of each status that means success; an empty name for no body.
        lines: The schema of each line, where it answers with lines of JSON.
        problems: The statuses of its problems, besides those that every operation has.
        conditional: Whether it honours `If-Match`.
        in_document: Whether the OpenAPI document has it.
    """

    method: str
    path: str
    name: str
    tag: Tag
    summary: str
    handler: Handler
    permission: Permission | None = None
    audited: str | None = None
    is_public: bool = False
    opened_by: str | None = None
    query: tuple[Parameter, ...] = ()
    takes_timeout: bool = False
    body: str | None = None
    body_types: tuple[str, ...] = JSON_TYPES
    body_required: bool = True
    answers: tuple[tuple[int, str], ...] = ()
    lines: str | None = None
    problems: tuple[int, ...] = ()
    conditional: bool = False
    in_document: bool = True

    def is_open(self, settings: Settings) -> bool:
        """Tell whether it needs no token with these settings."""
        if self.opened_by is not None and getattr(settings, self.opened_by):
            return True
        has_docs = settings.root is None or settings.public_docs
        return self.is_public and (self.permission is None or has_docs)


_WRITE = (400, 409, 413, 415, 422, 500, 507)

OPERATIONS = (
    Operation(
        "GET",
        SOURCES,
        "listDataSources",
        "data sources",
        "List data sources: filter, sort, page.",
        handlers.list_sources,
        permission="read",
        query=LIST_PARAMETERS,
        answers=((200, "DataSourcePage"),),
        problems=(400, 422),
    ),
    Operation(
        "POST",
        SOURCES,
        "createDataSource",
        "data sources",
        "Make a data source.",
        handlers.create_source,
        permission="write",
        audited="create",
        query=(VERIFY,),
        takes_timeout=True,
        body="DataSourceCreate",
        answers=((201, "DataSourceRead"),),
        problems=_WRITE,
    ),
    Operation(
        "POST",
        SOURCES + "/validate",
        "validateUnsavedDataSource",
        "data sources",
        "Validate a configuration without saving it. With `Accept: application/x-ndjson`, checks come as lines while "
        "they end, and the result last.",
        handlers.validate_new,
        permission="validate",
        audited="validate",
        takes_timeout=True,
        body="DataSourceUnsaved",
        answers=((200, "ValidationResult"),),
        problems=(400, 413, 415, 422),
    ),
    Operation(
        "POST",
        SOURCES + "/validations",
        "validateDataSources",
        "data sources",
        "Validate many data sources, chosen by the filters of the list. Each is a line of JSON as soon as it is done; "
        "the last line has the totals.",
        handlers.validate_many,
        permission="validate",
        audited="validate",
        query=FILTER_PARAMETERS,
        takes_timeout=True,
        answers=((200, ""),),
        lines="ValidationLine",
        problems=(400, 413, 415, 422),
    ),
    Operation(
        "GET",
        SOURCES + "/summary",
        "summarizeDataSources",
        "data sources",
        "Count data sources by type, state and health, chosen by the filters of the list.",
        handlers.summarize,
        permission="read",
        query=FILTER_PARAMETERS,
        answers=((200, "DataSourceSummary"),),
        problems=(400, 422),
    ),
    Operation(
        "GET",
        SOURCES + "/types",
        "listTypes",
        "types",
        "List the types that are installed, and the plugins that are broken.",
        handlers.list_types,
        permission="read",
        answers=((200, "TypeList"),),
        problems=(422,),
    ),
    Operation(
        "GET",
        SOURCES + "/types/{type_name}",
        "readType",
        "types",
        "Read one type, with its JSON Schema and examples.",
        handlers.read_type,
        permission="read",
        answers=((200, "TypeDetail"),),
        problems=(404, 422),
    ),
    Operation(
        "GET",
        SOURCE,
        "readDataSource",
        "data sources",
        "Read one data source.",
        handlers.read_source,
        permission="read",
        answers=((200, "DataSourceRead"),),
        problems=(404, 409, 422),
    ),
    Operation(
        "PUT",
        SOURCE,
        "replaceDataSource",
        "data sources",
        "Replace a data source. Secrets that are left out are kept.",
        handlers.replace_source,
        permission="write",
        audited="update",
        query=(VERIFY,),
        takes_timeout=True,
        body="DataSourceCreate",
        answers=((200, "DataSourceRead"),),
        problems=(404, 412, 428, *_WRITE),
        conditional=True,
    ),
    Operation(
        "PATCH",
        SOURCE,
        "patchDataSource",
        "data sources",
        "Change a data source by a JSON Merge Patch (RFC 7396).",
        handlers.patch_source,
        permission="write",
        audited="update",
        query=(VERIFY,),
        takes_timeout=True,
        body="DataSourcePatch",
        body_types=PATCH_TYPES,
        answers=((200, "DataSourceRead"),),
        problems=(404, 412, 428, *_WRITE),
        conditional=True,
    ),
    Operation(
        "DELETE",
        SOURCE,
        "deleteDataSource",
        "data sources",
        "Delete a data source with all that belongs to it.",
        handlers.delete_source,
        permission="write",
        audited="delete",
        query=(FORCE,),
        answers=((204, ""),),
        problems=(404, 409, 412, 422, 428, 500),
        conditional=True,
    ),
    Operation(
        "POST",
        SOURCE + "/validate",
        "validateDataSource",
        "data sources",
        "Validate what is stored; changes are tried, not saved. With `Accept: application/x-ndjson`, checks come as "
        "lines while they end, and the result last.",
        handlers.validate_source,
        permission="validate",
        audited="validate",
        takes_timeout=True,
        body="ValidationRequest",
        body_required=False,
        answers=((200, "ValidationResult"),),
        problems=(400, 404, 409, 412, 413, 415, 422),
        conditional=True,
    ),
    Operation(
        "GET",
        SOURCE + "/health",
        "readHealth",
        "data sources",
        "Read the last 50 results of validating a data source, newest first.",
        handlers.read_health,
        permission="read",
        answers=((200, "HealthHistory"),),
        problems=(404, 422),
    ),
    Operation(
        "GET",
        SOURCE + "/history",
        "readHistory",
        "data sources",
        "Read the former revisions of a data source, newest first: when and by whom each was changed, and in which "
        "fields.",
        handlers.read_history,
        permission="read",
        answers=((200, "History"),),
        problems=(404, 409, 422),
    ),
    Operation(
        "POST",
        SOURCE + "/rollback",
        "rollBackDataSource",
        "data sources",
        "Restore a former revision whole, its secrets too, as a new revision.",
        handlers.roll_back,
        permission="write",
        audited="rollback",
        body="RollbackRequest",
        answers=((200, "DataSourceRead"),),
        problems=(404, 412, 428, *_WRITE),
        conditional=True,
    ),
    Operation(
        "GET",
        "/api/v1/audit",
        "readAudit",
        "audit",
        "Read who did what to which data source, newest first.",
        auditing.read_audit,
        permission="audit",
        query=AUDIT_PARAMETERS,
        answers=((200, "AuditPage"),),
        problems=(400, 422),
    ),
    Operation(
        "POST",
        "/api/v1/plugins/reload",
        "reloadPlugins",
        "types",
        "Look for plugins that were installed or removed, in all processes of the service. One that was changed is "
        "named, and used as it was until the service is restarted.",
        handlers.reload_plugins,
        permission="plugins",
        audited="reload_plugins",
        answers=((200, "PluginReload"),),
        problems=(400, 413, 415, 422),
    ),
    Operation(
        "GET",
        "/healthz",
        "healthz",
        "service",
        "Say that the process answers.",
        handlers.healthz,
        is_public=True,
        answers=((200, "Status"),),
    ),
    Operation(
        "GET",
        "/readyz",
        "readyz",
        "service",
        "Say whether the service can do its work.",
        handlers.readyz,
        is_public=True,
        answers=((200, "Readiness"), (503, "Status")),
    ),
    Operation(
        "GET",
        "/metrics",
        "readMetrics",
        "service",
        "Read the numbers of the service, as Prometheus does.",
        monitoring.metrics,
        permission="metrics",
        opened_by="metrics_public",
        in_document=False,
    ),
    Operation(
        "GET",
        "/problems/{code}",
        "readProblem",
        "service",
        "Read what a code means.",
        pages.problem_page,
        is_public=True,
        in_document=False,
    ),
    Operation(
        "GET",
        "/openapi.json",
        "openapi",
        "service",
        "Read the OpenAPI document.",
        pages.openapi_document,
        permission="read",
        is_public=True,
        in_document=False,
    ),
    Operation(
        "GET",
        "/docs",
        "docs",
        "service",
        "Read the API.",
        pages.docs_page,
        permission="read",
        is_public=True,
        in_document=False,
    ),
)
