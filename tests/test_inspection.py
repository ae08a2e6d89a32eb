"""Looking over the directory of a store, with real files."""

import json
import os
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from support.faults import give_away, mounted, read_only
from support.probe import NO_ID, names_in, open_descriptors
from support.results import result, summary
from support.workers import hold_lock, started
from wellhead.storage.disk.locks import StoreLock
from wellhead.storage.files import inspection
from wellhead.storage.files.inspection import inspect_store
from wellhead.storage.findings import Finding

LEFT = ".tmp-0123456789abcdef"


@pytest.fixture
def store(workspace: Path) -> Path:
    """A store in which all is well, with a record and what lies beside one."""
    path = workspace / ".datasources"
    path.mkdir(mode=0o700)
    line = b'{"status": "passed"}'
    for name in (f"{NO_ID}.json", f"{NO_ID}.health.jsonl", "workspace.json", ".lock", ".gitignore", ".index.sqlite"):
        (path / name).write_bytes(line)
        (path / name).chmod(0o600)
    (path / f"{NO_ID}.health.jsonl").write_text(f"{json.dumps(summary())}\n{json.dumps(result(revision=1))}")
    return path


def look(store: Path, *, repair: bool = False) -> list[Finding]:
    before = open_descriptors()
    found = inspect_store(store, StoreLock(0.5), repair=repair)
    assert open_descriptors() == before
    return found


def wrong(store: Path, *, repair: bool = False) -> list[tuple[str, str | None]]:
    """Return status and code of what is not in order."""
    return [(finding.status, finding.code) for finding in look(store, repair=repair) if finding.status != "ok"]


def content_of(store: Path) -> dict[str, tuple[Any, ...]]:
    """Return what is in a store: names, modes, and what makes out whether a file was written."""
    seen = {path.name: path.lstat() for path in store.iterdir()}
    return {name: (one.st_mode, one.st_ino, one.st_size, one.st_mtime_ns) for name, one in seen.items()}


def old(path: Path) -> None:
    path.write_bytes(b"")
    path.chmod(0o600)
    os.utime(path, (time.time() - 3600,) * 2)


def test_a_store_in_which_all_is_well_has_nothing_wrong(store: Path) -> None:
    assert wrong(store) == []
    assert [finding.part for finding in look(store)] == ["store", "lock"]


def test_the_backup_of_a_record_is_wellheads_own(store: Path) -> None:
    (store / f"{NO_ID}.backup.json").touch(0o600)
    assert wrong(store, repair=True) == []
    assert (store / f"{NO_ID}.backup.json").exists()


def test_D_14_a_workspace_without_a_store_is_well_and_stays_without_one(workspace: Path) -> None:
    assert wrong(workspace / ".datasources", repair=True) == []
    assert names_in(workspace) == []


Spoil = Callable[[Path], Any]
OTHER_ID = "0b1f0c7e-6b0a-4a53-9d39-0c7f4f1f2a11"
DAMAGE: dict[str, tuple[Spoil, tuple[str, str]]] = {
    "written by others": (lambda store: store.chmod(0o777), ("problem", "store_writable_by_others")),
    "read by others": (lambda store: store.chmod(0o755), ("warning", "store_readable_by_others")),
    "left": (lambda store: old(store / LEFT), ("warning", "temporary_file_left")),
    "orphaned backup": (
        lambda store: (store / f"{OTHER_ID}.backup.json").touch(0o600),
        ("warning", "side_file_orphaned"),
    ),
    "orphaned": (lambda store: (store / f"{NO_ID}.json").unlink(), ("warning", "side_file_orphaned")),
    "foreign": (lambda store: (store / "notes.txt").write_text("x"), ("warning", "foreign_file")),
    "foreign directory": (lambda store: (store / "notes").mkdir(), ("warning", "foreign_file")),
    "open record": (lambda store: (store / f"{NO_ID}.json").chmod(0o644), ("warning", "file_readable_by_others")),
    "open lock": (lambda store: (store / ".lock").chmod(0o666), ("warning", "file_readable_by_others")),
    "in git": (lambda store: (store / ".gitignore").unlink(), ("warning", "gitignore_missing")),
    "damaged history": (
        lambda store: (
            (store / f"{NO_ID}.history.jsonl").touch(0o600) or (store / f"{NO_ID}.history.jsonl").write_text("{\n")
        ),
        ("warning", "history_damaged"),
    ),
    "unreadable history": (lambda store: (store / f"{NO_ID}.history.jsonl").mkdir(), ("problem", "record_unreadable")),
    "damaged summary": (
        lambda store: (store / f"{NO_ID}.health.jsonl").write_text(f"{{\n{json.dumps(result(revision=1))}"),
        ("warning", "results_damaged"),
    ),
    "damaged result": (
        lambda store: (store / f"{NO_ID}.health.jsonl").write_text(f"{json.dumps(summary())}\n{{}}"),
        ("warning", "results_damaged"),
    ),
    "unreadable results": (
        lambda store: (store / f"{NO_ID}.health.jsonl").unlink() or (store / f"{NO_ID}.health.jsonl").mkdir(),
        ("warning", "results_damaged"),
    ),
    "stranger": (lambda store: give_away(store / f"{NO_ID}.json"), ("problem", "file_of_another_user")),
}
MENDED = {
    "written by others",
    "read by others",
    "left",
    "orphaned",
    "orphaned backup",
    "open record",
    "open lock",
    "in git",
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_what_is_wrong_is_found_with_what_to_do_and_looking_changes_nothing(store: Path, damage: str) -> None:
    spoil, expected = DAMAGE[damage]
    spoil(store)
    before = store.stat().st_mode, content_of(store)
    assert wrong(store) == [expected]
    assert all(finding.remedy or finding.code == "record_unreadable" for finding in look(store) if finding.code)
    assert (store.stat().st_mode, content_of(store)) == before


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_repair_mends_what_is_safe_to_mend_and_leaves_all_else(store: Path, damage: str) -> None:
    spoil, (status, code) = DAMAGE[damage]
    spoil(store)
    record = store / f"{NO_ID}.json"
    before = record.read_bytes() if record.exists() else None
    assert wrong(store, repair=True) == [("repaired" if damage in MENDED else status, code)]
    assert wrong(store) == ([] if damage in MENDED else [(status, code)])
    assert (record.read_bytes() if record.exists() else None) == before


def test_D_21_a_temporary_file_that_may_still_be_written_is_left_and_not_complained_of(store: Path) -> None:
    (store / LEFT).write_bytes(b"")
    assert wrong(store, repair=True) == []
    assert (store / LEFT).exists()


def test_S_05_a_store_that_is_a_link_or_of_somebody_else_is_not_looked_into(store: Path, tmp_path: Path) -> None:
    moved = store.rename(tmp_path / "elsewhere")
    store.symlink_to(moved)
    old(moved / LEFT)
    assert wrong(store, repair=True) == [("problem", "store_not_a_directory")]
    assert (moved / LEFT).exists()
    store.unlink()
    moved.rename(store)
    give_away(store)
    assert wrong(store, repair=True) == [("problem", "store_of_another_user")]


def test_S_03_what_was_planted_is_not_followed_by_a_repair(store: Path, tmp_path: Path) -> None:
    (tmp_path / "target").write_text("mine")
    (tmp_path / "target").chmod(0o644)
    (store / "workspace.json").unlink()
    (store / "workspace.json").symlink_to(tmp_path / "target")
    os.mkfifo(store / f"{NO_ID}.history.jsonl")
    inspect_store(store, StoreLock(0.5), repair=True)
    assert (tmp_path / "target").stat().st_mode & 0o777 == 0o644


def test_D_35_a_lock_that_is_no_file_is_a_problem(store: Path) -> None:
    (store / ".lock").unlink()
    with socket.socket(socket.AF_UNIX) as planted:
        planted.bind(str(store / ".lock"))
        assert wrong(store) == [("problem", "store_unavailable")]


def test_D_33_a_lock_that_another_process_keeps_is_a_problem(store: Path) -> None:
    process, pipe = started(hold_lock, store)
    assert pipe.recv() == "held"
    found = inspect_store(store, StoreLock(0.5), repair=False)
    assert [(finding.status, finding.code) for finding in found if finding.part == "lock"] == [
        ("problem", "store_busy")
    ]
    process.kill()
    process.join()


def test_D_14_a_store_that_is_read_only_is_looked_over_and_nothing_is_mended(tmp_path: Path) -> None:
    with mounted(tmp_path, "-o", "size=200m"):
        store = tmp_path / ".datasources"
        store.mkdir(0o755)
        (store / ".lock").touch(0o600)
        with read_only(tmp_path):
            found = {finding.code: finding.status for finding in look(store, repair=True) if finding.status != "ok"}
        assert found == dict.fromkeys(("store_readable_by_others", "store_read_only", "gitignore_missing"), "warning")


@pytest.mark.parametrize(("option", "word"), [("size=1m", "MiB"), ("nr_inodes=100", "inodes")])
def test_D_13_D_42_a_disk_that_is_nearly_full_is_told_with_what_is_short(
    tmp_path: Path, option: str, word: str
) -> None:
    with mounted(tmp_path, "-o", option):
        (tmp_path / ".datasources").mkdir(0o700)
        found = [finding for finding in look(tmp_path / ".datasources") if finding.code == "disk_nearly_full"]
        assert [word in finding.message for finding in found] == [True]


def test_D_42_a_store_on_a_network_is_told(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inspection, "is_shared", lambda path: path == store)
    assert wrong(store) == [("warning", "store_on_network")]


def test_many_names_are_told_by_the_first_few(store: Path) -> None:
    for number in range(9):
        (store / f"note{number}").touch()
    [found] = [finding for finding in look(store) if finding.code == "foreign_file"]
    assert found.message == "Not Wellhead's: note0, note1, note2, note3, note4 and 4 more."


def test_an_orphan_whose_record_was_put_back_meanwhile_is_kept(store: Path) -> None:
    record = store / f"{NO_ID}.json"
    content = record.read_bytes()
    record.unlink()

    class LateLock(StoreLock):
        def hold(self, directory: int) -> Any:
            record.write_bytes(content)
            return super().hold(directory)

    inspect_store(store, LateLock(0.5), repair=True)
    assert (store / f"{NO_ID}.health.jsonl").exists()
