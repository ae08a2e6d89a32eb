"""The service as an ASGI app: the routes of the table of operations, behind the gate."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from importlib.metadata import version
from typing import Any

from fastapi import FastAPI, Request, Response
from starlette.exceptions import HTTPException
from starlette.routing import Match

from wellhead.api.gate import App, Gate
from wellhead.api.openapi import openapi_document
from wellhead.api.operations import OPERATIONS
from wellhead.api.problems import HttpProblem, answer_of
from wellhead.assembly import Wellhead
from wellhead.errors import WellheadError

Reload = Callable[[], Awaitable[Wellhead]]


def create_app(wellhead: Wellhead, reload: Reload) -> App:
    """Make the service for one set of types.

    Args:
        wellhead: The parts that it is a face of.
        reload: Puts an app in place of this one that knows what is installed now, and returns its parts.

    Returns:
        An ASGI app.
    """
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None, redirect_slashes=False)
    app.state.wellhead, app.state.reload = wellhead, reload
    app.state.document, app.state.openapi = _documents(wellhead)
    handlers = {WellheadError: _problem, HttpProblem: _problem, HTTPException: _unrouted, Exception: _defect}
    for kind, handler in handlers.items():
        app.add_exception_handler(kind, handler)
    for operation in OPERATIONS:
        app.add_route(operation.path, operation.handler, [operation.method], operation.name)
    public = [operation.name for operation in OPERATIONS if operation.is_public]
    routes = [route for route in app.router.routes if getattr(route, "name", None) in public]
    hosts = (*wellhead.settings.allowed_hosts, wellhead.settings.host)
    return Gate(app, token=wellhead.token, public=routes, allowed_hosts=hosts)


async def _problem(request: Request, error: Exception) -> Response:
    """Answer with what an operation raised on purpose."""
    if not isinstance(error, WellheadError | HttpProblem):
        raise error
    return answer_of(error, request.state.request_id)


async def _unrouted(request: Request, error: Exception) -> Response:
    """Answer with what routing found: no such path, or no such method."""
    if isinstance(error, HTTPException) and error.status_code == 405:  # noqa: PLR2004  # Method Not Allowed
        problem = HttpProblem(405, "method_not_allowed", {"Allow": ", ".join(_methods_of(request))})
    else:
        problem = HttpProblem(404, "not_found")
    return answer_of(problem, request.state.request_id)


def _methods_of(request: Request) -> list[str]:
    """Return the methods that the path of a request knows; each has a route of its own."""
    routes = [route for route in request.app.router.routes if route.matches(request.scope)[0] is not Match.NONE]
    return sorted({method for route in routes for method in getattr(route, "methods", ())})


async def _defect(request: Request, _error: Exception) -> Response:
    """Answer without details; the gate writes them to the log."""
    return answer_of(HttpProblem(500, "internal_error"), request.state.request_id)


def _documents(wellhead: Wellhead) -> tuple[Any, Any]:
    """Return functions that give the OpenAPI document, as a mapping and as bytes; it is made once, in a thread."""
    registry = wellhead.catalog.registry
    lock = asyncio.Lock()
    made: dict[str, tuple[dict[str, Any], bytes]] = {}

    def make() -> tuple[dict[str, Any], bytes]:
        document = openapi_document(
            OPERATIONS,
            [registry.describe(name) for name in registry.list_types()],
            version=version("wellhead"),
            timeout_max=wellhead.settings.validation_timeout_max,
        )
        return document, json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode("utf-8")

    async def both() -> tuple[dict[str, Any], bytes]:
        async with lock:
            if "both" not in made:
                made["both"] = await asyncio.to_thread(make)
            return made["both"]

    async def document() -> dict[str, Any]:
        return (await both())[0]

    async def content() -> bytes:
        return (await both())[1]

    return document, content
