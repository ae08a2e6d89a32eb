"""The type `sqlite` with real database files."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from wellhead import ValidationResult, testing
from wellhead_sqlite import tables_of, wellhead_data_source_types


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """A workspace with a database in it."""
    with closing(sqlite3.connect(tmp_path / "shop.db")) as database:
        database.executescript("CREATE TABLE orders (id); CREATE VIEW recent AS SELECT * FROM orders;")
    return tmp_path


def check(workspace: Path, **fields: Any) -> ValidationResult:
    with testing.open_workspace(workspace, types=wellhead_data_source_types()) as opened:
        opened.add({"name": "shop", "type": "sqlite", "path": "shop.db"} | fields)
        return opened.validate("shop")


def codes(result: ValidationResult) -> list[tuple[str, str | None]]:
    return [(one.name, one.code) for one in result.checks if one.status != "skipped"]


def test_a_database_passes_and_its_tables_are_listed(shop: Path) -> None:
    result = check(shop, table="orders")
    assert codes(result) == [("locate", None), ("read", None), ("query", None)]
    assert result.details == {"tables": ["orders", "recent"]}


def test_a_database_in_use_passes_and_is_left_alone(shop: Path) -> None:
    with closing(sqlite3.connect(shop / "shop.db")) as database:
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("BEGIN EXCLUSIVE")
        before = {path.name for path in shop.iterdir()}
        assert check(shop).status == "passed"
        assert {path.name for path in shop.iterdir() if not path.is_dir()} == before


@pytest.mark.parametrize("content", [b"", b"id,total\n1,2\n", b"SQLite format 2\0" + bytes(84)])
def test_another_file_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "shop.db").write_bytes(content)
    assert codes(check(tmp_path))[-1] == ("read", "not_sqlite")


@pytest.mark.parametrize("cut", [16, 100])
def test_a_damaged_database_is_refused(shop: Path, cut: int) -> None:
    data = (shop / "shop.db").read_bytes()
    (shop / "shop.db").write_bytes(data[:cut] + b"\xff" * (len(data) - cut))
    assert codes(check(shop))[-1] == ("query", "database_damaged")


def test_a_missing_table_is_named_by_its_field(shop: Path) -> None:
    failed = check(shop, table="Orders").errors[0]
    assert (failed.code, failed.fields) == ("table_not_found", ("/table",))


@pytest.mark.parametrize("path", ["missing.db", "link.db"])
def test_what_the_guard_refuses_is_not_opened(shop: Path, path: str) -> None:
    (shop / "link.db").symlink_to(shop / "shop.db")
    assert codes(check(shop, path=path)) == [("locate", "file_unavailable")]


@pytest.mark.parametrize("statement", ["ATTACH 'other.db' AS b", "PRAGMA user_version", "DELETE FROM orders"])
def test_other_statements_are_denied(shop: Path, statement: str, monkeypatch: pytest.MonkeyPatch) -> None:
    data = (shop / "shop.db").read_bytes()
    monkeypatch.setattr("wellhead_sqlite.TABLES", statement)
    with pytest.raises(sqlite3.DatabaseError, match="authorized"):
        tables_of(data)
