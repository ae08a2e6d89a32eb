"""The operations of the API. Each reads its request, calls the catalog once, and writes what comes back."""

from __future__ import annotations

import json
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import aclosing
from typing import Any
from urllib.parse import urlencode

from fastapi import Request, Response
from fastapi.responses import StreamingResponse

from wellhead.api.query import (
    FILTER_PARAMETERS,
    FORCE,
    VERIFY,
    Parameter,
    filters_of,
    list_query,
    read_query,
    timeout_parameter,
)
from wellhead.api.requests import (
    PATCH_TYPES,
    expected_revision,
    read_document,
    read_optional_document,
    source_id_of,
)
from wellhead.assembly import Wellhead
from wellhead.catalog.catalog import Catalog, Finished
from wellhead.catalog.outcomes import Outcome, totals_of
from wellhead.catalog.types import type_list
from wellhead.errors import InputError, InputProblem, WellheadError
from wellhead.model.problems import unknown_key
from wellhead.model.result import ValidationResult
from wellhead.storage.conflicts import conflict_of
from wellhead.storage.stored import StoredDataSource
from wellhead.validation.service import Event

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
    expected = _expected(request, stored, document)
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
    expected = _expected(request, stored, patch)
    verify = query.get("verify") == "true"
    return _saved(await catalog.patch(source_id, patch, expected=expected, verify=verify, timeout=query.get("timeout")))


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


async def validate_many(request: Request) -> Response:
    """Validate many data sources, and stream what comes of each."""
    _refuse_members(await read_optional_document(request), ())
    query = read_query(request, (*FILTER_PARAMETERS, _timeout(request)))
    catalog = _catalog(request)
    chosen = await catalog.select(filters_of(query))
    return StreamingResponse(
        _outcome_lines(catalog.validate_many(chosen, timeout=query.get("timeout"))), media_type=NDJSON
    )


async def read_health(request: Request) -> Response:
    """Read the last results of a data source."""
    source_id = source_id_of(request)
    results = await _catalog(request).health(source_id)
    read_query(request, ())
    return _json({"items": results})


async def read_history(request: Request) -> Response:
    """Read the former revisions of a data source."""
    source_id = source_id_of(request)
    items = await _catalog(request).history(source_id)
    read_query(request, ())
    return _json({"items": items})


async def roll_back(request: Request) -> Response:
    """Restore a former revision of a data source."""
    catalog, source_id = _catalog(request), source_id_of(request)
    stored = await catalog.read(source_id)
    document = await read_document(request)
    read_query(request, ())
    expected = _expected(request, stored)
    return _saved(await catalog.rollback(source_id, _revision(document), expected=expected))


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
        return _json({"status": await _parts(request).check()})
    except WellheadError:
        return _json({"status": "not ready"}, 503, {"Retry-After": "1"})


def _expected(request: Request, stored: StoredDataSource, body: Mapping[str, Any] | None = None) -> int | None:
    """Return the revision that `If-Match` asks for; a revision in the body is a condition too."""
    is_required = _parts(request).settings.require_if_match and (body or {}).get("revision") is None
    return expected_revision(request, stored.revision, is_required=is_required)


def _changes(body: dict[str, Any]) -> dict[str, Any]:
    """Take the changes out of the body of a validation."""
    _refuse_members(body, ("changes",))
    changes = body.get("changes", {})
    if not isinstance(changes, dict):
        raise InputError([InputProblem("/changes", "wrong_type", "Must be an object.")])
    return changes


def _refuse_members(body: dict[str, Any], known: Sequence[str]) -> None:
    unknown = [unknown_key(key, known) for key in body if key not in known]
    if unknown:
        raise InputError(unknown)


def _revision(body: dict[str, Any]) -> int:
    """Take the revision out of the body of a rollback."""
    problems = [unknown_key(key, ["revision"]) for key in body if key != "revision"]
    revision = body.get("revision")
    if revision is None:
        problems.append(InputProblem("/revision", "required", "The field is required."))
    elif type(revision) is not int:
        problems.append(InputProblem("/revision", "wrong_type", "Must be an integer."))
    elif revision < 1:
        problems.append(InputProblem("/revision", "out_of_range", "Must be 1 or more."))
    if problems:
        raise InputError(problems)
    return int(body["revision"])


async def _result(events: AsyncGenerator[Event, None]) -> dict[str, Any]:
    async with aclosing(events):
        async for event in events:
            if isinstance(event, ValidationResult):
                return event.as_document()
    raise RuntimeError("a validation always ends with its result")


async def _lines(events: AsyncGenerator[Event, None]) -> AsyncIterator[bytes]:
    async with aclosing(events):
        async for event in events:
            yield _line({"result" if isinstance(event, ValidationResult) else "check": event.as_document()})


async def _outcome_lines(outcomes: AsyncGenerator[Outcome, None]) -> AsyncIterator[bytes]:
    seen = []
    async with aclosing(outcomes):
        async for outcome in outcomes:
            seen.append(outcome.status)
            yield _line(outcome.as_document())
    yield _line({"totals": totals_of(seen)})


def _line(document: dict[str, Any]) -> bytes:
    return json.dumps(document, ensure_ascii=False).encode("utf-8") + b"\n"
