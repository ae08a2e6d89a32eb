"""The rules for plugins."""

from wellhead.testing import DataSourceTypeContract


class TestCsv(DataSourceTypeContract):
    type_name = "csv"


class TestJson(DataSourceTypeContract):
    type_name = "json"
