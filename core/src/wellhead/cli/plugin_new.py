"""`wellhead plugin new`: begin a plugin with a package that works."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer

from wellhead.cli.exit_codes import EXIT_NO
from wellhead.cli.writing import say, warn
from wellhead.errors import TypeRefusedError
from wellhead.plugins.found import find_plugins
from wellhead.plugins.loader import load
from wellhead.plugins.trial import Trials
from wellhead.scaffold.package import Family, write_package

_COMMANDS = ("pip install -e . pytest", "python -m pytest", "wellhead plugin check .", "wellhead types")


def new(
    name: Annotated[str, typer.Argument(metavar="NAME", help="The name of its type, such as postgres or my-database.")],
    family: Annotated[
        Family, typer.Option(metavar="FAMILY", help="What the type is one of: database, file, api or server.")
    ] = "database",
    directory: Annotated[
        Path, typer.Option(metavar="DIR", help="Where the folder is made; this directory if left out.")
    ] = Path(),
) -> None:
    """Write a package for a new plugin: one type, its tests, and what a distribution needs."""
    try:
        folder = write_package(name, family, directory)
    except TypeRefusedError as error:
        raise typer.BadParameter(error.message, param_hint="NAME") from None
    except FileExistsError as error:
        told = f"{error.filename} is there already, and nothing was written. Move it, or use --directory."
        warn(f"Error: {told}")
        raise typer.Exit(EXIT_NO) from None
    except OSError as error:
        warn(f"Error: the package could not be written: {error.strerror}: {error.filename}")
        raise typer.Exit(EXIT_NO) from None
    _warn_of_conflict(name)
    say(f"Made {folder}. What to do next:\n")
    for command in (f"cd {shlex.quote(str(folder))}", *_COMMANDS):
        say(f"  {command}")
    say(f"\nThen write in {folder / 'src'} what a data source of your type is, and how it is checked.")


def _warn_of_conflict(name: str) -> None:
    """Say who provides a type of this name already."""
    loaded = load(find_plugins(), trials=Trials(None))
    providers = [plugin.report.distribution for plugin in loaded if name in plugin.report.types]
    for provider in providers:
        told = (
            f"Note: {provider}, which is installed, provides a type '{name}' already. With both installed, neither can "
            "be used until WELLHEAD_PLUGINS_PREFER names one. If your type is another one, choose another name."
        )
        warn(told)
