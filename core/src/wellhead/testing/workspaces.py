"""Workspaces for tests: with types of the test's own, and with no settings of whoever runs it."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any
from uuid import UUID

from wellhead.assembled import Wellhead
from wellhead.assembly import assemble
from wellhead.model.extension import DataSourceTypeExtension
from wellhead.model.result import ValidationResult
from wellhead.plugins.registry import DataSourceTypeRegistry, describe
from wellhead.settings import Settings
from wellhead.testing.notices import PluginWarning, notices_of, tell_defect, telling
from wellhead.testing.types import data_source_types
from wellhead.validation.service import Defects
from wellhead.workspace import Workspace


class TestWorkspace(Workspace):
    """A workspace for the tests of a plugin, which says what a result alone does not show."""

    __test__ = False  # it is none of pytest's

    def validate(self, name_or_id: str | UUID, *, timeout: float | None = None) -> ValidationResult:
        """Run the checks of a data source, as `Workspace.validate` does.

        Warns:
            PluginWarning: The checks that ran, or their codes, are not those that the type says that it has.
        """
        result = super().validate(name_or_id, timeout=timeout)
        stored = self._find(name_or_id)
        for notice in notices_of(self._wellhead.catalog.registry.describe(str(stored.type)), result):
            warnings.warn(notice, PluginWarning, stacklevel=2)
        return result


def open_workspace(path: str | Path, *, types: Iterable[DataSourceTypeExtension] | None = None) -> Workspace:
    """Open a workspace for a test.

    Key ring, token and log of uses lie in `path/.wellhead`, so that the test touches nothing of the user's.

    What a validator raises that is in no table of errors is printed to standard error: class, text and source lines. So
    is what a migration of one of these types raises.
    `validate` gives a `PluginWarning` where checks ran that are not among the validator's `steps`, or with codes that
    nobody has given a meaning.

    Args:
        path: A directory that exists, such as pytest's `tmp_path`.
        types: The types that there are; those for tests and the installed ones if left out.
    """
    return TestWorkspace(parts(path, types=types))


def parts(
    path: str | Path, *, types: Iterable[DataSourceTypeExtension] | None = None, token: str | None = None
) -> Wellhead:
    """Make all parts of a Wellhead for a test; arguments are those of `open_workspace`, and the API's token."""
    registry = DataSourceTypeRegistry()
    for extension in data_source_types() if types is None else types:
        registry.add(telling(describe(extension)))
    return assembled(path, registry, plugins=None if types is None else (), token=token)


def assembled(
    path: str | Path,
    registry: DataSourceTypeRegistry,
    *,
    plugins: Iterable[EntryPoint] | None = (),
    token: str | None = None,
    defects: Defects = tell_defect,
) -> Wellhead:
    """Make all parts of a Wellhead for a test, with the types of a registry.

    Args:
        path: The workspace.
        registry: The types that there are.
        plugins: The plugins that are loaded besides; None loads those that are installed.
        token: The token of the REST API.
        defects: Is told what a validator raised that nobody understood.
    """
    settings = Settings.model_construct(
        **{**_defaults(), "workspace": Path(path), "config_dir": Path(path) / ".wellhead", "token": token}
    )
    return assemble(settings, registry=registry, plugins=plugins, defects=defects)


def _defaults() -> dict[str, Any]:
    """Return the defaults of the settings, whatever the environment says."""
    fields = Settings.model_fields
    return {name: info.get_default(call_default_factory=True, validated_data={}) for name, info in fields.items()}
