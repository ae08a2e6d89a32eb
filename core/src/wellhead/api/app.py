"""The service as an ASGI app: the routes of the table of operations, behind the gate."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from importlib.metadata import version
from typing import Any

from fastapi import FastAPI, Request, Response
from starlette.convertors import StringConvertor, register_url_convertor
from starlette.exceptions import HTTPException
from starlette.routing import Match

from wellhead.api.answers import json_of
from wellhead.api.gate import App, Gate, Lost, Receive, Scope
from wellhead.api.guarded import endpoint_of
from wellhead.api.inside import InWorkspace
from wellhead.api.openapi import openapi_document
from wellhead.api.operations import OPERATIONS, SOURCE, SOURCES, Operation
from wellhead.api.problems import HttpProblem, answer_of
from wellhead.api.shortcut import Shortcut
from wellhead.api.telemetry.exposition import Exposition
from wellhead.api.telemetry.metrics import Metrics
from wellhead.api.telemetry.observing import Observer
from wellhead.api.telemetry.tracing import Tracing
from wellhead.catalog.types import type_items, type_list
from wellhead.service import Service
from wellhead.ui.routes import ROUTES, is_opened_in_browser, show_nothing

Reload = Callable[[], Awaitable[Service]]
_OTHERS = [item.path for item in OPERATIONS if item.path.startswith(f"{SOURCES}/") and not item.path.startswith(SOURCE)]
_WORDS = {path.removeprefix(f"{SOURCES}/").partition("/")[0] for path in _OTHERS}


class _SourceId(StringConvertor):
    """What stands in a path for an id: anything but the words whose paths, with methods of their own, are others."""

    regex = f"(?!(?:{'|'.join(sorted(_WORDS))})(?:/|$))[^/]+"


register_url_convertor("source_id", _SourceId())


def create_app(  # all by name
    service: Service,
    reload: Reload,
    *,
    metrics: Metrics,
    exposition: Exposition,
    tracing: Tracing | None = None,
    operations: Iterable[Operation] = OPERATIONS,
) -> App:
    """Make the service for one set of types.

    Args:
        service: What it is a face of.
        reload: Puts an app in place of this one that knows what is installed now, and returns what that is a face of.
        metrics: Counts what this process does.
        exposition: Tells what the service has counted.
        tracing: Traces requests, where that is wanted.
        operations: What it does.

    Returns:
        An ASGI app.

    Raises:
        UnguardedOperationError: An operation neither needs a permission nor is public.
    """
    operations = tuple(operations)
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None, redirect_slashes=False)
    app.state.service, app.state.reload = service, reload
    app.state.metrics, app.state.exposition = metrics, exposition
    app.state.document, app.state.openapi = _documents(service, operations)
    app.state.type_list = _type_list(service)
    app.add_exception_handler(HTTPException, _unrouted)
    public = [operation.name for operation in operations if operation.is_open(service.settings)]
    for operation in operations:
        endpoint = endpoint_of(operation, is_open=operation.name in public)
        path = operation.path.replace("{source_id}", "{source_id:source_id}")
        app.add_route(path, endpoint, [operation.method], operation.name)
    pages = ROUTES if service.settings.page else ()
    for page in pages:
        app.add_route(page.path, page.endpoint, [page.method], page.name)
    public += [page.name for page in pages]
    routes = [route for route in app.router.routes if getattr(route, "name", None) in public]
    hosts = (*service.settings.allowed_hosts, service.settings.host)
    gate = Gate(
        InWorkspace(Shortcut(app), service),
        authenticator=service.authenticator,
        limits=service.limits,
        public=routes,
        allowed_hosts=hosts,
        origins=service.settings.cors_origins,
        failed_logins=service.failed_logins,
        lost=_lost_in(app) if service.settings.page else None,
        observer=Observer(app.router.routes, metrics=metrics, tracing=tracing),
    )
    app.state.gate = gate
    return gate


def _lost_in(app: FastAPI) -> Lost:
    """Return what answers browsers that no route of an app is for."""

    async def lost(scope: Scope, receive: Receive) -> Response | None:
        request = Request({**scope, "app": app}, receive)
        if is_opened_in_browser(request) and not _methods_of(request):
            return await show_nothing(request)
        return None

    return lost


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


def _type_list(service: Service) -> Callable[[], bytes]:
    """Return a function that gives the list of types as it is sent; it is made once for each set of types."""
    made: dict[tuple[str, ...], bytes] = {}

    def content() -> bytes:
        registry, reports = service.types.registry, service.types.reports
        names = tuple(registry.list_types())
        if names not in made:
            made.clear()
            made[names] = json_of(type_list(type_items(registry, reports)))
        return made[names]

    return content


def _documents(service: Service, operations: Iterable[Operation]) -> tuple[Any, Any]:
    """Return functions that give the OpenAPI document, as a mapping and as bytes; it is made once, in a thread."""
    registry = service.types.registry
    lock = asyncio.Lock()
    made: dict[str, tuple[dict[str, Any], bytes]] = {}

    def make() -> tuple[dict[str, Any], bytes]:
        document = openapi_document(
            operations,
            [registry.describe(name) for name in registry.list_types()],
            version=version("wellhead"),
            timeout_max=service.settings.validation_timeout_max,
        )
        return document, json_of(document)

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
