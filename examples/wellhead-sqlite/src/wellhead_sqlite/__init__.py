"""Data sources in SQLite database files: type `sqlite`."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from typing import Literal

import wellhead

MAGIC = b"SQLite format 3\0"
TABLES = "SELECT name FROM sqlite_master WHERE type IN ('table', 'view') ORDER BY name LIMIT 10000"
ALLOWED = {sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ}

ERRORS = {"Error": "database_damaged"}  # the base of all that SQLite raises
CODES = {
    "not_sqlite": wellhead.CheckCode(
        "The file is no SQLite database.",
        cause="`path` names another file, or the database is encrypted.",
        remedy="Check `path`. An encrypted database cannot be read either.",
    ),
    "database_damaged": wellhead.CheckCode(
        "The database is damaged.",
        cause="It was cut off, or copied while a program wrote to it.",
        remedy="Restore it from a backup. `PRAGMA integrity_check` tells more.",
    ),
    "table_not_found": wellhead.CheckCode(
        "There is no such table.",
        cause="Its name is misspelt, or it is in another database.",
        remedy="Check `table`: upper and lower case differ. The result's details list what there is.",
    ),
}


class SqliteDataSource(wellhead.FileDataSource):
    """A SQLite database file."""

    type: Literal["sqlite"] = "sqlite"
    format: Literal["sqlite"] = wellhead.field("sqlite", description="Format of the file.")
    table: str | None = wellhead.field(None, description="Table or view that has to be there.", max_length=200)


class SqliteValidator(wellhead.Validator[SqliteDataSource]):
    """Read the file, and look which tables it has."""

    steps = ("locate", "read", "query")

    async def validate(self, config: SqliteDataSource, context: wellhead.ValidationContext) -> None:
        """Look at a copy in memory: what is read is the file that was located, and nothing is ever written."""
        async with context.check("locate", fields=["/path"]):
            file = context.open(config.path)
        async with context.check("read", fields=["/path"]):
            with file:
                data = await context.in_thread(file.read)
            if not data.startswith(MAGIC):
                raise wellhead.CheckFailedError("not_sqlite")
        async with context.check("query", fields=["/path"]):
            tables = await context.in_thread(tables_of, data)
            context.detail("tables", tables)
            if config.table is not None and config.table not in tables:
                raise wellhead.CheckFailedError("table_not_found", fields=["/table"])


def tables_of(data: bytes) -> list[str]:
    """Return the tables and views of a database; no other statement than our own is allowed."""
    with closing(sqlite3.connect(":memory:")) as database:
        database.deserialize(data[:18] + b"\1\1" + data[20:])  # a copy in memory has no write-ahead log
        database.set_authorizer(lambda action, *_: sqlite3.SQLITE_OK if action in ALLOWED else sqlite3.SQLITE_DENY)
        return [name for (name,) in database.execute(TABLES)]


@wellhead.hookimpl
def wellhead_data_source_types() -> list[wellhead.DataSourceType]:
    """Provide the type `sqlite`."""
    return [
        wellhead.DataSourceType(SqliteDataSource, SqliteValidator, title="SQLite", icon="🗃️", errors=ERRORS, codes=CODES)
    ]
