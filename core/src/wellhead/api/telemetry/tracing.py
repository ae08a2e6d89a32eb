"""Whether traces are sent, as OpenTelemetry's own variables say. What sends them is imported only where they are."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Protocol

import structlog

from wellhead.validation.run import Run

_ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
_PROTOCOLS = ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL")
_PROTOCOL = "http/protobuf"


class RequestSpan(Protocol):
    """A request that is traced."""

    def end(self, *, operation: str, method: str, route: str | None, status: int) -> None:
        """Say what the request was, and how it was answered."""
        ...


class Tracing(Protocol):
    """Traces requests and validations."""

    def begin(self, traceparent: str | None, request_id: str) -> RequestSpan:
        """Begin to trace a request; what runs in its task is traced as a part of it.

        Args:
            traceparent: What the request says of the trace that it is a part of (W3C Trace Context).
            request_id: Its id.
        """
        ...

    def saw_validation(self, run: Run) -> None:
        """Trace a validation that has ended, with its checks."""
        ...

    def close(self) -> None:
        """Send what was not sent yet."""
        ...


def from_environment() -> Tracing | None:
    """Return what traces, if the variables want it; say in the log where they do and it cannot be."""
    if not _is_wanted(os.environ):
        return None
    log = structlog.get_logger("wellhead.tracing")
    protocol = _first(os.environ, _PROTOCOLS) or _PROTOCOL
    if protocol != _PROTOCOL:
        log.warning(
            "no traces are sent", why=f"only the protocol {_PROTOCOL} is known", remedy=f"unset {_PROTOCOLS[1]}"
        )
        return None
    try:
        from wellhead.api.telemetry.spans import Spans  # noqa: PLC0415  # heavy, and not there without the extra
    except ImportError:
        log.warning("no traces are sent", why="OpenTelemetry is missing", remedy="pip install 'wellhead[otel]'")
        return None
    return Spans()


def _is_wanted(variables: Mapping[str, str]) -> bool:
    is_off = variables.get("OTEL_SDK_DISABLED", "").strip().lower() == "true"
    exporter = variables.get("OTEL_TRACES_EXPORTER", "").strip() or "otlp"
    return not is_off and exporter == "otlp" and _first(variables, _ENDPOINTS) is not None


def _first(variables: Mapping[str, str], names: tuple[str, ...]) -> str | None:
    return next((value for name in names if (value := variables.get(name, "").strip())), None)
