"""The command line, put together from its commands; `wellhead serve` is here."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator
from importlib.metadata import version
from typing import Annotated

import typer

from wellhead.api.listener import listen, url_of
from wellhead.api.supervisor import Supervisor
from wellhead.assembly import Wellhead
from wellhead.catalog.types import INSTALL_HINT
from wellhead.cli import keys, plugin
from wellhead.cli.add import add
from wellhead.cli.doctor import doctor
from wellhead.cli.edit import edit
from wellhead.cli.history import history, rollback
from wellhead.cli.listing import list_
from wellhead.cli.migrate import migrate
from wellhead.cli.run import run
from wellhead.cli.session import (
    EXIT_SETTINGS,
    AsJson,
    ConfigFile,
    Workspace,
    err,
    opened,
    out,
    print_json,
    told,
    write_whatever_the_encoding,
)
from wellhead.cli.sources import remove, show, types
from wellhead.cli.validate import validate
from wellhead.codes import CODES
from wellhead.guard import landlock
from wellhead.mounts import is_shared

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


def serve(  # noqa: PLR0917  # options of the command line, which come by name
    workspace: Workspace = None,
    config: ConfigFile = None,
    host: Annotated[str | None, typer.Option(help="The address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(min=0, max=65535, help="The port; 0 takes a free one.")] = None,
    workers: Annotated[int | None, typer.Option(min=1, max=64, help="How many processes answer requests.")] = None,
    as_json: AsJson = False,
) -> None:
    """Run the REST API for this machine."""
    with told(), opened(workspace, config, host=host, port=port, workers=workers) as wellhead:
        asyncio.run(wellhead.check_start())
        token = wellhead.token.read_or_make()
        for note in _notes(wellhead):
            err.print(f"Note: {note}", markup=False)
        listener = listen(wellhead.settings.host, wellhead.settings.port)
        url = url_of(listener)

        def announce() -> None:
            if as_json:
                token_file = str(wellhead.token.path) if wellhead.token.path else None
                print_json({"url": url, "token_file": token_file})
            else:
                _announce(url, token, wellhead)
            sys.stdout.flush()

        if wellhead.settings.workers > 1:
            paths = {"workspace": workspace, "config": config}
            given = {name: None if path is None else str(path) for name, path in paths.items()}
            raise typer.Exit(Supervisor(listener, wellhead.settings.workers, given, announce=announce).run())
        from wellhead.api import live, server  # noqa: PLC0415  # FastAPI is loaded for this command only

        server.run(live.LiveApp(wellhead), listener, announce=announce)


def _notes(wellhead: Wellhead) -> Iterator[str]:
    """Say what of this machine is less than it could be."""
    if sys.platform != "linux":
        yield "on this system, validations are less isolated than on Linux."
    elif not landlock.is_supported():
        yield "this kernel has no Landlock: a plugin's validations can open files of yours."
    if is_shared(wellhead.settings.workspace.expanduser().absolute()):
        yield f"{CODES['store_on_network'].title} {CODES['store_on_network'].remedy}"


def _announce(url: str, token: str, wellhead: Wellhead) -> None:
    """Say where the service is; the token itself is shown to a person only, not to a log."""
    out.print(f"Wellhead is at {url}  (API: {url}/docs)", markup=False)
    if wellhead.token.path is None:
        out.print("Token:       the one in WELLHEAD_TOKEN")
    else:
        shown = f"{token}  (kept in {wellhead.token.path})" if sys.stdout.isatty() else f"in {wellhead.token.path}"
        out.print(f"Token:       {shown}", markup=False)
    out.print(f"Workspace:   {wellhead.settings.workspace.absolute()}", markup=False)
    names = ", ".join(wellhead.catalog.registry.list_types())
    out.print(f"Types:       {names or INSTALL_HINT}", markup=False)
    for report in wellhead.catalog.plugins:
        if report.state != "ready":
            out.print(f"Not used:    {report.distribution}: {report.reason} {report.remedy}", markup=False)


for command in (serve, types, list_, show, add, edit, validate, remove, history, rollback, migrate, doctor):
    app.command(command.__name__.rstrip("_"))(command)
app.command(context_settings={"ignore_unknown_options": True})(run)
app.add_typer(keys.app)
app.add_typer(plugin.app)
