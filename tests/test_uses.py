"""The log of uses of secrets."""

import json
import os
import resource
from pathlib import Path
from typing import Any

import pytest

from support.faults import limited
from support.probe import NO_ID, open_descriptors
from wellhead import clock
from wellhead.access.uses import UseLog
from wellhead.errors import StorageIOError


def lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_each_use_is_one_line_of_who_when_and_what(tmp_path: Path) -> None:
    log = UseLog(tmp_path / "config" / "uses.jsonl", tmp_path)
    log.add("resolve", NO_ID, "ware\nhouse", 3)
    log.add("run", NO_ID, None, None)
    first, second = lines(tmp_path / "config" / "uses.jsonl")
    assert clock.from_text(first["at"]) <= clock.now()
    assert (first["action"], first["id"], first["name"], first["revision"]) == ("resolve", NO_ID, "ware\nhouse", 3)
    assert (first["workspace"], first["pid"]) == (str(tmp_path), os.getpid())
    assert second["action"] == "run"


def test_the_log_is_private(tmp_path: Path) -> None:
    UseLog(tmp_path / "config" / "uses.jsonl", tmp_path).add("run", NO_ID, "n", 1)
    assert (tmp_path / "config" / "uses.jsonl").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "config").stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("make", [os.mkdir, os.mkfifo, lambda path: path.symlink_to("other")])
def test_where_the_log_is_no_file_the_use_is_refused_at_once(tmp_path: Path, make: Any) -> None:
    make(tmp_path / "uses.jsonl")
    before = open_descriptors()
    with pytest.raises(StorageIOError, match="cannot be written"):
        UseLog(tmp_path / "uses.jsonl", tmp_path).add("run", NO_ID, "n", 1)
    assert open_descriptors() == before
    assert not (tmp_path / "other").exists()


@pytest.mark.parametrize("room", [0, 10])
def test_D_18_a_line_that_does_not_fit_the_disk_whole_refuses_the_use(tmp_path: Path, room: int) -> None:
    log = UseLog(tmp_path / "uses.jsonl", tmp_path)
    log.add("run", NO_ID, "n", 1)
    size = (tmp_path / "uses.jsonl").stat().st_size
    with limited(resource.RLIMIT_FSIZE, size + room), pytest.raises(StorageIOError):
        log.add("run", NO_ID, "n", 2)


def test_a_user_without_a_name_is_known_by_number(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LOGNAME", "USER", "LNAME", "USERNAME"):
        monkeypatch.delenv(name, raising=False)
    UseLog(tmp_path / "uses.jsonl", tmp_path).add("run", NO_ID, "n", 1)
    assert lines(tmp_path / "uses.jsonl")[0]["user"]
