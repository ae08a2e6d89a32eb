"""Traces are sent where OpenTelemetry's variables want it, and it is said where they cannot be."""

import subprocess
import sys

import pytest
import structlog

from wellhead.api.telemetry import tracing

ENDPOINT = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9"}


@pytest.fixture(autouse=True)
def _no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*tracing._ENDPOINTS, *tracing._PROTOCOLS, "OTEL_SDK_DISABLED", "OTEL_TRACES_EXPORTER"):
        monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(
    "variables",
    [
        {},
        {"OTEL_SERVICE_NAME": "x"},
        {"OTEL_EXPORTER_OTLP_ENDPOINT": " "},
        {**ENDPOINT, "OTEL_SDK_DISABLED": "TRUE"},
        {**ENDPOINT, "OTEL_TRACES_EXPORTER": "none"},
    ],
)
def test_without_an_endpoint_nothing_is_sent_and_nothing_said(
    variables: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with structlog.testing.capture_logs() as lines:
        assert tracing.from_environment() is None
    assert lines == []


def test_without_the_extra_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(*next(iter(ENDPOINT.items())))
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.trace", None)  # as if it were not installed
    monkeypatch.delitem(sys.modules, "wellhead.api.telemetry.spans", raising=False)
    with structlog.testing.capture_logs() as lines:
        assert tracing.from_environment() is None
    assert (lines[0]["log_level"], lines[0]["remedy"]) == ("warning", "pip install 'wellhead[otel]'")


def test_another_protocol_is_refused_with_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(*next(iter(ENDPOINT.items())))
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")
    with structlog.testing.capture_logs() as lines:
        assert tracing.from_environment() is None
    assert (lines[0]["log_level"], lines[0]["remedy"]) == ("warning", "unset OTEL_EXPORTER_OTLP_PROTOCOL")


def test_the_service_loads_no_sdk_unless_it_is_wanted() -> None:
    code = (
        "import sys, wellhead.api.live, wellhead.api.serving.server, wellhead.api.serving.worker;"
        "import wellhead.api.telemetry.tracing as t;"
        "t.from_environment();"
        "print([name for name in sys.modules if name.startswith(('opentelemetry.sdk', 'opentelemetry.exporter'))])"
    )
    found = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, check=True, text=True).stdout
    assert found.strip() == "[]"
