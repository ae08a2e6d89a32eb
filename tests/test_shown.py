"""Data sources as they were shown last."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from wellhead.storage.disk.results import results_name
from wellhead.storage.index.shown import Judged, ShownItems
from wellhead.storage.selection import Shown
from wellhead.storage.store import Entry
from wellhead.storage.stored import StoredDataSource

RECORD = "0a0a0a0a-0000-4000-8000-000000000001"
SHOWN = Shown(b'{"name": "one"}', 1)


class FixedJudge:
    """A judge whose basis the test chooses."""

    def __init__(self, basis: int = 7) -> None:
        self.number = basis

    def basis(self, _type_name: str, *, sealed: bool) -> int:
        return self.number + sealed

    def judged(self, entry: Entry) -> StoredDataSource:
        raise NotImplementedError


@pytest.fixture
def directory(tmp_path: Path) -> Iterator[int]:
    """The descriptor of a directory with one record."""
    (tmp_path / f"{RECORD}.json").write_bytes(b"content")
    descriptor = os.open(tmp_path, os.O_RDONLY)
    yield descriptor
    os.close(descriptor)


def judged(content: bytes = b"content", *, basis: int = 7) -> Judged:
    return Judged(hashlib.sha256(content).digest(), None, "fine", sealed=False, basis=basis, shown=SHOWN)


def test_what_was_shown_is_found_while_nothing_changes(directory: int) -> None:
    items = ShownItems()
    assert items.find(directory, RECORD, FixedJudge()) is None
    items.keep(RECORD, judged())
    for _ in range(2):
        assert items.find(directory, RECORD, FixedJudge()) is SHOWN


def test_another_content_another_basis_or_new_results_make_it_unknown(directory: int, tmp_path: Path) -> None:
    items = ShownItems()
    for number, change in enumerate(
        (
            lambda: (tmp_path / f"{RECORD}.json").write_bytes(b"another"),
            (tmp_path / f"{RECORD}.json").unlink,
            lambda: (tmp_path / results_name(RECORD)).write_bytes(b"{}"),
        )
    ):
        (tmp_path / f"{RECORD}.json").write_bytes(b"content")
        items.keep(RECORD, judged())
        assert items.find(directory, RECORD, FixedJudge()) is SHOWN, number
        change()
        assert items.find(directory, RECORD, FixedJudge()) is None, number
    (tmp_path / results_name(RECORD)).unlink()
    items.keep(RECORD, judged(basis=8))
    assert items.find(directory, RECORD, FixedJudge()) is None


def test_a_link_in_the_place_of_a_record_is_not_followed(directory: int, tmp_path: Path) -> None:
    items = ShownItems()
    items.keep(RECORD, judged())
    (tmp_path / f"{RECORD}.json").rename(tmp_path / "elsewhere")
    (tmp_path / f"{RECORD}.json").symlink_to("elsewhere")
    assert items.find(directory, RECORD, FixedJudge()) is None


def test_the_one_that_was_not_asked_for_longest_is_forgotten_first(directory: int, tmp_path: Path) -> None:
    items = ShownItems(kept=2)
    names = [RECORD[:-1] + str(number) for number in range(3)]
    for name in names:
        (tmp_path / f"{name}.json").write_bytes(b"content")
    items.keep(names[0], judged())
    items.keep(names[1], judged())
    assert items.find(directory, names[0], FixedJudge()) is SHOWN
    items.keep(names[2], judged())
    assert [items.find(directory, name, FixedJudge()) for name in names] == [SHOWN, None, SHOWN]
