"""The index: it answers as a look at all records does, whatever happens to it or beside it."""

import asyncio
import json
import os
import random
import shutil
import sqlite3
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, closing
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import model_validator

from support.canary import Canary
from support.faults import mounted, read_only
from support.probe import Probe, ProbeSource, names_in, open_descriptors, probe_of
from support.programs import missing_service
from support.results import result
from support.types import SET_AT
from wellhead import Secret, clock
from wellhead.catalog.listing import SORT_FIELDS, ListQuery, Page, matches, page_from, page_of, selection_of
from wellhead.catalog.summary import group_of
from wellhead.errors import NameTakenError, QuotaExceededError
from wellhead.storage.files.store import FileRecordStore
from wellhead.storage.index import file as index_file
from wellhead.storage.index import indexing
from wellhead.storage.index.file import IndexFile
from wellhead.storage.index.notes import ID_OF
from wellhead.storage.index.query import groups_of, queries_of
from wellhead.storage.index.schema import INDEXES, TABLES
from wellhead.storage.index.writes import TAKE_IN
from wellhead.storage.records import Record
from wellhead.storage.selection import Position, Selection

pytestmark = pytest.mark.anyio
INDEX = ".index.sqlite"


@pytest.fixture
def probe(workspace: Path) -> Iterator[Probe]:
    probe = probe_of(workspace)
    yield probe
    probe.store.close()


async def indexed(probe: Probe, query: ListQuery) -> Page:
    """Return a page by the index, which must be there."""
    chosen = await probe.service.choose(selection_of(query))
    assert chosen is not None
    return page_from(chosen)


async def looked_up(probe: Probe, query: ListQuery) -> Page:
    """Return the same page by looking at all records."""
    return page_of(await probe.service.list_configs(), query)


async def names(probe: Probe, **query: Any) -> list[Any]:
    return [item["name"] for item in (await indexed(probe, ListQuery(**query))).items]


async def save(probe: Probe, name: str, **fields: Any) -> Any:
    return await probe.service.save_config(ProbeSource(name=name, **{"host": "h", **fields}))


def write(directory: Path, name: str, number: int = 0, **facts: Any) -> Path:
    """Write a record by hand."""
    created, updated = (clock.to_text(SET_AT + timedelta(minutes=number * factor)) for factor in (1, 2))
    record = Record(str(uuid4()), "probe", name, None, {}, created, updated, 1, {"host": "h"})
    record = replace(record, **facts)
    path = directory / f"{record.id}.json"
    path.write_bytes(record.encode())
    return path


@pytest.fixture
def unwatched(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a store be a large one, whose files are not looked at before each answer."""
    monkeypatch.setattr(indexing, "LOOKED_AT_ALWAYS", -1)


# It answers as a look at all records does


NAMES = st.sampled_from(
    ["a", "A", "b", "ß", "ss", "Straße", "STRASSE", 'quo"te', "per%cent", "naïve", "\U0001f600 x y"]
)
RECORDS = st.lists(
    st.fixed_dictionaries(
        {
            "name": NAMES,
            "type": st.sampled_from(["probe", "other", "gone"]),
            "description": st.none()
            | st.sampled_from(["All ORDERS", "orders of a day", 'with "quotes"', "日本語のデータ"]),
            "labels": st.dictionaries(st.sampled_from(["team", "stage"]), st.sampled_from(["x", "y", ""])),
            "number": st.integers(0, 3),
            "damage": st.sampled_from(["", "", "", "", "corrupt", "newer", "invalid", "health", "old health"]),
        }
    ),
    max_size=14,
)
INSTANTS = st.none() | st.integers(0, 6).map(lambda number: SET_AT + timedelta(minutes=number))
QUERIES = st.builds(
    ListQuery,
    types=st.lists(st.sampled_from(["probe", "other", "none"]), max_size=2, unique=True).map(tuple),
    labels=st.lists(
        st.tuples(st.sampled_from(["team", "stage"]), st.sampled_from([None, "x", ""])), max_size=2, unique=True
    ).map(tuple),
    name=st.none() | st.sampled_from(["strasse", "A", ""]),
    text=st.none()
    | st.sampled_from(["ORD", "ass", '"qu', "%ce", "e\u0301\u0301", "日本語", "a\0b", "\ud800aa", "x y"]),
    states=st.lists(st.sampled_from(["ok", "corrupt", "invalid", "type_unavailable"]), max_size=2, unique=True).map(
        tuple
    ),
    health=st.lists(st.sampled_from(["none", "passed"]), max_size=1).map(tuple),
    created=st.tuples(INSTANTS, INSTANTS),
    updated=st.tuples(INSTANTS, INSTANTS),
    sort=st.lists(st.tuples(st.sampled_from(SORT_FIELDS), st.booleans()), max_size=3, unique_by=lambda key: key[0]).map(
        tuple
    ),
    limit=st.integers(1, 5),
)
ONE_FILTER = st.sampled_from(["types", "labels", "name", "text", "states", "health", "created", "updated"])


def fill(directory: Path, rows: list[dict[str, Any]]) -> None:
    """Write records by hand, some of which something is wrong with."""
    for row in rows:
        facts = {key: row[key] for key in ("type", "description", "labels")}
        path = write(directory, row["name"], row["number"], **facts)
        document = json.loads(path.read_bytes())
        if row["damage"] == "corrupt":
            path.write_bytes(b"{")
        elif row["damage"] in {"newer", "invalid"}:
            change = {"wellhead_format": 2} if row["damage"] == "newer" else {"fields": {}}
            path.write_bytes(json.dumps(document | change).encode())
        elif row["damage"]:
            summary = {"status": "passed", "checked_at": document["created_at"], "duration_ms": 1.5}
            summary["revision"] = 1 if row["damage"] == "health" else 2
            path.with_name(f"{path.stem}.health.jsonl").write_text(json.dumps(summary))


@given(RECORDS, st.lists(QUERIES, max_size=3), st.lists(st.tuples(QUERIES, ONE_FILTER), max_size=4), st.booleans())
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_the_index_answers_as_a_look_at_all_records_does(
    tmp_path: Path, rows: Any, queries: list[ListQuery], single: Any, few: bool
) -> None:
    home = tmp_path / uuid4().hex
    (home / ".datasources").mkdir(parents=True, mode=0o700)
    fill(home / ".datasources", rows)
    probe = probe_of(home)
    # With one filter or none, more is found than with all at once.
    queries += [
        replace(ListQuery(sort=query.sort, limit=query.limit), **{name: getattr(query, name)}) for query, name in single
    ]
    with pytest.MonkeyPatch.context() as patched:
        if not few:
            patched.setattr("wellhead.storage.index.query._FEW", -1)
            patched.setattr("wellhead.storage.index.query._FEW_WITH_TEXT", -1)
        for query in [ListQuery(), *queries]:
            following: ListQuery | None = query
            while following is not None:
                page = await indexed(probe, following)
                other = await looked_up(probe, following)
                assert (page.as_document(), page.next) == (other.as_document(), other.next)
                assert json.loads(page.as_json("x")) == {**page.as_document(), "next": "x"}
                following = None if page.next is None else replace(query, after=page.next)
            counted = await probe.service.summarize(selection_of(query))
            found = await probe.service.list_configs()
            assert counted == Counter(group_of(item) for item in found if matches(item, query))
    probe.store.close()
    shutil.rmtree(home)


FILTERS: list[dict[str, Any]] = [
    {"types": ("probe",)},
    {"labels": (("team", "x"),)},
    {"labels": (("team", None),)},
    {"states": ("ok",)},
    {"health": ("none",)},
]
SORTS: list[dict[str, Any]] = [{"sort": ((field, down),)} for field in SORT_FIELDS for down in (False, True)]


@pytest.mark.parametrize("asked", [{}, *FILTERS, *SORTS])
def test_a_page_is_read_along_an_index_wherever_it_begins(asked: dict[str, Any]) -> None:
    connection = index_in_memory()
    last = Position(tuple("m" for _ in asked.get("sort", ())), "m", str(UUID(int=1)))
    for after in (None, last):
        selection = Selection(after=after, **asked)
        for query, values in queries_of(selection, total=100_000):
            plan = [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {query}", (*values, 51))]
            assert not any("TEMP B-TREE" in step for step in plan), plan
            assert all("USING" in step for step in plan), plan


def test_all_are_counted_along_one_index() -> None:
    statements: list[str] = []
    connection = index_in_memory()
    connection.set_trace_callback(statements.append)
    assert groups_of(connection, Selection()) == []
    plan = [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {statements[0]}")]
    assert plan == ["SCAN s USING COVERING INDEX by_judgement"]


@pytest.mark.parametrize("statement", [*TAKE_IN, ID_OF])
def test_what_waits_is_looked_through_and_nothing_else(statement: str) -> None:
    connection = index_in_memory()
    plan = [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {statement}", {"key": "a", "but": "b"})]
    assert not any(step.startswith(("SCAN sources", "SCAN labels", "SCAN items")) for step in plan), plan


def index_in_memory() -> sqlite3.Connection:
    connection = sqlite3.connect(":memory:")
    connection.executescript(TABLES + INDEXES)
    return connection


# It is true to our own writes


async def test_what_a_process_writes_is_in_the_list_of_another_at_once(probe: Probe, unwatched: None) -> None:
    other = probe_of(probe.directory.parent)
    one, two = await save(probe, "one"), await save(probe, "two")
    assert await names(other) == ["one", "two"]
    await probe.service.update_config(str(one.id), one.model_copy(update={"name": "three"}))
    await other.service.delete_config(str(two.id))
    assert await names(probe) == await names(other) == ["three"]
    await probe.service.add_result(str(one.id), 2, result())
    assert await names(other, health=("passed",)) == ["three"]
    other.store.close()


async def test_what_was_written_a_moment_ago_is_found_by_its_state(probe: Probe) -> None:
    for number in range(10):
        await save(probe, f"name {number}")

        chosen = await probe.service.choose(Selection(states=("ok",)))

        assert chosen is not None
        assert chosen.total == number + 1


def rows_in(probe: Probe, table: str) -> int:
    with closing(sqlite3.connect(probe.directory / INDEX)) as connection:
        return int(connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0])


async def test_new_rows_wait_for_whoever_reads_and_their_names_are_taken_meanwhile(
    probe: Probe, unwatched: None
) -> None:
    one = await save(probe, "one", labels={"team": 'with "quotes"'}, description="All orders")
    await probe.service.update_config(str(one.id), one.model_copy(update={"name": "two"}))
    await save(probe, "three", labels={"team": "x"})
    assert (rows_in(probe, "pending"), rows_in(probe, "sources")) == (2, 0)
    with pytest.raises(NameTakenError):
        await save(probe, "THREE")
    assert await names(probe, text="orders") == ["two"]
    assert await names(probe, labels=(("team", 'with "quotes"'),)) == ["two"]
    assert (rows_in(probe, "pending"), rows_in(probe, "sources")) == (0, 2)
    await save(probe, "one")
    assert await names(probe) == ["one", "three", "two"]


async def test_many_rows_do_not_wait_for_each_other(probe: Probe, unwatched: None) -> None:
    for number in range(70):
        await save(probe, f"name {number}")
    assert 0 < rows_in(probe, "pending") < 10
    assert rows_in(probe, "pending") + rows_in(probe, "sources") == 70


async def test_what_waits_counts_for_the_quota(workspace: Path, unwatched: None) -> None:
    store = FileRecordStore(workspace, quota=2)
    records = [Record(str(uuid4()), "probe", name, None, {}, "", "", 1, {"host": "h"}) for name in "abc"]
    instant = clock.to_text(SET_AT)
    a, b, c = (replace(record, created_at=instant, updated_at=instant) for record in records)
    await store.create(a)
    await store.replace(replace(a, revision=2), expected=1)
    await store.create(b)
    with pytest.raises(QuotaExceededError):
        await store.create(c)
    store.close()


async def test_a_refused_write_leaves_the_index_as_it_was(probe: Probe, unwatched: None) -> None:
    await save(probe, "one")
    with pytest.raises(NameTakenError):
        await save(probe, "ONE")
    assert await names(probe) == ["one"]


KILLED = """
import asyncio, sys
from pathlib import Path
from support.probe import ProbeSource, probe_of
probe = probe_of(Path(sys.argv[1]))
asyncio.run(probe.service.save_config(ProbeSource(name="new", host="h")))
"""


@pytest.mark.parametrize(("at", "found"), [("rename,renameat,renameat2", None), ("fsync:when=2", ["new", "old"])])
async def test_D_01_a_writer_that_is_killed_between_the_record_and_the_index_is_noticed(
    probe: Probe, unwatched: None, at: str, found: list[str] | None
) -> None:
    if shutil.which("strace") is None:
        missing_service("strace is not installed: no writer was killed.")
    await save(probe, "old")
    await names(probe)
    call, _, when = at.partition(":")
    inject = f"inject={call}:signal=SIGKILL" + (f":{when}" if when else "")
    done = await asyncio.to_thread(
        subprocess.run,
        ["strace", "-f", "-o", "/dev/null", "-e", inject, sys.executable, "-c", KILLED, str(probe.directory.parent)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        check=False,
    )
    assert done.returncode != 0  # it was killed
    stored = sorted(item.name or "" for item in await probe.service.list_configs())
    assert await names(probe) == stored
    assert stored == found or found is None


async def test_a_note_that_a_crash_left_is_taken_up_by_the_next_list(probe: Probe, unwatched: None) -> None:
    await save(probe, "one")
    path = write(probe.directory, "two")
    with closing(sqlite3.connect(probe.directory / INDEX)) as connection:
        connection.execute("INSERT INTO changing VALUES (?)", (path.stem,))
        connection.commit()
    assert await names(probe) == ["one", "two"]
    with pytest.raises(NameTakenError):
        await save(probe, "TWO")


# It is true to edits by hand, after a sweep


async def test_in_a_small_store_an_edit_by_hand_is_seen_at_once(probe: Probe) -> None:
    made = await save(probe, "one")
    assert await names(probe) == ["one"]
    text = probe.path(made).read_bytes()
    probe.path(made).write_bytes(text.replace(b'"one"', b'"two"'))
    assert await names(probe) == ["two"]
    write(probe.directory, "more")
    assert await names(probe) == ["more", "two"]
    probe.path(made).unlink()
    assert await names(probe) == ["more"]


async def test_in_a_large_store_an_edit_by_hand_is_seen_after_a_sweep(probe: Probe, unwatched: None) -> None:
    made = await save(probe, "one")
    await names(probe)
    probe.path(made).write_bytes(probe.path(made).read_bytes().replace(b'"one"', b'"two"'))
    assert await names(probe) == ["one"]
    assert await probe.store.sweep_index() == 1
    assert await names(probe) == ["two"]


async def test_a_command_sweeps_if_nobody_did_for_a_minute(
    probe: Probe, unwatched: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    await save(probe, "one")
    await names(probe)
    write(probe.directory, "two")
    assert await names(probe) == ["one"]
    monkeypatch.setattr(indexing, "SWEEP_EVERY", -100.0)
    assert await names(probe) == ["one", "two"]


async def test_after_the_machine_was_started_anew_everything_is_compared(
    probe: Probe, unwatched: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    await save(probe, "one")
    await names(probe)
    write(probe.directory, "two")
    monkeypatch.setattr(indexing, "boot_id", lambda: "another start")
    after = probe_of(probe.directory.parent)
    assert await names(after) == ["one", "two"]
    after.store.close()


async def test_a_name_that_was_freed_by_hand_can_be_taken(probe: Probe, unwatched: None) -> None:
    made = await save(probe, "one")
    await names(probe)
    probe.path(made).write_bytes(probe.path(made).read_bytes().replace(b'"one"', b'"two"'))
    await save(probe, "one")
    assert await names(probe) == ["one", "two"]


async def test_a_file_that_is_put_back_while_its_new_row_waits_has_its_old_name(probe: Probe, unwatched: None) -> None:
    made = await save(probe, "one")
    await names(probe)
    before = probe.path(made).read_bytes()
    await probe.service.update_config(str(made.id), made.model_copy(update={"name": "two"}))
    probe.path(made).write_bytes(before)
    await save(probe, "two")
    with pytest.raises(NameTakenError):
        await save(probe, "one")
    assert await names(probe) == ["one", "two"]


@pytest.mark.parametrize("by_index", [True, False])
async def test_D_23_the_name_of_a_record_of_a_newer_format_is_taken(probe: Probe, *, by_index: bool) -> None:
    made = await save(probe, "one")
    path = probe.path(made)
    path.write_bytes(path.read_bytes().replace(b'"wellhead_format": 1', b'"wellhead_format": 2'))
    assert await names(probe) == ["one"]
    if not by_index:
        probe.store.indexing.file.rest()
    with pytest.raises(NameTakenError):
        await save(probe, "ONE")


# It may be lost, damaged, or not possible at all


DAMAGE = {
    "gone": lambda path: path.unlink(),
    "empty": lambda path: path.write_bytes(b""),
    "zeros": lambda path: path.write_bytes(bytes(path.stat().st_size)),
    "text": lambda path: path.write_bytes(b"no database" * 1000),
    "half": lambda path: path.write_bytes(path.read_bytes()[: path.stat().st_size // 2]),
    "a link": lambda path: (path.unlink(), path.symlink_to("/dev/null")),
    "another version": lambda path: path.write_bytes(path.read_bytes()[:60] + bytes(4) + path.read_bytes()[64:]),
}


@pytest.mark.parametrize("damage", DAMAGE)
async def test_an_index_that_is_damaged_is_made_anew(probe: Probe, damage: str) -> None:
    await save(probe, "one")
    await save(probe, "two")
    assert await names(probe) == ["one", "two"]
    probe.store.indexing.file.close()
    for beside in ("-wal", "-shm"):
        (probe.directory / (INDEX + beside)).unlink(missing_ok=True)
    DAMAGE[damage](probe.directory / INDEX)
    assert await names(probe) == ["one", "two"]
    await save(probe, "three")
    fresh = probe_of(probe.directory.parent)
    assert await names(fresh) == ["one", "three", "two"]
    fresh.store.close()


@pytest.mark.parametrize("seed", range(6))
async def test_whatever_bytes_of_the_index_are_changed_the_list_does_not_fail(probe: Probe, seed: int) -> None:
    for number in range(20):
        await save(probe, f"source {number:02}", labels={"team": "x"})
    await names(probe)
    probe.store.indexing.file.close()
    content, generator = bytearray((probe.directory / INDEX).read_bytes()), random.Random(seed)
    for place in generator.sample(range(len(content)), 400):
        content[place] ^= generator.randrange(1, 256)
    (probe.directory / INDEX).write_bytes(content)
    for query in (ListQuery(), ListQuery(text="source"), ListQuery(labels=(("team", "x"),)), ListQuery(states=("ok",))):
        chosen = await probe.service.choose(selection_of(query))
        assert chosen is not None
        json.loads(page_from(chosen).as_json(None))


async def test_an_index_that_has_a_wrong_name_for_a_record_keeps_nobody_from_taking_it(
    probe: Probe, unwatched: None
) -> None:
    await save(probe, "one")
    await names(probe)
    with closing(sqlite3.connect(probe.directory / INDEX)) as connection, connection:
        connection.execute("UPDATE sources SET name_key = 'two'")
    await save(probe, "two")
    probe.store.close()
    other = probe_of(probe.directory.parent)
    assert await names(other) == ["one", "two"]
    other.store.close()


async def test_with_an_index_that_cannot_take_up_what_a_crash_left_a_write_goes_on(probe: Probe) -> None:
    made, kept = await save(probe, "one"), await save(probe, "two")
    await names(probe)
    with closing(sqlite3.connect(probe.directory / INDEX)) as connection, connection:
        connection.execute("INSERT INTO changing VALUES (?)", (str(kept.id),))
        connection.execute("DROP TABLE items")
    probe.path(kept).write_bytes(probe.path(kept).read_bytes().replace(b'"two"', b'"new"'))
    await probe.service.delete_config(str(made.id))
    other = probe_of(probe.directory.parent)
    assert await names(other) == ["new"]
    other.store.close()


async def test_what_was_counted_in_an_index_does_not_count_in_one_that_gets_its_inode(probe: Probe) -> None:
    await save(probe, "one")
    generations = set()
    for _ in range(3):
        await probe.store.rebuild_index()
        with closing(sqlite3.connect(probe.directory / INDEX)) as connection:
            generations |= set(connection.execute("SELECT generation FROM meta"))
    assert len(generations) == 3


async def test_an_item_whose_bytes_are_not_those_that_were_written_is_not_shown(probe: Probe) -> None:
    made = await save(probe, "one")
    await settled(probe)
    with closing(sqlite3.connect(probe.directory / INDEX)) as connection:
        connection.execute("UPDATE items SET item = CAST(replace(item, 'one', 'two') AS BLOB)")
        connection.commit()
    assert (await shown(probe, made) or [{}])[0]["name"] == "one"
    assert await names(probe) == ["one"]


async def test_D_14_a_read_only_store_lists_without_an_index(tmp_path: Path) -> None:
    with mounted(tmp_path):
        (tmp_path / "workspace").mkdir()
        probe = probe_of(tmp_path / "workspace")
        await save(probe, "one")
        await names(probe)
        probe.store.close()
        with read_only(tmp_path):
            fresh = probe_of(tmp_path / "workspace")
            assert await fresh.service.choose(Selection()) is None
            found = await fresh.service.find("one")
            assert found is not None
            assert found.name == "one"
            fresh.store.close()


async def test_D_11_D_42_a_disk_that_is_full_lists_without_an_index_and_is_written_without_one(tmp_path: Path) -> None:
    with mounted(tmp_path, "-o", "size=60k"):
        probe = probe_of(tmp_path, key_file=tmp_path.parent / "config" / "keys.json")
        made = await save(probe, "one")
        assert await probe.service.choose(Selection()) is None
        await probe.service.update_config(str(made.id), made.model_copy(update={"name": "two"}))
        assert [item.name for item in await probe.service.list_configs()] == ["two"]
        assert not (tmp_path / ".datasources" / INDEX).exists()
        assert not [name for name in names_in(tmp_path / ".datasources") if name.startswith(".tmp-")]
        probe.store.close()


async def test_of_lists_that_cannot_take_in_what_waits_one_waits_for_the_lock(
    probe: Probe, unwatched: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(index_file, "_WAIT", 0.1)
    await save(probe, "one")
    await names(probe)
    await save(probe, "two")
    with closing(sqlite3.connect(probe.directory / INDEX, isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        assert await probe.service.choose(Selection()) is None
    assert await probe.service.choose(Selection()) is None  # though it is free again
    monkeypatch.setattr(index_file, "_REST", 0.0)
    probe.store.indexing.file.rest()
    assert await names(probe) == ["one", "two"]


async def test_D_36_a_store_on_a_shared_disk_lists_without_an_index(
    probe: Probe, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(indexing, "is_shared", lambda _path: True)
    await save(probe, "one")
    with pytest.raises(NameTakenError):
        await save(probe, "One")
    assert await probe.service.choose(Selection()) is None
    assert not (probe.directory / INDEX).exists()


# It has the states as they are, and no secret


async def test_the_index_holds_no_secret_and_is_for_its_owner_only(probe: Probe, canary: Canary) -> None:
    await save(probe, "one", password=Secret(canary.secret()), tokens={"a": Secret(canary.secret())})
    await names(probe, states=("ok",))
    box = json.loads(next(probe.directory.glob("*-*.json")).read_bytes())["secrets"]["/password"]["box"]
    for path in probe.directory.glob(".index*"):
        assert path.stat().st_mode & 0o777 == 0o600
        assert box.encode() not in path.read_bytes()


class Stricter(ProbeSource):
    """The same type, in a version with a rule that an older record breaks."""

    @model_validator(mode="after")
    def _rule(self) -> "Stricter":
        if self.note == "old":
            raise ValueError("not any more")
        return self


async def test_G_16_states_follow_the_types_that_each_process_has(probe: Probe, unwatched: None) -> None:
    await save(probe, "one", note="old")
    stricter, without = (probe_of(probe.directory.parent, model=model) for model in (Stricter, None))
    for _ in range(2):
        for process, state in ((probe, "ok"), (stricter, "invalid"), (without, "type_unavailable")):
            assert await names(process, states=(state,)) == ["one"]
            assert [item["state"] for item in (await indexed(process, ListQuery())).items] == [state]
    stricter.store.close()
    without.store.close()


async def test_states_follow_the_key_ring(probe: Probe, unwatched: None, tmp_path: Path) -> None:
    await save(probe, "one", password=Secret("x"))
    await save(probe, "without")
    ring = tmp_path / "config" / "keys.json"
    assert await names(probe, states=("ok",)) == ["one", "without"]
    ring.rename(tmp_path / "away.json")
    assert await names(probe, states=("secret_unavailable",)) == ["one"]
    (tmp_path / "away.json").rename(ring)
    assert await names(probe, states=("ok",)) == ["one", "without"]


async def test_a_list_of_what_was_listed_before_opens_no_record(
    probe: Probe, unwatched: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    await save(probe, "one", password=Secret("x"))
    page = await indexed(probe, ListQuery())
    monkeypatch.setattr("wellhead.storage.index.choosing.read_entry", None)
    assert await indexed(probe, ListQuery()) == page


async def shown(probe: Probe, made: Any) -> Any:
    found = await probe.service.show(str(made.id))
    return None if found is None else (json.loads(found.item), found.revision)


async def test_what_is_shown_is_what_a_read_shows_and_never_an_older_state(probe: Probe, unwatched: None) -> None:
    made = await save(probe, "one", password=Secret("x"))
    await settled(probe)
    stored = await probe.service.read(str(made.id))
    assert await shown(probe, made) == (stored.as_document(), 1)
    content = probe.path(made).read_bytes()
    assert await shown(probe, made) == (stored.as_document(), 1), "what was shown is remembered"
    probe.path(made).write_bytes(content.replace(b'"one"', b'"two"'))
    assert await shown(probe, made) == (stored.as_document() | {"name": "two"}, 1)
    probe.path(made).write_bytes(content)
    await probe.service.add_result(str(made.id), 1, result())
    found = await shown(probe, made)
    assert found is not None
    assert found[0]["health"]["status"] == "passed"
    probe.path(made).write_bytes(b"{")
    assert await shown(probe, made) is None
    probe.path(made).write_bytes(content)
    await probe.service.delete_config(str(made.id))
    assert await shown(probe, made) is None


async def settled(probe: Probe) -> None:
    """Wait until the index may believe the files' times, and let it judge all."""
    await asyncio.sleep(0.05)
    await probe.store.sweep_index()
    await names(probe, states=("ok",))


async def test_what_is_shown_follows_the_key_ring(probe: Probe, tmp_path: Path) -> None:
    made = await save(probe, "one", password=Secret("x"))
    await settled(probe)
    assert await shown(probe, made) is not None
    (tmp_path / "config" / "keys.json").rename(tmp_path / "away.json")
    found = await shown(probe, made)
    assert found is not None
    assert found[0]["state"] == "secret_unavailable"


async def test_of_several_processes_that_sweep_one_does(workspace: Path, unwatched: None) -> None:
    stores = [FileRecordStore(workspace) for _ in range(3)]
    swept: list[int] = []
    for number, store in enumerate(stores):
        sweep = store.indexing.sweep

        def counted(directory: int, number: int = number, sweep: Any = sweep) -> int:
            swept.append(number)
            return int(sweep(directory))

        store.indexing.sweep = counted  # type: ignore[method-assign]  # to see which one it is
    probe = probe_of(workspace)
    await save(probe, "one")
    await names(probe)
    with closing(sqlite3.connect(probe.directory / INDEX)) as connection:
        connection.execute("UPDATE meta SET swept_at = 0")
        connection.commit()
    descriptor = os.open(probe.directory, os.O_RDONLY)
    for store in stores:
        store.indexing.has_sweeper = True
    await asyncio.gather(*(asyncio.to_thread(store.indexing.sweep_if_due, descriptor) for store in stores))
    assert len(swept) == 1
    os.close(descriptor)
    for store in (*stores, probe.store):
        store.close()


async def test_making_the_index_is_told_as_it_goes_on(workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = FileRecordStore(workspace)
    (workspace / ".datasources").mkdir(mode=0o700)
    for number in range(450):
        write(workspace / ".datasources", f"source {number}")
    told: list[tuple[int, int]] = []
    store.indexing.watch = lambda done, total: told.append((done, total))
    assert await store.rebuild_index() == 450
    assert told == [(200, 450), (400, 450), (450, 450)]
    store.close()


async def test_a_crowd_leaves_few_connections_open(probe: Probe) -> None:
    await save(probe, "one")
    await names(probe)
    directory = os.open(probe.directory, os.O_RDONLY)
    index, before = IndexFile(probe.directory), open_descriptors()
    with ExitStack() as crowd:
        connections = [crowd.enter_context(index.connection(directory)) for _ in range(20)]
        assert {connection.execute("SELECT count(*) FROM sources").fetchone() for connection in connections} == {(1,)}
    # Of those that are closed SQLite keeps the file itself open, for the next, while another one has it locked.
    assert open_descriptors() <= before + 20 + 4 + 1
    index.close()
    os.close(directory)
