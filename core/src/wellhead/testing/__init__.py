"""For the tests of applications that are built on Wellhead: data sources that need no server, and a service to call.

    from wellhead import testing

    def test_my_application(tmp_path):
        with testing.open_workspace(tmp_path) as workspace:
            workspace.add({"name": "orders", "type": "answering", "host": "db.test", "password": "secret"})
            ...

The types are `answering`, `failing` and `slow`. They are never there unless a test asks for them.
"""

from __future__ import annotations

from wellhead.testing.service import RunningService, running_service
from wellhead.testing.types import AnsweringDataSource, FailingDataSource, SlowDataSource, data_source_types
from wellhead.testing.workspaces import open_workspace

__all__ = [
    "AnsweringDataSource",
    "FailingDataSource",
    "RunningService",
    "SlowDataSource",
    "data_source_types",
    "open_workspace",
    "running_service",
]
