"""Loading plugins, each by itself: one that fails is reported, and every other one works."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import replace
from importlib.metadata import EntryPoint

from wellhead.plugins.calling import types_of
from wellhead.plugins.choice import PluginChoice
from wellhead.plugins.conflicts import Loaded, settle
from wellhead.plugins.found import FoundPlugin, find_plugins
from wellhead.plugins.registry import DataSourceTypeRegistry
from wellhead.plugins.reports import PluginRefusedError, PluginReport
from wellhead.plugins.trial import Trials
from wellhead.plugins.verdicts import Verdict

_ALL = PluginChoice()


def load_plugins(
    registry: DataSourceTypeRegistry,
    found: Iterable[EntryPoint] | None = None,
    *,
    choice: PluginChoice = _ALL,
    trials: Trials | None = None,
) -> list[PluginReport]:
    """Load the installed plugins, and register the types of those that work.

    A type that two distributions claim is registered for neither, until the operator prefers one of them: which one was
    meant is not for core to guess.

    Args:
        registry: Where the types go.
        found: The entry points; those installed in the group `wellhead` if left out.
        choice: What the operator chose.
        trials: Tries each plugin before it is imported here; None imports them as they are.

    Returns:
        One report for each plugin, in the order of their names; one that lost some of its types has two.
    """
    return register(registry, load(find_plugins(found), choice=choice, trials=trials), choice=choice)


def load(
    plugins: Iterable[FoundPlugin], *, choice: PluginChoice = _ALL, trials: Trials | None = None, anew: bool = False
) -> list[Loaded]:
    """Load plugins without registering anything.

    Args:
        plugins: The plugins.
        choice: What the operator chose; a plugin that is not to be used is not imported, on trial neither.
        trials: Tries each plugin before it is imported here; None imports them as they are.
        anew: Whether those that failed their trial, as far as is remembered, are tried again.
    """
    chosen = [(plugin, _chosen(plugin, choice)) for plugin in plugins]
    wanted = [plugin for plugin, verdict in chosen if verdict.state == "ready"]
    tried = dict(zip(wanted, trials.verdicts(wanted, anew=anew) if trials is not None else (), strict=False))
    loaded = [_load(plugin, tried.get(plugin, verdict)) for plugin, verdict in chosen]
    if trials is not None:
        trials.hold(
            [plugin for (plugin, _), now in zip(chosen, loaded, strict=True) if now.types and not tried[plugin].is_held]
        )
    return loaded


def register(
    registry: DataSourceTypeRegistry, loaded: Iterable[Loaded], *, choice: PluginChoice = _ALL
) -> list[PluginReport]:
    """Settle what several plugins claim, register the types of those that work, and return what became of each."""
    settled = settle(list(loaded), taken=registry.list_types(), choice=choice)
    for plugin in settled:
        report = plugin.report
        for described in plugin.types if report.state == "ready" else ():
            registry.add(
                replace(described, distribution=report.distribution, version=report.version, load_ms=report.load_ms)
            )
    return [plugin.report for plugin in settled]


def _chosen(plugin: FoundPlugin, choice: PluginChoice) -> Verdict:
    try:
        choice.check(plugin.distribution)
    except PluginRefusedError as refusal:
        return Verdict.of(refusal)
    return Verdict()


def _load(plugin: FoundPlugin, verdict: Verdict) -> Loaded:
    report = PluginReport(plugin.point.name, plugin.distribution, plugin.version)
    started = time.perf_counter()
    try:
        verdict.check()
        types = types_of(plugin.point, plugin.distribution, is_held=verdict.is_held)
    except PluginRefusedError as refusal:
        return Loaded(
            replace(
                report,
                state=refusal.state,
                reason=refusal.reason,
                remedy=refusal.remedy,
                load_ms=_milliseconds(started),
            )
        )
    names = tuple(described.name for described in types)
    return Loaded(replace(report, types=names, load_ms=_milliseconds(started)), types)


def _milliseconds(started: float) -> float:
    return round((time.perf_counter() - started) * 1000, 1)
