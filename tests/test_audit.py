"""The audit log: what it has of each change and each use, that nothing of it is lost, and reading it."""

import asyncio
import json
import os
import resource
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

import wellhead
from support.api import SOURCES, api_of, csv_source, database
from support.canary import Canary
from support.faults import limited
from support.probe import NO_ID, open_descriptors
from wellhead import clock
from wellhead.access.audit import Audit
from wellhead.access.audit_entry import Entry
from wellhead.access.audit_file import AuditFile
from wellhead.access.audit_log import AuditLog
from wellhead.access.audit_query import AuditQuery, read_page
from wellhead.assembled import Wellhead
from wellhead.assembly import assemble
from wellhead.errors import AuditUnavailableError, StorageIOError
from wellhead.settings import Settings
from wellhead.storage.noting import Changed

AUDIT = "/api/v1/audit"


def entry(number: int = 0, **more: Any) -> Entry:
    return Entry(**{"user": "anna", "workspace": "team", "operation": "update", "name": f"number {number}", **more})


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def audit_file(directory: Path, *, size: int = 1 << 20, kept: int = 3) -> AuditFile:
    return AuditFile(directory / "audit.jsonl", size=size, kept=kept)


def audit_in(directory: Path, *, is_required: bool = False) -> Audit:
    return Audit(AuditLog(audit_file(directory)), "team", is_required=is_required)


# The file


def test_the_log_is_private(tmp_path: Path) -> None:
    audit_file(tmp_path / "config").append(entry().encode())
    assert (tmp_path / "config").stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in (tmp_path / "config").iterdir()} == {0o600}


def test_a_file_that_is_large_is_put_aside_and_the_oldest_is_removed(tmp_path: Path) -> None:
    file = audit_file(tmp_path, size=1000, kept=2)
    for number in range(30):
        file.append(entry(number).encode())
    assert sorted(path.name for path in tmp_path.glob("audit*")) == ["audit.jsonl", "audit.jsonl.1", "audit.jsonl.2"]
    assert all(path.stat().st_size <= 1000 for path in tmp_path.glob("audit*"))
    with file.newest_first() as found:
        numbers = [int(json.loads(line)["name"].split()[1]) for line in found]
    assert numbers == list(range(29, 29 - len(numbers), -1))


def test_many_writers_put_a_file_aside_once_and_lose_nothing(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as threads:
        files = [audit_file(tmp_path, size=4000, kept=50) for _ in range(8)]
        list(threads.map(lambda number: files[number % 8].append(entry(number).encode()), range(200)))
    with files[0].newest_first() as found:
        assert sorted(int(json.loads(line)["name"].split()[1]) for line in found) == list(range(200))


@pytest.mark.parametrize("name", ["audit.jsonl", ".audit.jsonl.lock"])
def test_a_file_that_somebody_took_away_is_noticed_though_it_was_open(tmp_path: Path, name: str) -> None:
    here, elsewhere = audit_file(tmp_path), audit_file(tmp_path)
    here.append(entry(1).encode())
    (tmp_path / name).unlink()
    elsewhere.append(entry(2).encode())
    here.append(entry(3).encode())
    names = [line["name"] for line in lines(tmp_path / "audit.jsonl")]
    assert names[-2:] == ["number 2", "number 3"]
    assert os.path.samestat(os.fstat(here._lock.descriptor()), (tmp_path / ".audit.jsonl.lock").stat())


def test_what_is_held_open_of_the_log_is_given_back(tmp_path: Path) -> None:
    log, before = AuditLog(audit_file(tmp_path)), open_descriptors()
    for number in range(20):
        log.add(entry(number)).result(10)
    assert open_descriptors() == before + 2
    log.close()
    assert open_descriptors() == before


def test_half_a_line_that_a_crash_has_left_spoils_no_other(tmp_path: Path) -> None:
    file = audit_file(tmp_path)
    file.append(entry(1).encode())
    with file.path.open("ab") as raw:
        raw.write(b'{"at": "2026')
    file.append(entry(2).encode())
    assert [found["name"] for found in read_page(file, AuditQuery()).items] == ["number 2", "number 1"]


@pytest.mark.parametrize("make", [os.mkdir, os.mkfifo, lambda path: path.symlink_to("other")])
def test_where_the_log_is_no_file_a_use_is_refused_at_once(tmp_path: Path, make: Any) -> None:
    make(tmp_path / "audit.jsonl")
    audit = audit_in(tmp_path)
    before = open_descriptors()
    for _ in range(3):
        with pytest.raises(StorageIOError, match="cannot be written"):
            audit.use("run", NO_ID, "n", 1)
    assert open_descriptors() == before + 1  # the lock
    assert not (tmp_path / "other").exists()


@pytest.mark.parametrize("room", [0, 10])
def test_D_18_what_does_not_fit_the_disk_whole_is_not_written_at_all(tmp_path: Path, room: int) -> None:
    audit = audit_in(tmp_path)
    audit.use("run", NO_ID, "n", 1)
    before = (tmp_path / "audit.jsonl").read_bytes()
    with limited(resource.RLIMIT_FSIZE, len(before) + room), pytest.raises(AuditUnavailableError):
        audit.use("run", NO_ID, "n", 2)
    assert (tmp_path / "audit.jsonl").read_bytes() == before


# The queue


def test_an_entry_is_on_disk_when_the_wait_for_it_is_over(tmp_path: Path) -> None:
    log = AuditLog(audit_file(tmp_path))
    log.add(entry(1)).result(10)
    assert lines(tmp_path / "audit.jsonl")[0]["name"] == "number 1"
    log.close()


def test_who_stops_waiting_keeps_nobody_else_waiting(tmp_path: Path) -> None:
    log = AuditLog(audit_file(tmp_path))
    log.add(entry(1)).cancel()
    log.add(entry(2)).result(10)
    assert [line["name"] for line in lines(tmp_path / "audit.jsonl")] == ["number 1", "number 2"]
    log.close()


def test_closing_writes_all_that_waits_and_ends_the_thread(tmp_path: Path) -> None:
    before = threading.active_count()
    log = AuditLog(audit_file(tmp_path))
    for number in range(2000):
        log.add(entry(number))
    log.close()
    assert [line["name"] for line in lines(tmp_path / "audit.jsonl")] == [f"number {number}" for number in range(2000)]
    assert threading.active_count() == before


def test_a_full_queue_makes_wait_and_drops_nothing(tmp_path: Path) -> None:
    log = AuditLog(audit_file(tmp_path), waiting=3)
    for number in range(500):
        log.add(entry(number))
    log.close()
    assert len(lines(tmp_path / "audit.jsonl")) == 500


def test_what_cannot_be_written_is_counted_and_logged_once(tmp_path: Path) -> None:
    (tmp_path / "audit.jsonl").mkdir()
    log = AuditLog(audit_file(tmp_path))
    with capture_logs() as logs:
        for number in range(3):
            with pytest.raises(AuditUnavailableError):
                log.add(entry(number)).result(10)
        (tmp_path / "audit.jsonl").rmdir()
        log.add(entry(3)).result(10)
    log.close()
    assert log.lost == 3
    assert [line["event"] for line in logs] == ["audit_unwritable", "audit_writable_again"]


# What is written


@pytest.fixture
def parts(workspace: Path, tmp_path: Path) -> Wellhead:
    """The parts of a service."""
    return assemble(Settings(workspace=workspace, config_dir=tmp_path / "config"))


@pytest.mark.parametrize("trouble", [ValueError("I/O operation on closed file"), BrokenPipeError()])
def test_a_service_log_that_is_closed_lets_nobody_wait_for_ever(tmp_path: Path, trouble: Exception) -> None:
    class Closed:
        def error(self, *_: object, **__: object) -> None:
            raise trouble

        warning = error

    log = AuditLog(audit_file(tmp_path))
    log._log = Closed()
    (tmp_path / "audit.jsonl").mkdir()
    for _ in range(2):
        with pytest.raises(AuditUnavailableError):
            log.add(entry()).result(10)
    (tmp_path / "audit.jsonl").rmdir()
    log.add(entry()).result(10)
    log.close()
    assert len(lines(tmp_path / "audit.jsonl")) == 1


def test_each_change_has_one_entry_of_who_what_when_and_from_where(parts: Wellhead, tmp_path: Path) -> None:
    with api_of(parts) as api:
        made = api.post(SOURCES, json=csv_source()).json()
        one = f"{SOURCES}/{made['id']}"
        patched = api.patch(one, json={"description": "more", "delimiter": ";"})
        api.put(one, json=csv_source("buys"))
        api.post(f"{one}/rollback", json={"revision": 1})
        api.delete(one)
    found = lines(tmp_path / "config" / "audit.jsonl")
    assert [(line["operation"], line["status"], line["revision"], line["name"]) for line in found] == [
        ("create", 201, 1, "sales"),
        ("update", 200, 2, "sales"),
        ("update", 200, 3, "buys"),
        ("rollback", 200, 4, "sales"),
        ("delete", 204, 4, "sales"),
    ]
    assert {"name", "path"} <= set(found[0]["fields"])
    assert [line["fields"] for line in found[1:]] == [
        ["delimiter", "description"],
        ["delimiter", "description", "name"],
        ["name"],
        [],
    ]
    second = found[1]
    assert clock.from_text(second["at"]) <= clock.now()
    assert (second["id"], second["outcome"], second["code"]) == (made["id"], "done", None)
    assert second["request_id"] == patched.headers["X-Request-Id"]
    assert second["address"] == "testclient"
    assert second["workspace"] == str(parts.settings.workspace)
    assert {line["user"] for line in found} == {wellhead.access.principal.local_user()}


def test_what_was_refused_is_written_with_its_code(parts: Wellhead, tmp_path: Path) -> None:
    with api_of(parts) as api:
        made = api.post(SOURCES, json=csv_source()).json()
        api.post(SOURCES, json=csv_source())
        api.patch(f"{SOURCES}/{made['id']}", json={"nonsense": 1})
        api.patch(f"{SOURCES}/{NO_ID}", json={})
        api.post(SOURCES, content=b"{", headers={"Content-Type": "text/plain"})
    found = lines(tmp_path / "config" / "audit.jsonl")[1:]
    assert [(line["operation"], line["status"], line["code"], line["id"], line["name"]) for line in found] == [
        ("create", 409, "name_taken", None, None),
        ("update", 422, "unknown_field", made["id"], "sales"),
        ("update", 404, "not_found", NO_ID, None),
        ("create", 415, "unsupported_media_type", None, None),
    ]
    assert {line["outcome"] for line in found} == {"refused"}


def test_reads_are_not_written_and_validations_are(parts: Wellhead, tmp_path: Path) -> None:
    with api_of(parts) as api:
        made = api.post(SOURCES, json=csv_source()).json()
        for path in (SOURCES, f"{SOURCES}/{made['id']}", f"{SOURCES}/types", AUDIT):
            assert api.get(path).status_code == 200
        api.post(f"{SOURCES}/{made['id']}/validate")
    parts.close()
    found = lines(tmp_path / "config" / "audit.jsonl")
    assert [(line["operation"], line["name"]) for line in found] == [("create", "sales"), ("validate", "sales")]


def test_L_20_no_value_is_ever_written(parts: Wellhead, tmp_path: Path, canary: Canary) -> None:
    with api_of(parts) as api:
        made = api.post(SOURCES, json=database(password=canary.secret())).json()
        one = f"{SOURCES}/{made['id']}"
        api.patch(one, json={"password": canary.secret(), "host": "old.example", "description": "old words"})
        api.patch(one, json={"password": None, "host": "new.example", "description": "new words"})
        api.patch(one, json={canary.plain_secret(): "x", "password": canary.secret()})
        api.post(f"{one}/rollback", json={"revision": 1})
        api.patch(one, json={"port": canary.secret()})
        api.post(f"{one}/validate", json={"changes": {"password": canary.secret()}})
        api.delete(f"{SOURCES}/{canary.secret()}")
    parts.close()
    written = lines(tmp_path / "config" / "audit.jsonl")
    assert written[1]["fields"] == ["description", "host", "password"]
    assert not any(word in str(written) for word in ("old", "new.example", "new words"))


def test_a_change_in_python_has_an_entry_too(workspace: Path, tmp_path: Path) -> None:
    with wellhead.open_workspace(workspace) as opened:
        opened.add(csv_source())
        with pytest.raises(wellhead.errors.NameTakenError):
            opened.add(csv_source())
        opened.remove("sales")
    found = lines(tmp_path / "config" / "audit.jsonl")
    assert [(line["operation"], line["outcome"], line["code"]) for line in found] == [
        ("create", "done", None),
        ("create", "refused", "name_taken"),
        ("delete", "done", None),
    ]
    assert {(line["status"], line["address"], line["request_id"]) for line in found} == {(None, None, None)}


def test_without_a_log_changes_go_on(parts: Wellhead, tmp_path: Path) -> None:
    (tmp_path / "config" / "audit.jsonl").mkdir(parents=True)
    with api_of(parts) as api, capture_logs() as logs:
        assert api.post(SOURCES, json=csv_source()).status_code == 201
        assert api.get(AUDIT).status_code == 503
    assert [line["event"] for line in logs if line["log_level"] == "error"] == ["audit_unwritable"]


def test_where_it_is_required_no_change_is_made_without_an_entry(workspace: Path, tmp_path: Path) -> None:
    parts = assemble(Settings(workspace=workspace, config_dir=tmp_path / "config", audit_required=True))
    with api_of(parts) as api:
        made = api.post(SOURCES, json=csv_source()).json()
        (tmp_path / "config" / "audit.jsonl").rename(tmp_path / "before")
        (tmp_path / "config" / "audit.jsonl").mkdir()
        one = f"{SOURCES}/{made['id']}"
        answers = [
            api.post(SOURCES, json=csv_source("other")),
            api.patch(one, json={"description": "x"}),
            api.delete(one),
        ]
        assert {(answer.status_code, answer.json()["code"]) for answer in answers} == {(503, "audit_unavailable")}
        assert api.get(SOURCES).json()["total"] == 1
        assert api.get(one).json()["revision"] == 1
    parts.close()
    assert [line["outcome"] for line in lines(tmp_path / "before")] == ["begun", "done"]


@pytest.mark.anyio
async def test_a_change_that_fails_after_it_was_begun_is_written_so(tmp_path: Path) -> None:
    audit = audit_in(tmp_path, is_required=True)
    with pytest.raises(StorageIOError):
        async with audit.noting(Changed("update", NO_ID, "sales", 2, ("path",))):
            assert [line["outcome"] for line in lines(tmp_path / "audit.jsonl")] == ["begun"]
            raise StorageIOError("no")
    assert [(line["outcome"], line["code"]) for line in lines(tmp_path / "audit.jsonl")] == [
        ("begun", None),
        ("failed", "storage_io_error"),
    ]


# Reading it


@pytest.fixture
def written(tmp_path: Path) -> AuditFile:
    """A log of ten entries, the even ones by ben, the first five in another workspace, one a minute."""
    file = audit_file(tmp_path, size=1200, kept=10)
    for number in range(10):
        who, where = "ben" if number % 2 == 0 else "anna", "other" if number < 5 else "team"
        at = f"2026-11-23T08:0{number}:00.000Z"
        file.append(entry(number, user=who, workspace=where, at=at, id=f"id-{number}").encode())
    return file


@pytest.mark.parametrize(
    ("query", "numbers"),
    [
        ({}, [9, 8, 7, 6, 5, 4, 3, 2, 1, 0]),
        ({"workspace": "team"}, [9, 8, 7, 6, 5]),
        ({"user": "ben"}, [8, 6, 4, 2, 0]),
        ({"operation": "delete"}, []),
        ({"data_source": "id-3"}, [3]),
        ({"data_source": "NUMBER 3"}, [3]),
        ({"since": clock.from_text("2026-11-23T08:07:00Z")}, [9, 8, 7]),
        ({"until": clock.from_text("2026-11-23T08:02:00Z")}, [2, 1, 0]),
        ({"user": "anna", "workspace": "team", "limit": 2}, [9, 7]),
    ],
)
def test_the_log_is_read_by_filters(written: AuditFile, query: dict[str, Any], numbers: list[int]) -> None:
    page = read_page(written, AuditQuery(**query))
    assert [found["name"] for found in page.items] == [f"number {number}" for number in numbers]


def test_pages_go_on_where_the_last_one_ended_though_more_is_written(written: AuditFile) -> None:
    found, before = [], None
    while True:
        page = read_page(written, AuditQuery(limit=3, before=before))
        found += [item["name"] for item in page.items]
        before = page.next
        if before is None:
            break
        written.append(entry(99).encode())
    assert found == [f"number {number}" for number in range(9, -1, -1)]


def test_a_log_that_is_not_there_is_empty(tmp_path: Path) -> None:
    assert read_page(audit_file(tmp_path / "nothing"), AuditQuery()).items == []


def test_the_api_gives_the_entries_of_the_workspace_and_no_others(parts: Wellhead, tmp_path: Path) -> None:
    with api_of(parts) as api:
        api.post(SOURCES, json=csv_source())
        parts.audit_log.add(entry(1, workspace="somebody else's")).result(10)
        for number in range(3):
            api.post(SOURCES, json=csv_source(f"number {number}"))
        first = api.get(AUDIT, params={"limit": 2}).json()
        second = api.get(AUDIT, params={"limit": 2, "cursor": first["next"]}).json()
        one = api.get(AUDIT, params={"data_source": "NUMBER 1", "operation": "create"}).json()
        none = api.get(AUDIT, params={"to": "2020-01-01T00:00:00Z"}).json()
    assert [item["name"] for item in (*first["items"], *second["items"])] == [
        "number 2",
        "number 1",
        "number 0",
        "sales",
    ]
    assert second["next"] is None
    assert [item["name"] for item in one["items"]] == ["number 1"]
    assert none == {"items": [], "next": None}


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ({"who": "anna"}, "unknown_parameter"),
        ({"from": "yesterday"}, "bad_format"),
        ({"cursor": "../../etc/passwd"}, "bad_format"),
        ({"limit": "201"}, "bad_format"),
        ({"operation": "DROP"}, "bad_format"),
    ],
)
def test_a_query_that_does_not_fit_is_refused(parts: Wellhead, query: dict[str, str], code: str) -> None:
    with api_of(parts) as api:
        answer = api.get(AUDIT, params=query)
    assert (answer.status_code, answer.json()["code"]) == (422, code)


def test_the_log_holds_no_request_up(tmp_path: Path) -> None:
    """A full queue is waited for in a thread, so that the event loop goes on."""
    log = AuditLog(audit_file(tmp_path), waiting=1)
    gate = threading.Event()
    append = log.file.append

    def slow(lines: bytes) -> None:
        gate.wait(10)
        append(lines)

    log.file.append = slow  # type: ignore[method-assign]  # a disk that hangs
    audit = Audit(log, "team", is_required=False)

    async def work() -> None:
        tasks = [asyncio.create_task(audit.answered(entry(number), wait=False)) for number in range(5)]
        await asyncio.sleep(0.1)
        assert not all(task.done() for task in tasks)
        gate.set()
        await asyncio.gather(*tasks)

    asyncio.run(work())
    log.close()
    assert len(lines(tmp_path / "audit.jsonl")) == 5
