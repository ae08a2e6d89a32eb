"""Loading plugins, each by itself: one that fails is reported, and every other one works."""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import EntryPoint, entry_points
from typing import Literal

import pluggy
from pluggy._manager import PluginValidationError

from wellhead.errors import TypeRefusedError
from wellhead.model.extension import API_VERSION, DataSourceType, DataSourceTypeExtension
from wellhead.plugins import hookspecs
from wellhead.plugins.registry import DataSourceTypeRegistry, RegisteredType, describe

_NOT_A_DISTRIBUTION = ("this program",)

State = Literal["ready", "broken", "conflict", "incompatible"]


@dataclass(frozen=True, slots=True)
class PluginReport:
    """What became of one plugin.

    Attributes:
        entry_point: The name of its entry point.
        distribution: The name of its distribution.
        version: The distribution's version.
        state: `ready`, or why it is not.
        types: The names of the types that it provides, or wanted to provide.
        reason: What is wrong with it.
        remedy: What to type.
        load_ms: How long loading took, in milliseconds.
    """

    entry_point: str
    distribution: str
    version: str
    state: State = "ready"
    types: tuple[str, ...] = ()
    reason: str | None = None
    remedy: str | None = None
    load_ms: float = 0.0


class _RefusedError(Exception):
    """A plugin is not used: its state, the reason, and the remedy."""

    def __init__(self, state: State, reason: str, remedy: str) -> None:
        super().__init__(reason)
        self.state: State = state
        self.reason = reason
        self.remedy = remedy


def load_plugins(registry: DataSourceTypeRegistry, found: Iterable[EntryPoint] | None = None) -> list[PluginReport]:
    """Load the installed plugins, and register the types of those that work.

    A type that two distributions claim is registered for neither: which one was meant is not for core to guess.

    Args:
        registry: Where the types go.
        found: The entry points; those installed in the group `wellhead` if left out.

    Returns:
        One report for each plugin, in the order of their names.
    """
    points = entry_points(group=hookspecs.ENTRY_POINT_GROUP) if found is None else found
    loaded = [_load(point) for point in sorted(points, key=lambda point: (point.name, _origin(point)))]
    reports = _settle_conflicts(loaded, taken={name: list(_NOT_A_DISTRIBUTION) for name in registry.list_types()})
    for report, types in reports:
        for described in types if report.state == "ready" else ():
            registry.add(replace(described, distribution=report.distribution, version=report.version))
    return [report for report, _ in reports]


def _origin(point: EntryPoint) -> tuple[str, str]:
    """Return name and version of the distribution; metadata that was half removed may lack them."""
    try:
        found = (point.dist.name, point.dist.version) if point.dist is not None else (None, None)
    except (KeyError, OSError):
        found = (None, None)
    return found[0] or "unknown", found[1] or "0"


def _load(point: EntryPoint) -> tuple[PluginReport, list[RegisteredType]]:
    started = time.perf_counter()
    distribution, version = _origin(point)
    report = PluginReport(point.name, distribution, version)
    types: list[RegisteredType] = []
    try:
        types = types_of(point, distribution)
    except _RefusedError as refusal:
        report = replace(report, state=refusal.state, reason=refusal.reason, remedy=refusal.remedy)
    took = (time.perf_counter() - started) * 1000
    return replace(report, types=tuple(described.name for described in types), load_ms=round(took, 1)), types


def types_of(point: EntryPoint, distribution: str) -> list[RegisteredType]:
    """Load one plugin, and return the types that it provides.

    Raises:
        Exception: It cannot be used; only `load_plugins` makes a report of that.
    """
    report_it = f"Report it to the author of {distribution}, or remove it: pip uninstall {distribution}"
    try:
        provided = _call(point.load(), point)
        described = [replace(_describe(item), entry_point=(point.name, point.value)) for item in provided]
    except _RefusedError:
        raise
    except TypeRefusedError as error:
        raise _RefusedError("broken", error.message, report_it) from error
    except ModuleNotFoundError as error:
        # The name of a module is written in code, so it is safe to show.
        missing = f"the module '{error.name}'" if error.name else "a module"
        raise _RefusedError(
            "broken", f"It needs {missing}, which is not installed.", f"pip install --force-reinstall {distribution}"
        ) from error
    except BaseException as error:  # the line where foreign code is called; it may try to exit
        raise _RefusedError("broken", f"Loading it raised {type(error).__name__}.", report_it) from error
    if not described:
        raise _RefusedError("broken", "It provides no type: its hook returned an empty list.", report_it)
    return described


def _call(plugin: object, point: EntryPoint) -> Sequence[object]:
    """Call the hook of one plugin, in a plugin manager of its own, so that no plugin sees another's results."""
    manager = pluggy.PluginManager("wellhead")
    manager.add_hookspecs(hookspecs)
    remedy = "See the plugin's documentation; the hook is wellhead_data_source_types()."
    try:
        manager.register(plugin, point.name)
        manager.check_pending()
    except PluginValidationError as error:
        # pluggy's text names the hook and the arguments, all of which are written in the plugin's code, and its file.
        reason = str(error).strip().partition("\n")[2] or re.sub(" from '[^']*'", "", str(error))
        raise _RefusedError("broken", reason, remedy) from error
    if not manager.hook.wellhead_data_source_types.get_hookimpls():
        reason = (
            f"'{point.value}' has no hook. A function wellhead_data_source_types with @wellhead.hookimpl is needed."
        )
        raise _RefusedError("broken", reason, remedy)
    results = manager.hook.wellhead_data_source_types()
    provided = results[0] if results else None
    if not isinstance(provided, list | tuple):
        raise _RefusedError("broken", "wellhead_data_source_types() returned no list of types.", remedy)
    return provided


def _describe(item: object) -> RegisteredType:
    if not isinstance(item, DataSourceTypeExtension):
        raise TypeRefusedError(
            "not-a-type", "The hook returned something that is no type: use wellhead.DataSourceType."
        )
    if isinstance(item, DataSourceType) and item.requires_api != API_VERSION:
        raise _RefusedError(
            "incompatible",
            f"It was made for version {item.requires_api} of the plugin interface; this Wellhead has {API_VERSION}.",
            "Install versions of the plugin and of wellhead that fit together: pip install --upgrade wellhead",
        )
    return describe(item)


Loaded = list[tuple[PluginReport, list[RegisteredType]]]


def _settle_conflicts(loaded: Loaded, *, taken: Mapping[str, list[str]]) -> Loaded:
    """Take plugins out that claim a type that another one claims too, or that is taken already."""
    claims = {name: list(claimants) for name, claimants in taken.items()}
    for report, _ in loaded:
        for name in report.types:
            claims.setdefault(name, []).append(report.distribution)
    settled = []
    for report, types in loaded:
        disputed = [name for name in report.types if len(claims[name]) > 1]
        if disputed:
            name = disputed[0]
            reason = f"Type '{name}' is claimed by {' and by '.join(claims[name])}; neither is used."
            remedy = f"Remove one of them: pip uninstall {_other(claims[name], report.distribution)}"
            report = replace(report, state="conflict", reason=reason, remedy=remedy)  # noqa: PLW2901  # the settled one
        settled.append((report, types))
    return settled


def _other(claimants: list[str], distribution: str) -> str:
    """Name a distribution to remove, if possible another one than that which is being told."""
    return next((name for name in claimants if name not in {distribution, *_NOT_A_DISTRIBUTION}), distribution)
