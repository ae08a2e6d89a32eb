"""What is seen of each request: it gets an id, and is logged and counted by its operation, never by what it sent."""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Iterable, Mapping, MutableMapping
from typing import Any

import structlog
from starlette.routing import BaseRoute, Route

from wellhead import logs
from wellhead.api.telemetry.metrics import Metrics
from wellhead.api.telemetry.tracing import RequestSpan, Tracing
from wellhead.catalog.reader import is_source_id

Scope = MutableMapping[str, Any]

_REQUEST_ID = re.compile(rb"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_TRACE = re.compile(rb"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(?:-[\x21-\x7e]*)?")
_NONE = "none"
"""The operation, and the method, of a request that is none."""


class Observer:
    """Sees the requests of one app."""

    def __init__(
        self,
        routes: Iterable[BaseRoute] = (),
        *,
        metrics: Metrics | None = None,
        tracing: Tracing | None = None,
    ) -> None:
        """See requests.

        Args:
            routes: The routes of the app; their names are the operations.
            metrics: Counts them.
            tracing: Traces them.
        """
        self._routes: dict[Any, Route] = {route.endpoint: route for route in routes if isinstance(route, Route)}
        self._metrics = metrics
        self._tracing = tracing
        self._log = structlog.get_logger("wellhead.api")

    def begin(self, scope: Scope) -> Observed:
        """See a request come, and give it its id."""
        request_id = request_id_of(scope["headers"])
        scope.setdefault("state", {})["request_id"] = request_id
        logs.REQUEST_ID.set(request_id)
        span = None
        if self._tracing is not None:
            span = self._tracing.begin(_traceparent_of(scope["headers"]), request_id)
        return Observed(self, scope, request_id, span)

    def ended(self, seen: Observed, status: int) -> None:
        """See a request go."""
        scope = seen.scope
        seconds = time.perf_counter() - seen.started
        operation, method, route = self._operation_of(scope)
        if self._metrics is not None:
            self._metrics.saw_request(operation, method, status, seconds)
        if seen.span is not None:
            seen.span.end(operation=operation, method=method, route=route, status=status)
        facts: dict[str, Any] = {
            "request_id": seen.request_id,
            "operation": operation,
            "status": status,
            "ms": round(seconds * 1000, 1),
        }
        if (user := scope["state"].get("user")) is not None:
            facts["user"] = user
        if (source_id := _source_id_of(scope)) is not None:
            facts["source_id"] = source_id
        logs.info("wellhead.api", "request", facts)

    def failed(self, seen: Observed, error: Exception) -> None:
        """Log a defect: where it happened, and no text."""
        operation, _, _ = self._operation_of(seen.scope)
        self._log.error("request failed", request_id=seen.request_id, operation=operation, error=logs.where(error))

    def _operation_of(self, scope: Scope) -> tuple[str, str, str | None]:
        """Return the operation that a request was routed to, its method, and its path with names for parameters.

        Operation and method are `none` where there is no such thing.
        """
        route = self._routes.get(scope.get("endpoint"))
        method: str = scope["method"]
        if route is None or method not in (route.methods or ()):
            return _NONE, _NONE, None
        return route.name, method, route.path_format


class Observed:
    """A request that is being answered."""

    __slots__ = ("_observer", "request_id", "scope", "span", "started")

    def __init__(self, observer: Observer, scope: Scope, request_id: str, span: RequestSpan | None) -> None:
        self._observer = observer
        self.span = span
        self.scope = scope
        self.request_id = request_id
        self.started = time.perf_counter()

    def failed(self, error: Exception) -> None:
        """Say that answering it raised what nobody expected."""
        self._observer.failed(self, error)

    def ended(self, status: int) -> None:
        """Say that it was answered, with which status; 0 for none."""
        self._observer.ended(self, status)


def request_id_of(headers: Iterable[tuple[bytes, bytes]]) -> str:
    """Return the id that a request brings along, or a new one.

    That is `X-Request-Id`, if it is there once, short and plain; or the trace id of `traceparent` (W3C Trace Context).
    """
    found: dict[bytes, bytes] = {}
    for name, value in headers:
        if name in {b"x-request-id", b"traceparent"}:
            found[name] = b"" if name in found else value
    if found:
        if _REQUEST_ID.fullmatch(given := found.get(b"x-request-id", b"")):
            return given.decode("ascii")
        if (trace := _TRACE.fullmatch(found.get(b"traceparent", b""))) is not None:
            return trace[1].decode("ascii")
    return secrets.token_hex(8)


def _traceparent_of(headers: Iterable[tuple[bytes, bytes]]) -> str | None:
    """Return what a request says of its trace, if it does so once and in the right form."""
    found = [value for name, value in headers if name == b"traceparent"]
    return found[0].decode("ascii") if len(found) == 1 and _TRACE.fullmatch(found[0]) else None


def _source_id_of(scope: Mapping[str, Any]) -> str | None:
    """Return the id of the data source in the path, if it has the form of one."""
    source_id = scope.get("path_params", {}).get("source_id")
    return source_id if source_id is not None and is_source_id(source_id) else None
