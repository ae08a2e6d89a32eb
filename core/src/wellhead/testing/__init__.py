"""For tests of applications that are built on Wellhead, and of types: data sources and servers that need nothing else.

    from wellhead import testing

    def test_my_application(tmp_path):
        with testing.open_workspace(tmp_path) as workspace:
            workspace.add({"name": "orders", "type": "answering", "host": "db.test", "password": "secret"})
            ...

The types are `answering`, `failing` and `slow`. They are never there unless a test asks for them. `servers` has servers
that behave well and rogue ones, `certificates` what they show, and `mutations` changes of what they say.

`DataSourceTypeContract` holds a type to the rules for plugins: `class TestMine(DataSourceTypeContract)` with its
`type_name` is one test for each rule.

Names are imported when they are first used, so that a test pays only for what it needs.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

_MODULES = frozenset(("certificates", "mutations", "servers"))
_HOME_OF = {
    "AnsweringDataSource": "wellhead.testing.types",
    "DataSourceTypeContract": "wellhead.testing.contract",
    "FailingDataSource": "wellhead.testing.types",
    "PluginWarning": "wellhead.testing.notices",
    "RunningService": "wellhead.testing.service",
    "SlowDataSource": "wellhead.testing.types",
    "data_source_types": "wellhead.testing.types",
    "open_workspace": "wellhead.testing.workspaces",
    "running_service": "wellhead.testing.service",
}

__all__ = sorted([*_HOME_OF, *_MODULES])  # noqa: PLE0605  # as in `wellhead`: the stub lists them, and a test compares


def __getattr__(name: str) -> Any:
    if name in _MODULES:
        return import_module(f"wellhead.testing.{name}")
    if name not in _HOME_OF:
        raise AttributeError(f"module 'wellhead.testing' has no attribute {name!r}")
    value = getattr(import_module(_HOME_OF[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
