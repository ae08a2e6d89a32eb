"""`lines_backwards`: the lines that are not empty, the last one first, and no more of the file than is asked for."""

from __future__ import annotations

import os
from itertools import islice
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wellhead.access import backwards
from wellhead.access.backwards import BLOCK, lines_backwards


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("backwards") / "log"


@given(lines=st.lists(st.binary(max_size=9).map(lambda line: line.replace(b"\n", b"")), max_size=20), more=st.binary())
def test_the_lines_are_those_of_the_first_bytes_from_their_end(path: Path, lines: list[bytes], more: bytes) -> None:
    content = b"".join(line + b"\n" for line in lines)
    path.write_bytes(content + more)
    with pytest.MonkeyPatch.context() as patched, path.open("rb") as file:
        patched.setattr(backwards, "BLOCK", 4)
        assert list(lines_backwards(file, len(content))) == [line for line in lines[::-1] if line]


def test_a_line_without_its_end_is_one_too(path: Path) -> None:
    path.write_bytes(b"one\ntwo\nthr")
    with path.open("rb") as file:
        assert list(lines_backwards(file, 11)) == [b"thr", b"two", b"one"]


def test_of_a_large_file_only_the_end_is_read(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path.write_bytes(b"a line of a log\n" * 100_000)
    read: list[int] = []
    monkeypatch.setattr(os, "pread", lambda *place, _pread=os.pread: read.append(place[1]) or _pread(*place))
    with path.open("rb") as file:
        found = list(islice(lines_backwards(file, path.stat().st_size), 100))
    assert set(found) == {b"a line of a log"}
    assert sum(read) <= 2 * BLOCK
