"""What is counted, and how the numbers of several processes become those of one service."""

import asyncio
import json
import re
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families as read_text
from starlette.testclient import TestClient

from support.api import SOURCES, api, csv_source  # noqa: F401  # the fixture is found by its name
from wellhead.api.telemetry.exposition import Exposition
from wellhead.api.telemetry.metrics import Metrics
from wellhead.api.telemetry.peers import Peers
from wellhead.assembled import Wellhead
from wellhead.errors import InsufficientStorageError

PAGE = Path(__file__).parents[1] / "docs/how-to/monitor.md"


def test_the_page_names_all_numbers_and_no_other(api: TestClient) -> None:  # noqa: F811
    made = api.post(SOURCES, json=csv_source()).json()
    api.post(f"{SOURCES}/{made['id']}/validate")
    families = {family.name: family.type for family in read_text(api.get("/metrics").text)}
    told = {f"{name}_total" if kind == "counter" else name for name, kind in families.items()}
    named = set(re.findall(r"^\| `(wellhead_[a-z_]+)`", PAGE.read_text(), re.MULTILINE))
    assert named == {name for name in told if not name.startswith("process_")}


def test_a_request_that_the_store_fails_is_counted_by_its_code(
    wellhead_parts: Wellhead,
    api: TestClient,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def full(*_: object) -> None:
        raise InsufficientStorageError("The disk is full.")

    monkeypatch.setattr(wellhead_parts.store, "create", full)
    assert api.post(SOURCES, json=csv_source()).status_code == 507
    assert 'wellhead_store_errors_total{code="insufficient_storage",worker="0"} 1.0' in api.get("/metrics").text


def test_a_store_that_cannot_be_read_is_said_to_be_down(
    wellhead_parts: Wellhead,
    api: TestClient,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def gone(*_: object) -> None:
        raise InsufficientStorageError("Nothing goes.")

    monkeypatch.setattr(wellhead_parts.store, "choose", gone)
    text = api.get("/metrics").text
    assert "wellhead_store_up 0.0" in text
    assert "wellhead_datasources{" not in text


@pytest.mark.anyio
async def test_each_process_tells_the_numbers_of_all_that_answer(wellhead_parts: Wellhead, tmp_path: Path) -> None:
    metrics = [Metrics(wellhead_parts.pool) for _ in range(2)]
    peers = [Peers(tmp_path, number, 3) for number in range(3)]  # the third never answers
    ours, theirs = (Exposition(*pair) for pair in zip(metrics, peers, strict=False))
    for number, counted in enumerate(metrics):
        for _ in range(number + 1):
            counted.saw_request("readType", "GET", 200, 0.01)
    serving = asyncio.create_task(peers[1].serve(theirs.of_this_process))
    while not (tmp_path / "1.sock").exists():  # noqa: ASYNC110  # nothing tells when it listens
        await asyncio.sleep(0)
    content, _ = await ours.write(wellhead_parts, "")
    serving.cancel()
    lines = content.decode().splitlines()
    series = 'wellhead_http_requests_total{method="GET",operation="readType",status="2xx",worker="%d"} %.1f'
    assert [series % (0, 1), series % (1, 2)] == [line for line in lines if line.startswith("wellhead_http_requests_t")]
    assert [f'wellhead_worker_up{{worker="{number}"}} {up}.0' for number, up in enumerate((1, 1, 0))] == [
        line for line in lines if line.startswith("wellhead_worker_up{")
    ]
    assert sum(line.startswith("# TYPE wellhead_http_requests_total ") for line in lines) == 1


def test_what_a_process_tells_another_is_no_more_than_numbers(wellhead_parts: Wellhead) -> None:
    told = json.loads(Exposition(Metrics(wellhead_parts.pool)).of_this_process())
    assert {"name", "text", "type", "samples"} == set(told[0])
