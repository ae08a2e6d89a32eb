"""Requests and validations as spans of OpenTelemetry, sent by OTLP. No value of a client or a target is in them."""

from __future__ import annotations

import threading
from importlib.metadata import version

from opentelemetry import context as contexts
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, SERVICE_VERSION, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Span, SpanKind, StatusCode, set_span_in_context
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from wellhead.validation.run import Run

_NANOSECONDS = 1_000_000
"""Nanoseconds of a millisecond."""
_SERVER_ERROR = 500
_CLOSE_SECONDS = 3.0


class Spans:
    """Makes spans, and sends them in a thread; where to, how often and which of them, OpenTelemetry's variables say."""

    def __init__(self) -> None:
        self._provider = TracerProvider(resource=_resource(), shutdown_on_exit=False)
        self._provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
        self._tracer = self._provider.get_tracer("wellhead", version("wellhead"))
        self._propagator = TraceContextTextMapPropagator()

    def begin(self, traceparent: str | None, request_id: str) -> RequestSpan:
        """Begin to trace a request."""
        parent = self._propagator.extract(
            {} if traceparent is None else {"traceparent": traceparent}, contexts.Context()
        )
        attributes = {"wellhead.request_id": request_id}
        return RequestSpan(self._tracer.start_span("request", parent, SpanKind.SERVER, attributes))

    def saw_validation(self, run: Run) -> None:
        """Trace a validation that has ended, and each of its checks that ran."""
        result = run.result()
        began = int(result.started_at.timestamp() * 1000) * _NANOSECONDS
        ended = began + int(result.duration_ms * _NANOSECONDS)
        attributes = {"wellhead.type": run.known.name, "wellhead.status": result.status}
        whole = self._tracer.start_span(f"validate {run.known.name}", attributes=attributes, start_time=began)
        for check, end in zip(result.checks, run.ends, strict=False):  # those that were not reached have no end
            start = max(began, end - int(check.duration_ms * _NANOSECONDS))
            facts = {"wellhead.status": check.status, **({"wellhead.code": check.code} if check.code else {})}
            part = self._tracer.start_span(check.name, set_span_in_context(whole), attributes=facts, start_time=start)
            part.end(max(start, end))
        whole.end(max(ended, *run.ends, began))

    def close(self) -> None:
        """Send what was not sent yet; a receiver that does not answer is not waited for long."""
        ending = threading.Thread(target=self._provider.shutdown, name="wellhead-spans", daemon=True)
        ending.start()
        ending.join(_CLOSE_SECONDS)


class RequestSpan:
    """The span of a request, which is the current one of its task."""

    __slots__ = ("_span", "_token")

    def __init__(self, span: Span) -> None:
        self._span = span
        self._token = contexts.attach(set_span_in_context(span))

    def end(self, *, operation: str, method: str, route: str | None, status: int) -> None:
        """End it, by the semantic conventions for HTTP servers; its name is the operation."""
        contexts.detach(self._token)
        self._span.update_name(operation)
        self._span.set_attribute("http.request.method", method)
        if route is not None:
            self._span.set_attribute("http.route", route)
        if status:
            self._span.set_attribute("http.response.status_code", status)
        if not 0 < status < _SERVER_ERROR:
            self._span.set_status(StatusCode.ERROR)
        self._span.end()


def _resource() -> Resource:
    """Return what the variables say of the service; without a name of theirs, it is `wellhead`."""
    resource = Resource.create({SERVICE_VERSION: version("wellhead")})
    if str(resource.attributes.get(SERVICE_NAME, "")).startswith("unknown_service"):
        resource = resource.merge(Resource({SERVICE_NAME: "wellhead"}))
    return resource
