"""Calling the hook of one plugin, and saying what is wrong with it in words that its author can use."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pluggy
from pluggy._manager import PluginValidationError

from wellhead.plugins import hookspecs
from wellhead.plugins.reports import PluginRefusedError

_HOOK = "wellhead_data_source_types"
_KNOWN = tuple(name for name in vars(hookspecs) if name.startswith("wellhead_"))
_REMEDY = f"See the plugin's documentation; the hook is {_HOOK}()."


def call_hook(plugin: object, value: str) -> Sequence[object]:
    """Call the hook of one plugin, in a plugin manager of its own, so that no plugin sees another's results.

    Args:
        plugin: The module or object.
        value: The value of its entry point, which names it.

    Raises:
        PluginRefusedError: `broken`: it has no hook, another one, or one that takes or returns something else.
    """
    manager = pluggy.PluginManager("wellhead")
    manager.add_hookspecs(hookspecs)
    try:
        manager.register(plugin, value)
    except PluginValidationError as error:
        raise _refused(_wrong_signature(plugin)) from error
    for name, caller in vars(manager.hook).items():
        if not name.startswith("_") and not caller.has_spec():
            raise _refused(f"It has an unknown hook, {name}.{_suggestion(name)}")
    if not manager.hook.wellhead_data_source_types.get_hookimpls():
        raise _refused(_no_hook(plugin, value))
    results = manager.hook.wellhead_data_source_types()
    provided = results[0] if results else None
    if not isinstance(provided, list | tuple):
        raise _refused(f"{_HOOK}() returned no list of types.")
    return provided


def _refused(reason: str) -> PluginRefusedError:
    return PluginRefusedError("broken", reason, _REMEDY)


def _suggestion(name: str) -> str:
    """Offer the hook whose name is near to another one, all of which are written in code."""
    near = difflib.get_close_matches(name, _KNOWN, n=1)
    return f" Did you mean {near[0]}?" if near else ""


def _wrong_signature(plugin: object) -> str:
    """Say which arguments a hook takes that it is never given."""
    for name, implementation in _functions(plugin):
        if name in _KNOWN:
            wanted, given = _arguments(getattr(hookspecs, name)), _arguments(implementation)
            if more := [argument for argument in given if argument not in wanted]:
                must = f"take only {', '.join(wanted)}" if wanted else "take no arguments"
                return f"{name}({', '.join(given)}) takes {', '.join(more)}; it must {must}."
    return f"{_HOOK} must be a plain function that takes no arguments."


def _arguments(function: Callable[..., Any]) -> list[str]:
    try:
        return list(inspect.signature(function).parameters)
    except (TypeError, ValueError):
        return []


def _no_hook(plugin: object, value: str) -> str:
    """Say that there is no hook; if something has the name of one, or nearly, say what it lacks."""
    names = [name for name, _ in _functions(plugin)]
    if _HOOK in names:
        return f"{_HOOK} in '{value}' is not marked as a hook: write @wellhead.hookimpl above it."
    near = difflib.get_close_matches(_HOOK, names, n=1, cutoff=0.8)
    hint = f" Did you mean {_HOOK} by {near[0]}?" if near else ""
    return f"'{value}' has no hook. A function {_HOOK} with @wellhead.hookimpl is needed.{hint}"


def _functions(plugin: object) -> Iterator[tuple[str, Callable[..., Any]]]:
    for name in dir(plugin):
        if inspect.isroutine(value := getattr(plugin, name, None)):
            yield name, value
