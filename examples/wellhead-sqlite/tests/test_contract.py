"""The rules for plugins."""

from wellhead.testing import DataSourceTypeContract


class TestSqlite(DataSourceTypeContract):
    type_name = "sqlite"
