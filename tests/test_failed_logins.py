"""Failed logins in the audit log: told to operators, and never a means to fill the disk."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from support.api import SOURCES, api_of, csv_source
from wellhead.access import failed_logins
from wellhead.access.audit_file import AuditFile
from wellhead.access.audit_log import AuditLog
from wellhead.access.failed_logins import FailedLogins
from wellhead.access.limits import Limits, LocalBuckets
from wellhead.access.rates import Rate
from wellhead.assembled import Wellhead


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def counted(path: Path) -> list[tuple[Any, Any]]:
    return [(line["address"], line["count"]) for line in lines(path)]


async def until_written(log: AuditLog, count: int) -> None:
    for _ in range(2000):
        if len(lines(log.file.path)) >= count:
            return
        await asyncio.sleep(0.01)
    pytest.fail("it was not written")


@pytest.fixture
def log(tmp_path: Path) -> AuditLog:
    return AuditLog(AuditFile(tmp_path / "audit.jsonl", size=1 << 20, kept=1))


def test_failed_logins_of_an_address_are_one_entry(log: AuditLog) -> None:
    async def fail() -> None:
        logins = FailedLogins(log, "here")
        for address in ["192.0.2.1"] * 500 + ["2001:db8::1", "2001:db8::2", None]:
            logins.count(address)
        assert lines(log.file.path) == []
        logins.write()
        logins.write()

    asyncio.run(fail())
    log.close()
    assert counted(log.file.path) == [("192.0.2.1", 500), ("2001:db8::/64", 2), (None, 1)]
    first = lines(log.file.path)[0]
    expected = {"user": "", "workspace": "here", "operation": "login", "outcome": "refused", "status": 401}
    assert expected.items() <= first.items()


def test_R_04_those_of_many_addresses_are_counted_together(log: AuditLog) -> None:
    async def fail() -> None:
        logins = FailedLogins(log, "")
        for number in range(10_000):
            logins.count(f"10.{number // 256}.{number % 256}.1")
        logins.count("10.0.3.1")
        logins.write()

    asyncio.run(fail())
    log.close()
    found = dict(counted(log.file.path))
    assert len(found) <= 21
    assert (found["10.0.3.1"], sum(found.values())) == (2, 10_001)


def test_they_are_written_when_the_minute_is_over(log: AuditLog, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(failed_logins, "PERIOD", 0.01)

    async def fail() -> None:
        logins = FailedLogins(log, "")
        for wanted in (1, 2):
            logins.count("192.0.2.1")
            await until_written(log, wanted)

    asyncio.run(fail())
    log.close()
    assert counted(log.file.path) == [("192.0.2.1", 1)] * 2


def test_where_the_log_is_full_the_event_loop_does_not_wait_for_room(
    log: AuditLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(failed_logins, "PERIOD", 0.01)
    monkeypatch.setattr(AuditLog, "is_full", property(lambda _: is_full))
    is_full = True

    async def fail() -> None:
        nonlocal is_full
        logins = FailedLogins(log, "")
        logins.count("192.0.2.1")
        await asyncio.sleep(0.1)
        assert lines(log.file.path) == []
        logins.count("192.0.2.1")
        is_full = False
        await until_written(log, 1)

    asyncio.run(fail())
    log.close()
    assert counted(log.file.path) == [("192.0.2.1", 2)]


def test_the_service_counts_tokens_that_are_nobodys_and_not_their_absence(
    wellhead_parts: Wellhead, tmp_path: Path
) -> None:
    path = tmp_path / "config" / "audit.jsonl"
    with api_of(wellhead_parts) as api:
        for value in ("Bearer wrong", "Basic dXNlcjpwYXNz", "Bearer " + "x" * 100):
            assert api.get(SOURCES, headers={"authorization": value}).status_code == 401
        assert api.get("/healthz", headers={"authorization": "Bearer wrong"}).status_code == 200
        assert api.post(SOURCES, json=csv_source()).status_code == 201
        del api.headers["authorization"]
        assert api.get(SOURCES).status_code == 401
        assert [line["operation"] for line in lines(path)] == ["create"]
    wellhead_parts.close()
    [entry] = [line for line in lines(path) if line["operation"] == "login"]
    assert (entry["count"], entry["workspace"]) == (3, str(wellhead_parts.settings.workspace))
    assert "wrong" not in path.read_text()


def test_those_over_the_limit_are_counted_too(wellhead_parts: Wellhead, tmp_path: Path) -> None:
    limits = Limits({"read": None, "write": None, "validate": None, "login": Rate(2, 3600)}, LocalBuckets())
    with api_of(replace(wellhead_parts, limits=limits)) as api:
        statuses = [api.get(SOURCES, headers={"authorization": "Bearer x"}).status_code for _ in range(5)]
    assert statuses == [401, 401, 429, 429, 429]
    wellhead_parts.close()
    assert [line["count"] for line in lines(tmp_path / "config" / "audit.jsonl")] == [5]
