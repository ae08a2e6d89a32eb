"""Workspaces for tests: with types of the test's own, and with no settings of whoever runs it."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from wellhead.assembly import Wellhead, assemble
from wellhead.model.extension import DataSourceTypeExtension
from wellhead.plugins.registry import DataSourceTypeRegistry, describe
from wellhead.settings import Settings
from wellhead.testing.types import data_source_types
from wellhead.workspace import Workspace


def open_workspace(path: str | Path, *, types: Iterable[DataSourceTypeExtension] | None = None) -> Workspace:
    """Open a workspace for a test.

    Key ring, token and log of uses lie in `path/.wellhead`, so that the test touches nothing of the user's.

    Args:
        path: A directory that exists, such as pytest's `tmp_path`.
        types: The types that there are; those for tests and the installed ones if left out.
    """
    return Workspace(parts(path, types=types))


def parts(
    path: str | Path, *, types: Iterable[DataSourceTypeExtension] | None = None, token: str | None = None
) -> Wellhead:
    """Make all parts of a Wellhead for a test; arguments are those of `open_workspace`, and the API's token."""
    registry = DataSourceTypeRegistry()
    for extension in data_source_types() if types is None else types:
        registry.add(describe(extension))
    settings = Settings.model_construct(
        **{**_defaults(), "workspace": Path(path), "config_dir": Path(path) / ".wellhead", "token": token}
    )
    return assemble(settings, registry=registry, plugins=None if types is None else ())


def _defaults() -> dict[str, Any]:
    """Return the defaults of the settings, whatever the environment says."""
    fields = Settings.model_fields
    return {name: info.get_default(call_default_factory=True, validated_data={}) for name, info in fields.items()}
