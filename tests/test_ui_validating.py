"""Streams of validations that end before their end."""

import asyncio
import json
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, MutableMapping
from typing import Any, cast

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import StreamingResponse

from wellhead.access.principal import Principal
from wellhead.ui.asking import BrokenOffError, Operations
from wellhead.ui.forms import Form
from wellhead.ui.guarded import Page, answered
from wellhead.ui.types import KnownTypes
from wellhead.ui.validating import check_lines, validate_many
from wellhead.ui.visits import Visit

pytestmark = pytest.mark.anyio

Scope = MutableMapping[str, Any]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
CHECK = {"name": "connect", "status": "passed", "code": None, "message": None, "hint": None, "duration_ms": 1.0}
OUTCOME = {"id": "1", "name": "warehouse", "result": {"status": "passed", "checks": []}}


def visit(operations: Operations | None = None, **headers: str) -> Visit:
    asked = cast("Operations", operations)
    unused = dict.fromkeys(("service", "tickets", "summaries"))
    page = Page(**cast("Any", unused), operations=asked, types=KnownTypes(asked))
    app = Starlette()
    app.state.page = page
    fields = [(name.replace("_", "-").encode(), text.encode()) for name, text in {"host": "a", **headers}.items()]
    request = Request(
        {"type": "http", "method": "POST", "path": "/validate", "headers": fields, "query_string": b"", "app": app}
    )
    request.state.request_id = "1"
    return Visit(request, Principal("ann", "red", "editor"), "t", "c")


def service(*lines: Mapping[str, Any], is_whole: bool) -> Operations:
    """Return operations of a service whose gate, as the real one, ends an answer that failed without its last part."""

    async def app(scope: Scope, _receive: Any, send: Send) -> None:
        is_get = scope["method"] == "GET"
        status = 404 if is_get and not scope["path"].endswith("types") else 200
        await send({"type": "http.response.start", "status": status, "headers": []})
        for line in [{"items": []}] if is_get else lines:
            await send({"type": "http.response.body", "body": json.dumps(line).encode() + b"\n", "more_body": True})
        if is_whole or is_get:
            await send({"type": "http.response.body", "body": b"", "more_body": False})

    return Operations(app)


async def validated(operations: Operations, **headers: str) -> str:
    """Validate all there is; return the whole answer."""
    answer = await validate_many(visit(operations, **headers), Form([("what", "all")]))
    assert isinstance(answer, StreamingResponse)
    return "".join([part if isinstance(part, str) else bytes(part).decode() async for part in answer.body_iterator])


async def collected(stream: AsyncGenerator[Any, None]) -> list[Any]:
    return [item async for item in stream]


async def test_a_stream_that_was_broken_off_is_told_from_one_that_is_whole() -> None:
    assert await collected(service({"a": 1}, is_whole=True).lines(visit(), "/x")) == [{"a": 1}]
    with pytest.raises(BrokenOffError):
        await collected(service({"a": 1}, is_whole=False).lines(visit(), "/x"))


async def test_a_stream_ends_with_its_reader_however_much_waits_to_be_read() -> None:
    before = asyncio.all_tasks()
    lines = service(*[{"a": 1}] * 500, is_whole=True).lines(visit(), "/x")
    assert await anext(lines) == {"a": 1}
    await asyncio.sleep(0)
    _, waiting = await asyncio.wait([asyncio.ensure_future(lines.aclose())], timeout=5)
    assert not waiting
    assert asyncio.all_tasks() == before


async def test_a_stream_that_is_broken_off_before_its_first_line_is_a_page_about_it() -> None:
    visitor = visit(service(is_whole=False))
    answer = await answered(visitor, validate_many(visitor, Form([("what", "all")])))
    assert (answer.status_code, b"broken off" in answer.body) == (503, True)


async def test_what_is_no_id_is_not_asked_of_the_api() -> None:
    for text in ("", "../x", "summary", "types/csv", "a%2fb"):
        answer = await validate_many(visit(), Form([("what", "chosen"), ("id", text)]))
        assert answer.headers["location"] == "/?notice=nothing_chosen"


async def test_a_script_is_told_in_the_last_line_that_a_validation_was_broken_off() -> None:
    lines = service({"check": CHECK}, is_whole=False).lines(visit(), "/x")
    first, last = [json.loads(line) for line in await collected(check_lines(lines))]
    assert "connect" in first["html"]
    assert "status" not in first
    assert last["status"] == "broken_off"
    assert "Try again" in last["html"]


async def test_where_validating_many_was_broken_off_the_page_ends_and_says_so() -> None:
    whole, broken = [
        await validated(service(OUTCOME, *([{"totals": {}}] if is_whole else []), is_whole=is_whole))
        for is_whole in (True, False)
    ]
    for page in (whole, broken):
        assert "warehouse" in page
        assert "1 validated: 1 work, 0 do not." in page
        assert page.endswith("</html>")
    assert "broken off" in broken
    assert "broken off" not in whole


async def test_where_validating_many_was_broken_off_a_script_is_told_in_the_last_line() -> None:
    lines = (await validated(service(OUTCOME, is_whole=False), x_part="lines")).splitlines()
    assert [sorted(json.loads(line)) for line in lines] == [["id", "row", "status"], ["error"]]
