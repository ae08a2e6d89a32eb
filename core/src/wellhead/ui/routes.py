"""The routes of the page. What answers to them needs no token: it asks for a session itself.

It is imported when somebody first looks at a page: many services answer programs only.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Literal

from starlette.requests import Request
from starlette.responses import Response

Endpoint = Callable[[Request], Awaitable[Response]]
SIGN_IN = "/sign-in"
_ROLLBACK = "/sources/{source_id}/rollback/{revision}"
_PROGRAMS = "/api"


@dataclass(frozen=True, slots=True)
class Route:
    """One route.

    Attributes:
        method: The HTTP method.
        path: The path, with parameters in braces.
        name: What logs and metrics call it.
        endpoint: What answers.
    """

    method: str
    path: str
    name: str
    endpoint: Endpoint


def _later(place: str, guard: Literal["shown", "posted"] | None = None) -> Endpoint:
    """Return an endpoint that is imported, in a thread, when it is first asked.

    Args:
        place: Module and name, below `wellhead.ui`.
        guard: What of `wellhead.ui.guarded` makes the endpoint of it; None where it is one.
    """
    loaded: list[Endpoint] = []

    async def endpoint(request: Request) -> Response:
        if not loaded:
            loaded.append(await asyncio.to_thread(_load, place, guard))
        return await loaded[0](request)

    return endpoint


def _load(place: str, guard: str | None) -> Endpoint:
    found: Endpoint = _named(place)
    return found if guard is None else _named(f"guarded:{guard}")(found)


def _named(place: str) -> Any:
    module, _, name = place.partition(":")
    return getattr(import_module(f"wellhead.ui.{module}"), name)


def _page(path: str, name: str, place: str) -> Route:
    return Route("GET", path, name, _later(place, "shown"))


def _form(path: str, name: str, place: str) -> Route:
    return Route("POST", path, name, _later(place, "posted"))


ROUTES = (
    _page("/", "page.list", "listing:show_list"),
    Route("GET", SIGN_IN, "page.sign_in", _later("signing_in:show_sign_in")),
    Route("POST", SIGN_IN, "page.sign_in", _later("signing_in:sign_in")),
    _form("/sign-out", "page.sign_out", "signing_in:sign_out"),
    _form("/validate", "page.validate_many", "validating:validate_many"),
    _form("/sources/{source_id}/validate", "page.validate", "validating:validate_one"),
    _page("/sources/{source_id}", "page.source", "source:show_source"),
    _page("/sources/{source_id}/delete", "page.delete", "deleting:ask_deletion"),
    _form("/sources/{source_id}/delete", "page.delete", "deleting:delete"),
    _page(_ROLLBACK, "page.rollback", "rolling_back:ask_rollback"),
    _form(_ROLLBACK, "page.rollback", "rolling_back:roll_back"),
    _page("/summary", "page.summary", "summary:show_summary"),
    _page("/plugins", "page.plugins", "plugins:show_plugins"),
    _form("/plugins/reload", "page.reload", "plugins:reload"),
    _page("/plugins/{type_name}", "page.type", "plugins:show_type"),
    _page("/audit", "page.audit", "audit:show_audit"),
    _page("/add", "page.choose_type", "adding:choose_type"),
    _page("/add/{type_name}", "page.add", "adding:show_new"),
    _form("/add/{type_name}", "page.add", "adding:create"),
    _form("/add/{type_name}/validate", "page.validate_new", "adding:validate_new"),
    _form("/add/{type_name}/connection-string", "page.take_apart", "adding:take_apart"),
    _page("/sources/{source_id}/edit", "page.edit", "editing:show_edit"),
    _form("/sources/{source_id}/edit", "page.edit", "editing:save"),
    _form("/sources/{source_id}/edit/validate", "page.validate_edit", "editing:validate_edit"),
    _form("/sources/{source_id}/edit/settle", "page.settle", "editing:settle"),
    Route("GET", "/favicon.ico", "page.static", _later("static_files:favicon")),
    Route("GET", "/static/{version}/{name:path}", "page.static", _later("static_files:static_file")),
)
_ENDPOINTS = frozenset(route.endpoint for route in ROUTES)

show_defect = _later("guarded:show_defect")
"""Answers where something of ours failed."""
show_nothing = _later("lost:show_nothing")
"""Answers a browser that was led to what is not there."""


def is_page(request: Request) -> bool:
    """Tell whether a request was routed to the page."""
    return request.scope.get("endpoint") in _ENDPOINTS


def is_opened_in_browser(request: Request) -> bool:
    """Tell whether somebody looks at the answer: a program takes anything, and asks below `/api`."""
    path = request.scope["path"]
    is_for_programs = path == _PROGRAMS or path.startswith(f"{_PROGRAMS}/")
    return (
        request.method in {"GET", "HEAD"} and not is_for_programs and "text/html" in request.headers.get("accept", "")
    )
