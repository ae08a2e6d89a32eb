"""Browsers that were led to what is not there: by a slip in the address, or by an old link."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from wellhead.codes import CODES
from wellhead.ui.guarded import problem, signed_in


async def show_nothing(request: Request) -> Response:
    """Say that there is no such page; whoever has not signed in is not told even that."""
    found = await signed_in(request)
    if isinstance(found, Response):
        return found
    return problem(found, 404, CODES["not_found"].title, CODES["not_found"].remedy, "not_found")
