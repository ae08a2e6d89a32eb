"""The operations of the API. Each reads its request, calls the catalog once, and writes what comes back."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping
from typing import Any
from urllib.parse import urlencode

from fastapi import Request, Response

from wellhead.api.answers import NDJSON, Ready, as_json, as_lines, as_saved, event_documents, outcome_documents
from wellhead.api.limiting import check_rate
from wellhead.api.listing import filters_of, list_query, next_cursor
from wellhead.api.parameters import FILTER_PARAMETERS, FORCE, VERIFY, timeout_parameter
from wellhead.api.presence import while_there
from wellhead.api.query import Parameter, read_query
from wellhead.api.requests import (
    PATCH_TYPES,
    changes_in,
    expected_revision,
    object_in,
    prefers,
    read_document,
    read_optional_document,
    refuse_members,
    revision_in,
    source_id_of,
)
from wellhead.assembled import Wellhead
from wellhead.catalog.catalog import Catalog
from wellhead.catalog.types import restarts, type_changes, type_items
from wellhead.errors import WellheadError
from wellhead.plugins.installed import TypeSet
from wellhead.plugins.reports import count_states
from wellhead.service import Service
from wellhead.storage.conflicts import conflict_of
from wellhead.storage.stored import StoredDataSource
from wellhead.validation.events import Event, result_of

PREFIX = "/api/v1"


def _parts(request: Request) -> Wellhead:
    wellhead: Wellhead = request.scope["state"]["wellhead"]
    return wellhead


def _service(request: Request) -> Service:
    service: Service = request.app.state.service
    return service


def _catalog(request: Request) -> Catalog:
    return _parts(request).catalog


def _timeout(request: Request) -> Parameter:
    return timeout_parameter(_parts(request).settings.validation_timeout_max)


async def list_sources(request: Request) -> Response:
    """List data sources."""
    query = await list_query(request)
    page = await _catalog(request).list(query)
    cursor = await next_cursor(request, query, page.next)
    if cursor is None:
        return Ready(page.as_json(None))
    pairs = [(name, value) for name, value in request.query_params.multi_items() if name != "cursor"]
    link = f'<{PREFIX}/datasources?{urlencode([*pairs, ("cursor", cursor)])}>; rel="next"'
    return Ready(page.as_json(cursor), (b"link", link.encode("latin-1")))


async def summarize(request: Request) -> Response:
    """Count data sources."""
    query = filters_of(read_query(request, FILTER_PARAMETERS))
    return as_json((await _catalog(request).summary(query)).as_document())


async def create_source(request: Request) -> Response:
    """Make a data source."""
    document = await read_document(request)
    query = read_query(request, (VERIFY, _timeout(request)))
    verifying = await _verifying(request, query)
    finished = await while_there(request, _catalog(request).create(object_in(document), **verifying))
    return as_saved(finished, 201, {"Location": f"{PREFIX}/datasources/{finished[0]['id']}"})


async def read_source(request: Request) -> Response:
    """Read one data source."""
    source_id = source_id_of(request)
    shown = await _catalog(request).show(source_id)
    if shown is not None:
        read_query(request, ())
        return Ready(shown.item, (b"etag", b'"%d"' % shown.revision))
    stored = await _catalog(request).read(source_id)
    read_query(request, ())
    if stored.record is None and stored.state != "newer_format":
        raise conflict_of(stored)
    headers = {} if stored.revision is None else {"ETag": f'"{stored.revision}"'}
    return as_json(stored.as_document(), headers=headers)


async def replace_source(request: Request) -> Response:
    """Replace a data source."""
    catalog, source_id = _catalog(request), source_id_of(request)
    stored = await catalog.read(source_id)
    document = await read_document(request)
    query = read_query(request, (VERIFY, _timeout(request)))
    expected = _expected(request, stored, document)
    verifying = await _verifying(request, query)
    work = catalog.replace(source_id, object_in(document), expected=expected, **verifying)
    return as_saved(await while_there(request, work))


async def patch_source(request: Request) -> Response:
    """Change a data source."""
    catalog, source_id = _catalog(request), source_id_of(request)
    stored = await catalog.read(source_id)
    patch = await read_document(request, PATCH_TYPES)
    query = read_query(request, (VERIFY, _timeout(request)))
    expected = _expected(request, stored, patch)
    verifying = await _verifying(request, query)
    work = catalog.patch(source_id, object_in(patch), expected=expected, **verifying)
    return as_saved(await while_there(request, work))


async def delete_source(request: Request) -> Response:
    """Delete a data source."""
    catalog, source_id = _catalog(request), source_id_of(request)
    stored = await catalog.read(source_id)
    query = read_query(request, (FORCE,))
    expected = _expected(request, stored)
    await catalog.delete(source_id, expected=expected, force=query.get("force") == "true")
    return Response(status_code=204)


async def validate_source(request: Request) -> Response:
    """Validate what is stored, with changes that are not saved."""
    catalog, source_id = _catalog(request), source_id_of(request)
    stored = await catalog.read(source_id)
    body = await read_optional_document(request)
    timeout = read_query(request, (_timeout(request),)).get("timeout")
    expected = expected_revision(request, stored.revision)
    events = await catalog.stream_validation(source_id, changes_in(body), expected=expected, timeout=timeout)
    return await _as_validated(request, events)


async def validate_new(request: Request) -> Response:
    """Validate a configuration without saving it."""
    document = await read_document(request)
    timeout = read_query(request, (_timeout(request),)).get("timeout")
    return await _as_validated(request, await _catalog(request).stream_new(object_in(document), timeout=timeout))


async def validate_many(request: Request) -> Response:
    """Validate many data sources, and stream what comes of each."""
    body = await read_optional_document(request)
    query = read_query(request, (*FILTER_PARAMETERS, _timeout(request)))
    refuse_members(body, ())
    catalog = _catalog(request)
    chosen = await catalog.select(filters_of(query))
    return as_lines(outcome_documents(catalog.validate_many(chosen, timeout=query.get("timeout"))))


async def read_health(request: Request) -> Response:
    """Read the last results of a data source."""
    source_id = source_id_of(request)
    results = await _catalog(request).health(source_id)
    read_query(request, ())
    return as_json({"items": results})


async def read_history(request: Request) -> Response:
    """Read the former revisions of a data source."""
    source_id = source_id_of(request)
    items = await _catalog(request).history(source_id)
    read_query(request, ())
    return as_json({"items": items})


async def roll_back(request: Request) -> Response:
    """Restore a former revision of a data source."""
    catalog, source_id = _catalog(request), source_id_of(request)
    stored = await catalog.read(source_id)
    document = await read_document(request)
    read_query(request, ())
    expected = _expected(request, stored)
    return as_saved(await catalog.rollback(source_id, revision_in(document), expected=expected))


async def list_types(request: Request) -> Response:
    """List the types, installed or broken."""
    read_query(request, ())
    return Ready(request.app.state.type_list())


async def read_type(request: Request) -> Response:
    """Read one type."""
    found = _catalog(request).type(request.path_params["type_name"])
    read_query(request, ())
    return as_json(found)


async def reload_plugins(request: Request) -> Response:
    """Look for plugins that were installed or removed, in all processes of the service."""
    body = await read_optional_document(request)
    read_query(request, ())
    refuse_members(body, ())
    before = _service(request).types
    now: TypeSet = (await request.app.state.reload()).types
    changes = type_changes(before.registry, now.registry)
    items = type_items(now.registry, now.reports)
    return as_json({**changes, "needs_restart": restarts(now.reports), "items": items})


async def healthz(_request: Request) -> Response:
    """Say that the process answers."""
    return as_json({"status": "ok"})


async def readyz(request: Request) -> Response:
    """Say whether the store and the key ring can be used, and count the plugins; the reasons are in the log only."""
    if getattr(request.state, "is_stopping", False):
        return as_json({"status": "stopping"}, 503)
    try:
        status = await _service(request).check()
        return as_json({"status": status, "plugins": count_states(_service(request).types.reports)})
    except WellheadError:
        return as_json({"status": "not ready"}, 503, {"Retry-After": "1"})


async def _as_validated(request: Request, events: AsyncGenerator[Event, None]) -> Response:
    """Answer with the result of a validation, or with each check as it ends, where that is accepted."""
    if prefers(request, NDJSON, "application/json"):
        return as_lines(event_documents(events))
    return as_json((await while_there(request, result_of(events))).as_document())


async def _verifying(request: Request, query: Mapping[str, Any]) -> dict[str, Any]:
    """Return whether a data source is saved only if it validates, and in what time; that counts as a validation too."""
    verify = query.get("verify") == "true"
    if verify:
        await check_rate(_service(request).limits, "validate", request.state.principal)
    return {"verify": verify, "timeout": query.get("timeout")}


def _expected(request: Request, stored: StoredDataSource, body: Any = None) -> int | None:
    """Return the revision that `If-Match` asks for; a revision in the body is a condition too."""
    has_revision = isinstance(body, Mapping) and body.get("revision") is not None
    is_required = _parts(request).settings.require_if_match and not has_revision
    return expected_revision(request, stored.revision, is_required=is_required)
