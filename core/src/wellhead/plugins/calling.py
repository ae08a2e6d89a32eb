"""Loading one plugin: where foreign code is imported and called."""

from __future__ import annotations

import sys
from contextlib import redirect_stdout
from dataclasses import replace
from importlib.metadata import EntryPoint
from pathlib import PurePath
from traceback import walk_tb

from wellhead.errors import TypeRefusedError
from wellhead.model.extension import DataSourceTypeExtension
from wellhead.plugins.compatibility import check_interface
from wellhead.plugins.hooks import call_hook
from wellhead.plugins.registry import RegisteredType, describe
from wellhead.plugins.reports import PluginRefusedError, report_it


def types_of(point: EntryPoint, distribution: str, *, is_held: bool = False) -> tuple[RegisteredType, ...]:
    """Load one plugin, and return the types that it provides. What it prints goes to standard error.

    Args:
        point: Its entry point.
        distribution: The name of its distribution, for the remedy.
        is_held: Whether its types are known to keep the rules.

    Raises:
        PluginRefusedError: It cannot be used.
    """
    try:
        with redirect_stdout(sys.stderr):  # standard output is for the answers of commands, which programs read
            provided = call_hook(point.load(), point.value)
        described = tuple(
            replace(_describe(item, is_held=is_held), entry_point=(point.name, point.value)) for item in provided
        )
    except PluginRefusedError:
        raise
    except TypeRefusedError as error:
        raise PluginRefusedError("broken", error.message, report_it(distribution)) from error
    except ModuleNotFoundError as error:
        # The name of a module is written in code, so it is safe to show.
        missing = f"the module '{error.name}'" if error.name else "a module"
        remedy = f"pip install --force-reinstall {distribution}"
        raise PluginRefusedError("broken", f"It needs {missing}, which is not installed.", remedy) from error
    except (SystemExit, KeyboardInterrupt) as error:
        reason = f"Loading it raised {type(error).__name__}, which is for ending a program."
        raise PluginRefusedError("broken", reason, report_it(distribution)) from error
    except BaseException as error:  # the line where foreign code is called
        reason = f"Loading it raised {type(error).__name__}{_place(error, point)}."
        raise PluginRefusedError("broken", reason, report_it(distribution)) from error
    if not described:
        raise PluginRefusedError(
            "broken", "It provides no type: its hook returned an empty list.", report_it(distribution)
        )
    return described


def _describe(item: object, *, is_held: bool) -> RegisteredType:
    if isinstance(item, type) or not isinstance(item, DataSourceTypeExtension):
        raise TypeRefusedError(
            "not-a-type", "The hook returned something that is no type: use wellhead.DataSourceType(model, validator)."
        )
    if (required := getattr(item, "requires_api", None)) is not None:
        check_interface(required)
    return describe(item, is_held=is_held)


def _place(error: BaseException, point: EntryPoint) -> str:
    """Say in which line of the plugin an error came up; its text is not shown, since that can hold anything."""
    if isinstance(error, SyntaxError) and isinstance(error.filename, str) and isinstance(error.lineno, int):
        return f" in line {error.lineno} of {PurePath(error.filename).name}"
    package = point.value.partition(":")[0].partition(".")[0]
    frames = [(str(frame.f_globals.get("__name__")), line) for frame, line in walk_tb(error.__traceback__)]
    own = [(module, line) for module, line in frames if module.partition(".")[0] == package]
    return f" in line {own[-1][1]} of {own[-1][0]}" if own else ""
