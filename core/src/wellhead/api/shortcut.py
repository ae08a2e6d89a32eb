"""The way from a request to what answers it, without the layers between that no operation here has need of."""

from __future__ import annotations

from fastapi import FastAPI, Request
from starlette.routing import Route

from wellhead.api.gate import Receive, Scope, Send
from wellhead.api.operations import Handler
from wellhead.api.problems import HttpProblem, answer_of
from wellhead.errors import StorageError, WellheadError
from wellhead.ui.routes import is_page, show_defect

_Parameters = dict[str, str]


class Shortcut:
    """Calls the endpoint of the route that a request is for; what is for none is the app's to answer (ASGI).

    A path without parameters is looked up; all others are held against the routes' patterns, in the app's order.
    """

    def __init__(self, app: FastAPI) -> None:
        """Know the routes of an app.

        Args:
            app: The app. Its state has the `metrics`.
        """
        self._app = app
        routes = [route for route in app.router.routes if isinstance(route, Route)]
        self._fixed: dict[tuple[str, str], Handler] = {
            (method, route.path): route.endpoint
            for route in reversed(routes)
            if not route.param_convertors
            for method in route.methods or ()
        }
        self._others = [
            (route.methods or set(), route.path_regex, route.endpoint) for route in routes if route.param_convertors
        ]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        found = self._find(scope["method"], scope["path"]) if scope["type"] == "http" else None
        if found is None:
            await self._app(scope, receive, send)
            return
        scope["app"] = self._app
        endpoint, scope["path_params"] = found
        scope["endpoint"] = endpoint
        request = Request(scope, receive, send)
        try:
            response = await endpoint(request)
        except (WellheadError, HttpProblem) as error:
            if isinstance(error, StorageError):
                self._app.state.metrics.saw_store_error(error.code)
            response = answer_of(error, scope["state"]["request_id"])
        except Exception:  # the gate logs it, and answers programs
            if is_page(request):
                await (await show_defect(request))(scope, receive, send)
            raise
        await response(scope, receive, send)

    def _find(self, method: str, path: str) -> tuple[Handler, _Parameters] | None:
        fixed = self._fixed.get((method, path))
        if fixed is not None:
            return fixed, {}
        for methods, pattern, endpoint in self._others:
            if method in methods and (match := pattern.match(path)) is not None:
                return endpoint, match.groupdict()
        return None
