"""The rules for plugins."""

from wellhead.testing import DataSourceTypeContract


class TestMysql(DataSourceTypeContract):
    type_name = "mysql"
