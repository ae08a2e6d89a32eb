"""Operations with an entry in the audit log, and reading that log."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import replace
from typing import Any

from fastapi import Request, Response

from wellhead.access.audit import Request as AuditedRequest
from wellhead.access.audit import request_audited
from wellhead.access.audit_query import AuditQuery
from wellhead.api.answers import as_json
from wellhead.api.cursors import cursor_for, place_in
from wellhead.api.parameters import AUDIT_PARAMETERS
from wellhead.api.problems import HttpProblem
from wellhead.api.query import read_query
from wellhead.assembled import Wellhead
from wellhead.catalog.reader import is_source_id
from wellhead.errors import WellheadError
from wellhead.problem_details import problem_of

_FAILED = 500


async def audited(
    request: Request, name: str, answer: Callable[[Request], Awaitable[Response]], *, is_change: bool
) -> Response:
    """Answer a request, and write who asked for what, and how that went.

    Args:
        request: The request.
        name: What is asked for, as the audit log calls it.
        answer: What answers.
        is_change: Whether the entry is to be on disk before the answer is given.
    """
    state = request.state
    about = AuditedRequest(state.request_id, None if request.client is None else request.client.host)
    went: dict[str, Any] = {"outcome": "failed", "status": _FAILED, "code": "internal_error"}
    try:
        with request_audited(about):
            response = await answer(request)
        went = {"outcome": "done", "status": response.status_code, "code": None}
        return response
    except HttpProblem as problem:
        went = _went(problem.status, problem.code)
        raise
    except WellheadError as error:
        document = problem_of(error)
        went = _went(document["status"], document["code"])
        raise
    finally:
        known = {} if about.changed is not None else await _source_of(request)
        audit = state.wellhead.audit
        await audit.answered(audit.entry(name, about, **known, **went), wait=is_change)


async def read_audit(request: Request) -> Response:
    """Read the audit log of the workspace."""
    wellhead: Wellhead = request.state.wellhead
    query = read_query(request, AUDIT_PARAMETERS)
    cursor = query.pop("cursor", None)
    wanted = {{"from": "since", "to": "until"}.get(name, name): value for name, value in query.items()}
    asked = AuditQuery(workspace=wellhead.audit.workspace, **wanted)
    about = f"audit log: {replace(asked, limit=None)}"
    if cursor is not None:
        asked = replace(asked, before=await place_in(request, about, cursor))
    page = await wellhead.audit.page(asked)
    following = None if page.next is None else await cursor_for(request, about, page.next)
    return as_json({"items": page.items, "next": following})


def _went(status: int, code: str) -> dict[str, Any]:
    return {"outcome": "failed" if status >= _FAILED else "refused", "status": status, "code": code}


async def _source_of(request: Request) -> dict[str, Any]:
    """Return what is known of the data source that a request names."""
    source_id = request.path_params.get("source_id", "")
    if not is_source_id(source_id):
        return {}
    with suppress(WellheadError):
        stored = await request.state.wellhead.catalog.read(source_id)
        return {"id": source_id, "name": stored.name, "revision": stored.revision}
    return {"id": source_id}
