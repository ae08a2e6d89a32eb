"""`wellhead types`, `show` and `remove`: what there is, and taking it away."""

from __future__ import annotations

import asyncio
import sys
from typing import Annotated

import typer

from wellhead.catalog.types import type_list
from wellhead.cli import views
from wellhead.cli.exit_codes import EXIT_NO
from wellhead.cli.session import AsJson, ConfigFile, Name, Workspace, opened, told, work
from wellhead.cli.writing import print_json, say, tamed, warn
from wellhead.storage.conflicts import conflict_of


def types(workspace: Workspace = None, config: ConfigFile = None, as_json: AsJson = False) -> None:
    """List the types that are installed, and the plugins that are broken."""
    with told(as_json), opened(workspace, config) as wellhead:
        items = wellhead.catalog.types()
        if as_json:
            print_json(type_list(items))
        else:
            views.show_types(items)


def show(name: Name, workspace: Workspace = None, config: ConfigFile = None, as_json: AsJson = False) -> None:
    """Show one data source; of secrets, only when they were set."""
    stored = work(workspace, config, as_json, lambda wellhead: wellhead.catalog.find(name))
    if as_json:
        print_json(stored.as_document())
    else:
        views.show_source(stored.as_document())
        if stored.state != "ok":
            warn(conflict_of(stored).message)


def remove(  # noqa: PLR0917  # options of the command line, which come by name
    name: Name,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Remove it even if its record cannot be read.")] = False,
    workspace: Workspace = None,
    config: ConfigFile = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print nothing but errors, as the API answers.")] = False,
) -> None:
    """Remove a data source, with all that belongs to it."""
    with told(as_json), opened(workspace, config) as wellhead:
        stored = asyncio.run(wellhead.catalog.find(name))
        shown = tamed(stored.name or stored.id)
        if not yes and not (sys.stdin.isatty() and typer.confirm(f"Remove {shown} for good?", err=True)):
            warn("Nothing was removed. Use --yes to remove it without being asked.")
            raise typer.Exit(EXIT_NO)
        asyncio.run(wellhead.catalog.delete(stored.id, force=force))
        if not as_json:
            say(f"Removed {shown}.")
