"""`open_workspace`: data sources in a program, without a service."""

import asyncio
import json
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

import wellhead
from support.api import csv_source, database
from support.canary import Canary
from wellhead.catalog.listing import ListQuery
from wellhead.errors import (
    ConflictError,
    DataSourceNotFoundError,
    InputError,
    NameTakenError,
    RecordCorruptError,
    SettingsError,
    ValidationFailedError,
)
from wellhead.workspace import Workspace
from wellhead_files import CsvDataSource
from wellhead_postgres import PostgresDataSource


@pytest.fixture
def opened(workspace: Path) -> Iterator[Workspace]:
    """An open workspace, empty, with a file of data."""
    (workspace / "sales.csv").write_text("a,b\n1,2\n")
    with wellhead.open_workspace(workspace) as opened:
        yield opened


def a_database(name: str = "warehouse", **more: object) -> PostgresDataSource:
    fields = {"host": "127.0.0.1", "port": 9, "database": "sales", "username": "reader", "tls_mode": "disable"}
    return PostgresDataSource(name=name, **{**fields, **more})  # type: ignore[arg-type]  # the table's values fit


def test_a_model_is_added_and_comes_back_as_its_type(opened: Workspace) -> None:
    added = opened.add(CsvDataSource(name="sales", path="sales.csv", labels={"team": "x"}))
    assert isinstance(added, CsvDataSource)
    assert (added.name, added.revision, added.labels) == ("sales", 1, {"team": "x"})
    assert opened.get("SALES") == opened.get(str(added.id)) == added


def test_a_mapping_is_added_as_the_api_takes_it(opened: Workspace) -> None:
    assert isinstance(opened.add(csv_source()), CsvDataSource)


@pytest.mark.parametrize("kind", ["model", "mapping", "mapping with a Secret"])
def test_a_secret_is_sealed_when_it_is_added_and_clear_when_it_is_resolved(
    opened: Workspace, canary: Canary, kind: str
) -> None:
    value = canary.secret()
    password = value if kind == "mapping" else wellhead.Secret(value)
    added = opened.add(a_database(password=password) if kind == "model" else database(password=password))
    assert isinstance(added, PostgresDataSource)
    assert added.password is not None
    assert added.password.is_sealed
    canary.saw(repr(added) + added.model_dump_json())
    resolved = opened.resolve("warehouse")
    assert isinstance(resolved, PostgresDataSource)
    assert resolved.password is not None
    assert resolved.password.reveal() == value


def test_a_reference_is_kept_and_looked_up_when_it_is_used(
    workspace: Path, monkeypatch: pytest.MonkeyPatch, canary: Canary
) -> None:
    monkeypatch.setenv("WELLHEAD_REFERENCE_ENV", "OWN_*")
    with wellhead.open_workspace(workspace) as opened:
        opened.add(a_database(password=wellhead.Secret.from_reference("env:OWN_PASSWORD")))
        with pytest.raises(ConflictError):
            opened.resolve("warehouse")
        value = canary.secret()
        monkeypatch.setenv("OWN_PASSWORD", value)
        resolved = opened.resolve("warehouse")
        assert isinstance(resolved, PostgresDataSource)
        assert resolved.password is not None
        assert resolved.password.reveal() == value


def test_X_05_a_copy_of_a_data_source_takes_no_secret_along(opened: Workspace) -> None:
    added = opened.add(a_database(password=wellhead.Secret("a password")))
    made = {"id": None, "created_at": None, "updated_at": None, "revision": None}
    with pytest.raises(InputError) as caught:
        opened.add(added.model_copy(update={"name": "a copy", **made}))
    assert [(problem.pointer, problem.code) for problem in caught.value.problems] == [("/password", "secret_required")]


def test_each_use_is_logged(opened: Workspace, tmp_path: Path, workspace: Path) -> None:
    added = opened.add(a_database(password=wellhead.Secret("a password")))
    opened.resolve("warehouse")
    line = json.loads((tmp_path / "config" / "audit.jsonl").read_text().splitlines()[-1])
    assert (line["operation"], line["id"], line["name"], line["revision"]) == ("resolve", str(added.id), "warehouse", 1)
    assert line["workspace"] == str(workspace)


def test_a_change_is_a_merge_patch(opened: Workspace) -> None:
    opened.add(csv_source(labels={"a": "1", "b": "2"}))
    changed = opened.update("sales", {"labels": {"a": None}, "delimiter": ";"})
    assert isinstance(changed, CsvDataSource)
    assert (changed.labels, changed.delimiter, changed.revision) == ({"b": "2"}, ";", 2)


def test_X_01_a_change_of_the_destination_needs_the_secret(opened: Workspace) -> None:
    opened.add(a_database(password=wellhead.Secret("a password")))
    with pytest.raises(InputError) as caught:
        opened.update("warehouse", {"host": "127.0.0.2"})
    assert caught.value.common_code == "secret_required"
    moved = opened.update("warehouse", {"host": "127.0.0.2", "password": wellhead.Secret("anew")})
    assert moved.revision == 2


def test_what_is_removed_is_gone(opened: Workspace) -> None:
    opened.add(csv_source())
    opened.remove("sales")
    assert opened.list() == []
    for work in (opened.get, opened.remove, opened.validate, opened.resolve):
        with pytest.raises(DataSourceNotFoundError):
            work("sales")


def test_a_data_source_is_found_by_the_id_that_its_model_has(opened: Workspace) -> None:
    made = opened.add(csv_source())
    assert opened.get(made.id) == opened.resolve(made.id) == opened.resolve(str(made.id)) == made
    assert opened.update(made.id, {"description": "x"}).revision == 2
    assert opened.rollback(made.id, 1).revision == len(opened.history(made.id)) + 1 == 3
    assert opened.validate(made.id).success
    opened.remove(made.id)
    assert opened.list() == []


def test_former_revisions_are_told_and_restored(opened: Workspace) -> None:
    opened.add(a_database(password="first"))
    opened.update("warehouse", {"host": "127.0.0.2", "password": "second"})
    assert [former["changed"] for former in opened.history("warehouse")] == [["host", "password"]]
    restored = opened.rollback("warehouse", 1)
    assert (restored.revision, opened.resolve("warehouse").password.reveal()) == (3, "first")  # type: ignore[attr-defined]
    with pytest.raises(InputError):
        opened.rollback("warehouse", 7)


def test_a_validation_returns_its_result(opened: Workspace) -> None:
    opened.add(csv_source())
    opened.add(csv_source("gone", path="gone.csv"))
    assert opened.validate("sales").status == "passed"
    assert opened.validate("gone", timeout=5).errors[0].name == "locate"


def test_with_verify_only_what_works_is_saved(opened: Workspace) -> None:
    with pytest.raises(ValidationFailedError):
        opened.add(csv_source(path="gone.csv"), verify=True)
    assert opened.list() == []
    opened.add(csv_source(), verify=True)
    with pytest.raises(ValidationFailedError):
        opened.update("sales", {"path": "gone.csv"}, verify=True)


def test_all_are_listed_however_many_there_are(opened: Workspace) -> None:
    for number in range(205):
        opened.add(csv_source(f"source {number:03}"))
    assert len({item["id"] for item in opened.list()}) == 205
    assert [item["name"] for item in opened.list(ListQuery(text="source 20"))] == [f"source 20{n}" for n in range(5)]


def test_the_types_are_told(opened: Workspace) -> None:
    assert {"csv", "postgres"} <= {item["name"] for item in opened.types()}


def test_errors_are_those_of_the_module(opened: Workspace, workspace: Path) -> None:
    opened.add(csv_source())
    with pytest.raises(NameTakenError):
        opened.add(csv_source("SALES"))
    with pytest.raises(InputError):
        opened.add({"type": "oracle", "name": "x"})
    path = workspace / ".datasources" / f"{opened.get('sales').id}.json"
    path.write_bytes(b"")
    with pytest.raises(RecordCorruptError):
        opened.get(path.stem)
    opened.remove(path.stem, force=True)


def test_it_works_inside_a_running_event_loop(opened: Workspace) -> None:
    async def work() -> str:
        opened.add(csv_source())
        return opened.validate("sales").status

    assert asyncio.run(work()) == "passed"


def test_it_works_from_many_threads(opened: Workspace) -> None:
    threads = [threading.Thread(target=opened.add, args=(csv_source(f"source {number}"),)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(opened.list()) == 8


def test_two_workspaces_are_open_at_once_and_keep_their_own(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
    with wellhead.open_workspace(tmp_path / "one") as one, wellhead.open_workspace(tmp_path / "two") as two:
        one.add(csv_source())
        assert (len(one.list()), len(two.list())) == (1, 0)


def test_a_workspace_that_is_closed_says_so_and_may_be_closed_again(workspace: Path) -> None:
    opened = wellhead.open_workspace(str(workspace))
    opened.close()
    opened.close()
    with pytest.raises(ValueError, match="closed"):
        opened.list()


def test_a_workspace_leaves_no_thread(workspace: Path) -> None:
    with wellhead.open_workspace(workspace) as opened:
        opened.list()
        assert "wellhead" in {thread.name for thread in threading.enumerate()}
    assert "wellhead" not in {thread.name for thread in threading.enumerate()}


def test_settings_come_from_a_file(workspace: Path, tmp_path: Path) -> None:
    file = tmp_path / "settings.toml"
    file.write_text("bogus = 1")
    with pytest.raises(SettingsError, match="bogus"):
        wellhead.open_workspace(workspace, config_file=file)


def test_a_directory_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="not a directory"):
        wellhead.open_workspace(tmp_path / "nothing")
