"""The command line."""

from __future__ import annotations

import sys
from importlib.metadata import version
from typing import Annotated

import typer

from wellhead.cli.commands import Commands
from wellhead.cli.exit_codes import EXIT_SETTINGS
from wellhead.cli.writing import say, warn, write_whatever_the_encoding

app = typer.Typer(
    name="wellhead",
    cls=Commands,
    help="Keeps the configurations of data sources, their secrets safe, and checks whether they work.",
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    pretty_exceptions_enable=False,
)


def main() -> None:
    """Run the command line."""
    if sys.platform == "win32":
        warn("Wellhead runs on Linux and macOS. On Windows, use it inside WSL.")
        raise SystemExit(EXIT_SETTINGS)
    write_whatever_the_encoding()
    app(prog_name="wellhead")


def _print_version(wanted: bool) -> None:
    if wanted:
        say(f"wellhead {version('wellhead')}")
        raise typer.Exit


@app.callback()
def _root(
    _version: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=_print_version, is_eager=True)
    ] = False,
) -> None:
    """Keep the options that come before a command."""
