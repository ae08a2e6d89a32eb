"""Validating, shown as it happens: one data source check by check, many one by one."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import Any

from starlette.responses import HTMLResponse, Response, StreamingResponse

from wellhead.ui import rendering
from wellhead.ui.asking import Operations, RefusedError, begun
from wellhead.ui.forms import Form
from wellhead.ui.guarded import page_of, see
from wellhead.ui.listing import FILTERS
from wellhead.ui.types import Types
from wellhead.ui.visits import Visit

Outcome = dict[str, Any]
"""What came of one of many: `id`, `name` and `result`, or `state` where it cannot be validated."""

_AT_ONCE = 8
_NDJSON = "application/x-ndjson"


async def validate_many(visit: Visit, form: Form) -> Response:
    """Validate the data sources that were chosen, or all that the filters ask for.

    A script gets a line of JSON for each: its `id`, its `status`, and its `row` of the list. Without a script it is a
    page that grows.
    """
    page = page_of(visit.request)
    if form.get("what") == "all":
        query = [(name, form.get(name)) for name in FILTERS if form.get(name)]
        outcomes = page.operations.lines(visit, "/datasources/validations", query=query)
    elif ids := form.all("id"):
        outcomes = _one_by_one(page.operations, visit, ids)
    else:
        return see("/")
    found, types = await begun(outcomes), await page.types.of(visit)
    if visit.request.headers.get("x-part") == "lines":
        return StreamingResponse(_lines(page.operations, visit, types, found), media_type=_NDJSON)
    return _growing("validated.html", visit, _rows(types, found))


async def validate_one(visit: Visit, _form: Form) -> Response:
    """Validate one data source. A script gets a line of JSON for each check, with its `html`, the result last."""
    source_id = visit.request.path_params["source_id"]
    operations = page_of(visit.request).operations
    lines = await begun(operations.lines(visit, f"/datasources/{source_id}/validate"))
    if visit.request.headers.get("x-part") == "lines":
        return StreamingResponse(check_lines(lines), media_type=_NDJSON)
    async with aclosing(lines):
        async for _ in lines:
            pass
    return see(f"/sources/{source_id}")


async def check_lines(lines: AsyncGenerator[dict[str, Any], None]) -> AsyncGenerator[bytes, None]:
    """Write each check of a validation, then its result, as a line of JSON with the `html` to show."""
    async with aclosing(lines):
        async for line in lines:
            html = rendering.text_of("_event.html", check=line.get("check"), result=line.get("result"))
            more = {"status": line["result"]["status"]} if "result" in line else {}
            yield json.dumps({"html": html, **more}).encode() + b"\n"


async def _one_by_one(operations: Operations, visit: Visit, ids: Sequence[str]) -> AsyncGenerator[dict[str, Any], None]:
    """Validate some data sources, a few at once, and yield what came of each as it ends."""
    slots = asyncio.Semaphore(_AT_ONCE)

    async def validated(source_id: str) -> Outcome:
        async with slots:
            answer = await operations.ask(visit, "POST", f"/datasources/{source_id}/validate")
        if answer.is_ok:
            return {"id": source_id, "result": answer.document}
        return {"id": source_id, "result": None, "state": answer.document["code"]}

    works = [asyncio.create_task(validated(source_id)) for source_id in dict.fromkeys(ids)]
    try:
        for work in asyncio.as_completed(works):
            yield await work
    finally:
        for work in works:
            work.cancel()


async def _lines(
    operations: Operations, visit: Visit, types: Types, outcomes: AsyncGenerator[Outcome, None]
) -> AsyncGenerator[bytes, None]:
    async with aclosing(outcomes):
        async for outcome in outcomes:
            if "totals" in outcome:
                continue
            try:
                item = await operations.read(visit, f"/datasources/{outcome['id']}")
            except RefusedError:  # it was deleted meanwhile, or cannot be read
                item = None
            row = None if item is None else rendering.text_of("_row.html", visit=visit, types=types, item=item)
            yield json.dumps({"id": outcome["id"], "status": _status(outcome), "row": row}).encode() + b"\n"


async def _rows(types: Types, outcomes: AsyncGenerator[Outcome, None]) -> AsyncGenerator[str, None]:
    async with aclosing(outcomes):
        async for outcome in outcomes:
            if "totals" not in outcome:
                yield rendering.text_of("_outcome.html", outcome=outcome, status=_status(outcome), types=types)


def _status(outcome: Outcome) -> str:
    """Return the status of an outcome; without a result, the state that does not allow one."""
    return str(outcome["result"]["status"] if outcome["result"] else outcome["state"])


def _growing(template: str, visit: Visit, pieces: AsyncGenerator[str, None]) -> Response:
    """Answer with a page whose middle comes piece by piece."""
    before, _, after = rendering.text_of(template, visit=visit).partition(rendering.HERE)

    async def content() -> AsyncGenerator[str, None]:
        yield before
        async with aclosing(pieces):
            async for piece in pieces:
                yield piece
        yield after

    return StreamingResponse(content(), headers=rendering.HEADERS, media_type=HTMLResponse.media_type)
