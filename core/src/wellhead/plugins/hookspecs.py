"""The hooks that a plugin can implement. There is one."""

from __future__ import annotations

from collections.abc import Sequence

import pluggy

from wellhead.model.extension import DataSourceTypeExtension

ENTRY_POINT_GROUP = "wellhead"

hookspec = pluggy.HookspecMarker("wellhead")
hookimpl = pluggy.HookimplMarker("wellhead")
"""Marks a function as the implementation of the hook that has its name."""


@hookspec
def wellhead_data_source_types() -> Sequence[DataSourceTypeExtension]:  # type: ignore[empty-body]  # a specification
    """Provide data source types.

    Called once for each plugin, when the service starts or a command of the command line needs the types. The types
    that come back are checked and registered; if one breaks a rule, the plugin is shown as `broken` with the reason,
    and all others work.

    Returns:
        A list of types: `DataSourceType` records, or anything with the methods of `DataSourceTypeExtension`.
    """
