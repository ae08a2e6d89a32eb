"""The command line, put together from its commands."""

from __future__ import annotations

import sys
from importlib.metadata import version
from typing import Annotated

import typer

from wellhead.cli import keys, plugin, token
from wellhead.cli.add import add
from wellhead.cli.audit import audit
from wellhead.cli.doctor import doctor
from wellhead.cli.edit import edit
from wellhead.cli.history import history, rollback
from wellhead.cli.listing import list_
from wellhead.cli.migrate import migrate
from wellhead.cli.run import run
from wellhead.cli.serve import serve
from wellhead.cli.session import EXIT_SETTINGS, out, write_whatever_the_encoding
from wellhead.cli.sources import remove, show, types
from wellhead.cli.validate import validate

app = typer.Typer(
    name="wellhead",
    help="Keeps the configurations of data sources, their secrets safe, and checks whether they work.",
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
    pretty_exceptions_enable=False,
)


def main() -> None:
    """Run the command line."""
    if sys.platform == "win32":
        sys.stderr.write("Wellhead runs on Linux and macOS. On Windows, use it inside WSL.\n")
        raise SystemExit(EXIT_SETTINGS)
    write_whatever_the_encoding()
    app(prog_name="wellhead")


def _print_version(wanted: bool) -> None:
    if wanted:
        out.print(f"wellhead {version('wellhead')}", markup=False)
        raise typer.Exit


@app.callback()
def _root(
    _version: Annotated[
        bool, typer.Option("--version", help="Print the version.", callback=_print_version, is_eager=True)
    ] = False,
) -> None:
    """Keep the options that come before a command."""


for command in (serve, types, list_, show, add, edit, validate, remove, history, rollback, migrate, audit, doctor):
    app.command(command.__name__.rstrip("_"))(command)
app.command(context_settings={"ignore_unknown_options": True})(run)
app.add_typer(keys.app)
app.add_typer(plugin.app)
app.add_typer(token.app)
