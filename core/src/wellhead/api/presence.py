"""Whether the client of a request is still there."""

from __future__ import annotations

from collections.abc import Coroutine
from typing import Any, TypeVar

from fastapi import Request

from wellhead.api.problems import HttpProblem
from wellhead.validation.events import AbandonedError, abandoned_when

T = TypeVar("T")
_CLIENT_GONE = 499


async def while_there(request: Request, work: Coroutine[Any, Any, T]) -> T:
    """Do what may wait for a validation; that is ended when the client goes away, and nothing is done after it.

    Args:
        request: The request, its body read.
        work: What to do. What it does besides validating is not broken off.

    Raises:
        HttpProblem: 499, which is for the logs: nobody reads it.
    """

    async def gone() -> None:
        while (await request.receive())["type"] != "http.disconnect":
            pass

    with abandoned_when(gone):
        try:
            return await work
        except AbandonedError:
            raise HttpProblem(_CLIENT_GONE, "client_gone") from None
