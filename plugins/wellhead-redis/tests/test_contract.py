"""The rules for plugins."""

from wellhead.testing import DataSourceTypeContract


class TestRedis(DataSourceTypeContract):
    type_name = "redis"
