"""The rules for plugins."""

from wellhead.testing import DataSourceTypeContract


class TestPostgres(DataSourceTypeContract):
    type_name = "postgres"
