"""The rules for plugins."""

from wellhead.testing import DataSourceTypeContract


class TestApi(DataSourceTypeContract):
    type_name = "api"
