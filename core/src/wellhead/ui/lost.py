"""Browsers that were led to what is not there: by a slip in the address, or by an old link."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from wellhead.codes import CODES
from wellhead.ui.asking import API
from wellhead.ui.guarded import problem, signed_in

_PROGRAMS = API.rpartition("/")[0]


def is_opened_in_browser(request: Request) -> bool:
    """Tell whether somebody looks at the answer: a program takes anything, and asks below `/api`."""
    path = request.scope["path"]
    is_for_programs = path == _PROGRAMS or path.startswith(f"{_PROGRAMS}/")
    return (
        request.method in {"GET", "HEAD"} and not is_for_programs and "text/html" in request.headers.get("accept", "")
    )


async def show_nothing(request: Request) -> Response:
    """Say that there is no such page; whoever has not signed in is not told even that."""
    found = await signed_in(request)
    if isinstance(found, Response):
        return found
    return problem(found, 404, CODES["not_found"].title, CODES["not_found"].remedy, "not_found")
