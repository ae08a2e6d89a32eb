"""The operations of the API. Each reads its request, calls the catalog once, and writes what comes back."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import urlencode

from fastapi import Request, Response
from fastapi.responses import StreamingResponse

from wellhead.api.query import FORCE, VERIFY, Parameter, list_query, read_query, timeout_parameter
from wellhead.api.requests import (
    PATCH_TYPES,
    expected_revision,
    read_document,
    read_optional_document,
    source_id_of,
)
from wellhead.assembly import Wellhead
from wellhead.catalog.catalog import Catalog, Finished
from wellhead.catalog.types import type_list
from wellhead.errors import InputError, InputProblem, WellheadError
from wellhead.model.problems import unknown_key
from wellhead.model.result import Check, ValidationResult
from wellhead.storage.service import conflict_of

PREFIX = "/api/v1"
NDJSON = "application/x-ndjson"


def _parts(request: Request) -> Wellhead:
    wellhead: Wellhead = request.app.state.wellhead
    return wellhead


def _catalog(request: Request) -> Catalog:
    return _parts(request).catalog


def _timeout(request: Request) -> Parameter:
    return timeout_parameter(_parts(request).settings.validation_timeout_max)


def _json(document: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    content = json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode("utf-8")
    return Response(content, status, headers, media_type="application/json")


def _saved(finished: Finished, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    document, revision = finished
    return _json(document, status, {"ETag": f'"{revision}"', **(headers or {})})


async def list_sources(request: Request) -> Response:
    """List data sources."""
    query = list_query(request)
    page = await _catalog(request).list(query)
    headers = {}
    if page.next is not None:
        pairs = [(name, value) for name, value in request.query_params.multi_items() if name != "cursor"]
        headers["Link"] = f'<{PREFIX}/datasources?{urlencode([*pairs, ("cursor", page.next)])}>; rel="next"'
    return Response(page.as_json(), headers=headers, media_type="application/json")


async def create_source(request: Request) -> Response:
    """Make a data source."""
    document = await read_document(request)
    query = read_query(request, (VERIFY, _timeout(request)))
    finished = await _catalog(request).create(
        document, verify=query.get("verify") == "true", timeout=query.get("timeout")
    )
    return _saved(finished, 201, {"Location": f"{PREFIX}/datasources/{finished[0]['id']}"})


async def read_source(request: Request) -> Response:
    """Read one data source."""
    source_id = source_id_of(request)
    shown = await _catalog(request).show(source_id)
    if shown is not None:
        read_query(request, ())
        return Response(shown.item, headers={"ETag": f'"{shown.revision}"'}, media_type="application/json")
    stored = await _catalog(request).read(source_id)
    read_query(request, ())
    if stored.record is None and stored.state != "newer_format":
        raise conflict_of(stored)
    headers = {} if stored.revision is None else {"ETag": f'"{stored.revision}"'}
    return _json(stored.as_document(), headers=headers)


async def replace_source(request: Request) -> Response:
    """Replace a data source."""
    catalog, source_id = _catalog(request), source_id_of(request)
    stored = await catalog.read(source_id)
    document = await read_document(request)
    query = read_query(request, (VERIFY, _timeout(request)))
    expected = expected_revision(request, stored.revision)
    verify = query.get("verify") == "true"
    return _saved(
        await catalog.replace(source_id, document, expected=expected, verify=verify, timeout=query.get("timeout"))
    )


async def patch_source(request: Request) -> Response:
    """Change a data source."""
    catalog, source_id = _catalog(request), source_id_of(request)
    stored = await catalog.read(source_id)
    patch = await read_document(request, PATCH_TYPES)
    query = read_query(request, (VERIFY, _timeout(request)))
    expected = expected_revision(request, stored.revision)
    verify = query.get("verify") == "true"
    return _saved(await catalog.patch(source_id, patch, expected=expected, verify=verify, timeout=query.get("timeout")))


async def delete_source(request: Request) -> Response:
    """Delete a data source."""
    catalog, source_id = _catalog(request), source_id_of(request)
    stored = await catalog.read(source_id)
    query = read_query(request, (FORCE,))
    expected = expected_revision(request, stored.revision)
    await catalog.delete(source_id, expected=expected, force=query.get("force") == "true")
    return Response(status_code=204)


async def validate_source(request: Request) -> Response:
    """Validate what is stored, with changes that are not saved."""
    catalog, source_id = _catalog(request), source_id_of(request)
    await catalog.read(source_id)
    changes = _changes(await read_optional_document(request))
    timeout = read_query(request, (_timeout(request),)).get("timeout")
    events = await catalog.stream_validation(source_id, changes, timeout=timeout)
    if NDJSON in request.headers.get("accept", ""):
        return StreamingResponse(_lines(events), media_type=NDJSON)
    return _json(await _result(events))


async def validate_new(request: Request) -> Response:
    """Validate a configuration without saving it."""
    document = await read_document(request)
    timeout = read_query(request, (_timeout(request),)).get("timeout")
    result = await _catalog(request).validate_new(document, timeout=timeout)
    return _json(result.as_document())


async def read_health(request: Request) -> Response:
    """Read the last results of a data source."""
    source_id = source_id_of(request)
    results = await _catalog(request).health(source_id)
    read_query(request, ())
    return _json({"items": results})


async def list_types(request: Request) -> Response:
    """List the types, installed or broken."""
    read_query(request, ())
    return _json(type_list(_catalog(request).types()))


async def read_type(request: Request) -> Response:
    """Read one type."""
    found = _catalog(request).type(request.path_params["type_name"])
    read_query(request, ())
    return _json(found)


async def healthz(_request: Request) -> Response:
    """Say that the process answers."""
    return _json({"status": "ok"})


async def readyz(request: Request) -> Response:
    """Say whether the store and the key ring can be used; the reasons are in the log only."""
    try:
        await _parts(request).check()
    except WellheadError:
        return _json({"status": "not ready"}, 503, {"Retry-After": "1"})
    return _json({"status": "ready"})


def _changes(body: dict[str, Any]) -> dict[str, Any]:
    """Take the changes out of the body of a validation."""
    unknown = [unknown_key(key, ["changes"]) for key in body if key != "changes"]
    changes = body.get("changes", {})
    if not isinstance(changes, dict):
        unknown.append(InputProblem("/changes", "wrong_type", "Must be an object."))
    if unknown:
        raise InputError(unknown)
    return dict(changes)


async def _result(events: AsyncIterator[Check | ValidationResult]) -> dict[str, Any]:
    async for event in events:
        if isinstance(event, ValidationResult):
            return event.as_document()
    raise RuntimeError("a validation always ends with its result")


async def _lines(events: AsyncIterator[Check | ValidationResult]) -> AsyncIterator[bytes]:
    async for event in events:
        name = "result" if isinstance(event, ValidationResult) else "check"
        yield json.dumps({name: event.as_document()}, ensure_ascii=False).encode("utf-8") + b"\n"
