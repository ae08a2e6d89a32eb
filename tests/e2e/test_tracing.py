"""The service sends spans of requests and validations by OTLP, to a real receiver."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from support.canary import Canary
from support.documents import document_of
from support.otlp import attributes, receiving
from support.service import SOURCES, running_service

TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
FAST = {"OTEL_BSP_SCHEDULE_DELAY": "100"}


@pytest.fixture
def place(tmp_path: Path) -> tuple[Path, Path]:
    """A workspace and a configuration directory of the test's own."""
    (tmp_path / "workspace").mkdir()
    return tmp_path / "workspace", tmp_path / "config"


def test_L_12_requests_and_checks_are_spans_of_the_callers_trace_without_values(
    place: tuple[Path, Path], tmp_path: Path
) -> None:
    canary = Canary(tmp_path)
    secret, said = canary.secret(), canary.plain_secret()
    with receiving() as receiver:
        with running_service(*place, OTEL_EXPORTER_OTLP_ENDPOINT=receiver.url, **FAST) as service:
            made = service.client.post(SOURCES, json=document_of("postgres", password=secret)).json()
            headers = {"traceparent": f"00-{TRACE}-{PARENT}-01", "tracestate": f"x={said}", "baggage": f"y={said}"}
            answer = service.client.post(f"{SOURCES}/{made['id']}/validate?timeout=20", headers=headers)
            service.client.get(f"/{said}", headers={"User-Agent": said})
        for body in receiver.raw:  # all of it was sent by the end of the service
            canary.saw(body)
    canary.search()
    [request] = receiver.named("validateDataSource")
    assert (request.trace_id.hex(), request.parent_span_id.hex()) == (TRACE, PARENT)
    assert attributes(request) == {
        "http.request.method": "POST",
        "http.route": SOURCES + "/{source_id}/validate",
        "http.response.status_code": 200,
        "wellhead.request_id": TRACE,
    }
    [validation] = receiver.named("validate postgres")
    assert validation.parent_span_id == request.span_id
    assert attributes(validation) == {"wellhead.type": "postgres", "wellhead.status": answer.json()["status"]}
    parts = [span for span in receiver.spans if span.parent_span_id == validation.span_id]
    ran = [check for check in answer.json()["checks"] if check["status"] != "skipped"]
    assert [part.name for part in parts] == [check["name"] for check in ran]
    assert [attributes(part).get("wellhead.code") for part in parts] == [check["code"] for check in ran]
    for part in parts:
        assert validation.start_time_unix_nano <= part.start_time_unix_nano <= part.end_time_unix_nano
        assert part.end_time_unix_nano <= validation.end_time_unix_nano <= request.end_time_unix_nano
    assert len(receiver.named("none")) == 1
    assert {resource["service.name"] for resource in receiver.resources} == {"wellhead"}


def test_each_worker_sends_its_spans_under_the_name_that_the_variables_say(place: tuple[Path, Path]) -> None:
    with receiving() as receiver:
        variables = {"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": f"{receiver.url}/v1/traces", "OTEL_SERVICE_NAME": "sources"}
        with running_service(*place, workers=2, **variables, **FAST) as service:
            for _ in range(5):
                service.client.get("/healthz")
        assert len(receiver.named("healthz")) == 5
        assert {resource["service.name"] for resource in receiver.resources} == {"sources"}


def test_many_validations_are_spans_of_the_request_too(place: tuple[Path, Path]) -> None:
    with receiving() as receiver:
        with running_service(*place, OTEL_EXPORTER_OTLP_ENDPOINT=receiver.url, **FAST) as service:
            for _ in range(3):
                service.client.post(SOURCES, json=document_of("csv"))
            assert service.client.post(f"{SOURCES}/validations").status_code == 200
        [request] = receiver.named("validateDataSources")
        assert [span.parent_span_id for span in receiver.named("validate csv")] == [request.span_id] * 3


def test_D_44_a_receiver_that_is_gone_holds_nothing_up(place: tuple[Path, Path]) -> None:
    with running_service(*place, OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:9") as service:
        assert service.client.get("/healthz").status_code == 200
        began = time.monotonic()
        service.process.terminate()
        assert service.process.wait(20) == 0
        assert time.monotonic() - began < 10
