"""Validating, shown as it happens: one data source check by check, many one by one."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncGenerator, Sequence, Set
from contextlib import aclosing
from typing import Any

from starlette.responses import HTMLResponse, Response, StreamingResponse

from wellhead.catalog.reader import is_source_id
from wellhead.ui import rendering
from wellhead.ui.asking import BrokenOffError, Operations, RefusedError, begun
from wellhead.ui.forms import Form
from wellhead.ui.guarded import page_of, see
from wellhead.ui.listing import Wanted
from wellhead.ui.states import UNREAD
from wellhead.ui.types import Types
from wellhead.ui.visits import Visit

Outcome = dict[str, Any]
"""What came of one of many: `id`, `name` and `result`, or `state` where it cannot be validated."""

_AT_ONCE = 8
_FOR_ALL = frozenset((401, 403, 429, 499, 503))
"""The statuses that are no matter of the one data source: the others would be answered so too."""

_STATES = {**UNREAD, "invalid_record": "invalid", "not_found": "gone"}
"""What is shown of a data source that cannot be validated, by the code of the answer; the code itself for others."""

_BROKEN_OFF = "The validation was broken off. Try again in a moment."
_NDJSON = "application/x-ndjson"


async def validate_many(visit: Visit, form: Form) -> Response:
    """Validate the data sources that were chosen, or all that the filters ask for.

    A script gets a line of JSON for each: its `id`, its `status`, and its `row` of the list if it is `shown` there.
    Without a script it is a page that grows.
    """
    page, wanted = page_of(visit.request), Wanted.from_form(form)
    if form.get("what") == "all":
        outcomes = page.operations.lines(visit, "/datasources/validations", query=wanted.filters.items())
    elif ids := [found for found in form.all("id") if is_source_id(found)]:
        outcomes = _one_by_one(page.operations, visit, ids)
    else:
        return see(wanted.address(notice="nothing_chosen"))
    found, types = await begun(outcomes), await page.types.of(visit)
    if visit.request.headers.get("x-part") == "lines":
        return StreamingResponse(
            _lines(page.operations, visit, types, found, shown=set(form.all("shown"))), media_type=_NDJSON
        )
    return _growing("validated.html", _rows(found), visit=visit, back=wanted.address())


async def validate_one(visit: Visit, _form: Form) -> Response:
    """Validate one data source. A script gets a line of JSON for each check, with its `html`, the result last."""
    source_id = visit.request.path_params["source_id"]
    operations = page_of(visit.request).operations
    lines = await begun(operations.lines(visit, f"/datasources/{source_id}/validate"))
    if visit.request.headers.get("x-part") == "lines":
        return StreamingResponse(check_lines(lines), media_type=_NDJSON)
    notice = "validated"
    try:
        async with aclosing(lines):
            async for _ in lines:
                pass
    except BrokenOffError:
        notice = "broken_off"
    return see(f"/sources/{source_id}?notice={notice}")


async def check_lines(lines: AsyncGenerator[dict[str, Any], None]) -> AsyncGenerator[bytes, None]:
    """Write each check of a validation, then its result, as a line of JSON with the `html` to show.

    The last one has a `status`, too; where the validation was broken off that is `broken_off`.
    """
    try:
        async with aclosing(lines):
            async for line in lines:
                html = rendering.text_of("_event.html", check=line.get("check"), result=line.get("result"))
                yield _line(html=html, **({"status": line["result"]["status"]} if "result" in line else {}))
    except BrokenOffError as error:
        yield _line(html=rendering.text_of("_broken_off.html", reason=_reason(error)), status="broken_off")


async def _one_by_one(operations: Operations, visit: Visit, ids: Sequence[str]) -> AsyncGenerator[Outcome, None]:
    """Validate some data sources, a few at once, and yield what came of each as it ends.

    Raises:
        RefusedError: None can be validated, whichever it is.
    """
    slots = asyncio.Semaphore(_AT_ONCE)

    async def validated(source_id: str) -> Outcome:
        async with slots:
            return await _outcome(operations, visit, source_id)

    works = [asyncio.create_task(validated(source_id)) for source_id in dict.fromkeys(ids)]
    try:
        for work in asyncio.as_completed(works):
            yield await work
    finally:
        for work in works:
            work.cancel()
        await asyncio.gather(*works, return_exceptions=True)


async def _outcome(operations: Operations, visit: Visit, source_id: str) -> Outcome:
    """Validate one of some; where its state does not allow that, say which it is."""
    answer = await operations.ask(visit, "POST", f"/datasources/{source_id}/validate")
    if answer.status in _FOR_ALL:
        raise RefusedError(answer)
    read = await operations.ask(visit, "GET", f"/datasources/{source_id}")
    name = read.document.get("name") if read.is_ok else None
    if answer.is_ok:
        return {"id": source_id, "name": name, "result": answer.document}
    code = answer.document["code"]
    return {"id": source_id, "name": name, "result": None, "state": _STATES.get(code, code)}


async def _lines(
    operations: Operations, visit: Visit, types: Types, outcomes: AsyncGenerator[Outcome, None], *, shown: Set[str]
) -> AsyncGenerator[bytes, None]:
    """Write each outcome as a line of JSON; where it was broken off, the last one says so (`error`)."""
    try:
        async with aclosing(outcomes):
            async for outcome in outcomes:
                if "totals" not in outcome:
                    row = await _row(operations, visit, types, outcome["id"]) if outcome["id"] in shown else None
                    yield _line(id=outcome["id"], status=_status(outcome), row=row)
    except (BrokenOffError, RefusedError) as error:
        yield _line(error=_reason(error))


async def _row(operations: Operations, visit: Visit, types: Types, source_id: str) -> str | None:
    """Write a row of the list anew; None for one that was deleted meanwhile, or cannot be read."""
    answer = await operations.ask(visit, "GET", f"/datasources/{source_id}")
    if not answer.is_ok:
        return None
    return rendering.text_of("_row.html", visit=visit, types=types, item=answer.document)


async def _rows(outcomes: AsyncGenerator[Outcome, None]) -> AsyncGenerator[str, None]:
    """Write each outcome as a row of a table, then how many there were; where it was broken off, why."""
    statuses, reason = [], None
    try:
        async with aclosing(outcomes):
            async for outcome in outcomes:
                if "totals" not in outcome:
                    statuses.append(_status(outcome))
                    yield rendering.text_of("_outcome.html", outcome=outcome, status=statuses[-1])
    except (BrokenOffError, RefusedError) as error:
        reason = _reason(error)
    yield rendering.text_of("_tally.html", statuses=statuses, reason=reason)


def _reason(error: BrokenOffError | RefusedError) -> str:
    """Say why there is no more."""
    return _BROKEN_OFF if isinstance(error, BrokenOffError) else str(error.answer.document["detail"])


def _line(**members: Any) -> bytes:
    return json.dumps(members).encode() + b"\n"


def _status(outcome: Outcome) -> str:
    """Return the status of an outcome; without a result, the state that does not allow one."""
    return str(outcome["result"]["status"] if outcome["result"] else outcome["state"])


def _growing(template: str, pieces: AsyncGenerator[str, None], **shown: Any) -> Response:
    """Answer with a page whose middle comes piece by piece."""
    before, _, after = rendering.text_of(template, **shown).partition(rendering.HERE)

    async def content() -> AsyncGenerator[str, None]:
        yield before
        async with aclosing(pieces):
            async for piece in pieces:
                yield piece
        yield after

    return StreamingResponse(content(), headers=rendering.HEADERS, media_type=HTMLResponse.media_type)
