"""The counts of data sources: those who ask while they are counted wait for that, and make no second work of it."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from starlette.requests import Request

from wellhead.access.principal import Principal
from wellhead.ui.asking import Operations, RefusedError
from wellhead.ui.last_summaries import LastSummaries
from wellhead.ui.visits import Visit

pytestmark = pytest.mark.anyio


class Counting:
    """An API that counts until it is told to answer, and counts how often it was asked."""

    def __init__(self, *statuses: int) -> None:
        self.statuses = list(statuses)
        self.asked = 0
        self.may_answer = asyncio.Event()

    async def __call__(self, _scope: Any, _receive: Any, send: Any) -> None:
        self.asked += 1
        total = self.asked
        await self.may_answer.wait()
        await send({"type": "http.response.start", "status": self.statuses.pop(0), "headers": []})
        await send({"type": "http.response.body", "body": json.dumps({"total": total, "items": []}).encode()})


def visit_of(workspace: str) -> Visit:
    scope = {"type": "http", "headers": [(b"host", b"localhost")], "state": {"request_id": "x"}}
    principal = Principal("ann", workspace, "viewer")
    return Visit(Request(scope), principal, "token", "csrf")


async def asked(app: Counting, *workspaces: str) -> list[Any]:
    summaries = LastSummaries(Operations(app))
    works = [asyncio.create_task(summaries.now(visit_of(workspace))) for workspace in workspaces]
    await asyncio.sleep(0)  # each of them has asked, or waits
    app.may_answer.set()
    return await asyncio.gather(*works, return_exceptions=True)


async def test_who_asks_while_a_workspace_is_counted_gets_what_comes_of_it() -> None:
    app = Counting(200, 200)
    found = await asked(app, "red", "red", "red", "blue")
    assert [of["total"] for of in found] == [1, 1, 1, 2]
    assert app.asked == 2


async def test_who_waited_for_a_count_that_was_refused_asks_anew() -> None:
    first, second, third = await asked(Counting(429, 200), "red", "red", "red")
    assert isinstance(first, RefusedError)
    assert (second["total"], third["total"]) == (2, 2)
