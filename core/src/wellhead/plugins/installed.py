"""The plugins of one process: loaded once, and looked for again when the operator has installed or removed some.

What a process has imported stays as it is until the process ends (`importlib.reload` leaves half of it behind). So a
plugin that is new is loaded, one that is gone is left out, and one that was changed is used as it was, and says so.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from importlib import invalidate_caches
from importlib.metadata import EntryPoint

from wellhead.plugins.choice import PluginChoice
from wellhead.plugins.conflicts import Loaded
from wellhead.plugins.found import FoundPlugin, find_plugins
from wellhead.plugins.loader import load, register
from wellhead.plugins.registry import DataSourceTypeRegistry, RegisteredType
from wellhead.plugins.reports import PluginReport
from wellhead.plugins.trial import Trials

_RESTART = "Restart the service, so that it uses what is installed now."


@dataclass(frozen=True, slots=True)
class TypeSet:
    """The types that there are at one time, and what became of each plugin.

    Attributes:
        registry: The types; nothing is added to it any more.
        reports: A report of each plugin.
    """

    registry: DataSourceTypeRegistry
    reports: tuple[PluginReport, ...]


class InstalledPlugins:
    """Loads the plugins that are installed, as often as is wanted; each is imported once."""

    def __init__(
        self,
        own: Sequence[RegisteredType] = (),
        points: Iterable[EntryPoint] | None = None,
        *,
        choice: PluginChoice,
        trials: Trials | None,
    ) -> None:
        """Load plugins.

        Args:
            own: The types of this program, which are there besides those of plugins.
            points: The entry points; those installed if left out.
            choice: What the operator chose.
            trials: Tries each plugin before it is imported here; None imports them as they are.
        """
        self._own = tuple(own)
        self._points = None if points is None else tuple(points)
        self._choice = choice
        self._trials = trials
        self._has_loaded = False
        self._imported: dict[tuple[str, str, str], tuple[str, Loaded]] = {}

    def load(self) -> TypeSet:
        """Load what is installed now; what failed before is tried again.

        May be called from any thread, by one at a time.
        """
        invalidate_caches()
        found = find_plugins(self._points)
        kept = [self._kept(plugin) if self._has_loaded else None for plugin in found]
        new = [plugin for plugin, before in zip(found, kept, strict=True) if before is None]
        loading = iter(load(new, choice=self._choice, trials=self._trials, anew=self._has_loaded))
        loaded = [next(loading) if before is None else before for before in kept]
        self._has_loaded = True
        for plugin, now in zip(found, loaded, strict=True):
            if _is_imported(plugin) and plugin.identity not in self._imported:
                self._imported[plugin.identity] = plugin.fingerprint, now
        return self._type_set(loaded)

    def _type_set(self, loaded: Sequence[Loaded]) -> TypeSet:
        registry = DataSourceTypeRegistry()
        for described in self._own:
            registry.add(described)
        return TypeSet(registry, tuple(register(registry, loaded, choice=self._choice)))

    def _kept(self, plugin: FoundPlugin) -> Loaded | None:
        """Return what this process has of a plugin already; None if it is to be loaded."""
        if plugin.identity in self._imported:
            fingerprint, loaded = self._imported[plugin.identity]
            return loaded if fingerprint == plugin.fingerprint else _changed(loaded, plugin)
        return _hidden(plugin) if _is_imported(plugin) else None


def _is_imported(plugin: FoundPlugin) -> bool:
    return plugin.module in sys.modules


def _changed(loaded: Loaded, now: FoundPlugin) -> Loaded:
    """Say that this process has a plugin as it was before."""
    before = loaded.report.version
    what = "Its files were changed" if now.version == before else f"Version {now.version} was installed"
    reason = f"{what} after this process had loaded it as version {before}, which it goes on with."
    return replace(loaded, report=replace(loaded.report, reason=reason, remedy=_RESTART, needs_restart=True))


def _hidden(plugin: FoundPlugin) -> Loaded:
    """Say that a plugin cannot be loaded, since its module is here already, and is that of another one."""
    reason = f"This process has a module '{plugin.module}' already, which is not that of this plugin."
    return Loaded(
        PluginReport(
            plugin.point.name,
            plugin.distribution,
            plugin.version,
            state="disabled",
            reason=reason,
            remedy=_RESTART,
            needs_restart=True,
        )
    )
