"""The service as an ASGI app: the routes of the table of operations, behind the gate."""

from __future__ import annotations

import asyncio
import json
from importlib.metadata import version
from typing import Any

from fastapi import FastAPI, Request, Response
from starlette.exceptions import HTTPException

from wellhead.api.gate import App, Gate
from wellhead.api.openapi import openapi_document
from wellhead.api.operations import OPERATIONS
from wellhead.api.problems import HttpProblem
from wellhead.assembly import Wellhead


def create_app(wellhead: Wellhead) -> App:
    """Make the service.

    Args:
        wellhead: The parts that it is a face of.

    Returns:
        An ASGI app.
    """
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None, redirect_slashes=False)
    app.state.wellhead = wellhead
    app.state.document, app.state.openapi = _documents(wellhead)
    app.add_exception_handler(HTTPException, _unrouted)
    for operation in OPERATIONS:
        app.add_route(operation.path, operation.handler, [operation.method], operation.name)
    public = [operation.name for operation in OPERATIONS if operation.is_public]
    routes = [route for route in app.router.routes if getattr(route, "name", None) in public]
    hosts = (*wellhead.settings.allowed_hosts, wellhead.settings.host)
    return Gate(app, token=wellhead.token, public=routes, allowed_hosts=hosts)


async def _unrouted(_request: Request, error: Exception) -> Response:
    """Turn what routing found into a problem: no such path, or no such method."""
    status = error.status_code if isinstance(error, HTTPException) else 500
    headers = dict(getattr(error, "headers", None) or {})
    if status == 405:  # noqa: PLR2004  # Method Not Allowed
        raise HttpProblem(405, "method_not_allowed", headers)
    raise HttpProblem(404, "not_found")


def _documents(wellhead: Wellhead) -> tuple[Any, Any]:
    """Return functions that give the OpenAPI document, as a mapping and as bytes; it is made once, in a thread."""
    registry = wellhead.catalog.registry
    lock = asyncio.Lock()
    made: dict[str, Any] = {}

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
