"""`wellhead keys`: list, add, rotate and retire the keys that secrets are encrypted with."""

from __future__ import annotations

import asyncio
import sys
from typing import Annotated

import typer

from wellhead.cli import views
from wellhead.cli.exit_codes import EXIT_NO
from wellhead.cli.progress import Counting
from wellhead.cli.session import AsJson, ConfigFile, Workspace, opened, told
from wellhead.cli.writing import print_json, say, warn

app = typer.Typer(
    name="keys",
    help="List, add, rotate and retire the keys that secrets are encrypted with.",
    no_args_is_help=True,
    add_completion=False,
)


@app.command("list")
def list_(workspace: Workspace = None, config: ConfigFile = None, as_json: AsJson = False) -> None:
    """List the keys, and how many records and former revisions of the workspace need each."""
    with told(as_json), opened(workspace, config) as wellhead:
        found = asyncio.run(wellhead.key_service.uses())
    if as_json:
        print_json({"items": [use.as_document() for use in found]})
    else:
        views.show_keys(found)


@app.command()
def add(
    primary: Annotated[
        bool, typer.Option("--primary", help="Encrypt new secrets with it from now on; allows a new key ring.")
    ] = False,
    workspace: Workspace = None,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Add a new key to the key ring; make the key ring, if there is none."""
    with told(as_json), opened(workspace, config) as wellhead, wellhead.audit.doing("add_key") as entry:
        key = asyncio.run(wellhead.key_service.add(primary=primary))
        entry["id"] = key.id
    if as_json:
        print_json({"id": key.id, "state": key.state, "created_at": key.created_at})
    else:
        say(f"Added {key.id}, {key.state}.")


@app.command()
def rotate(
    keep_primary: Annotated[
        bool,
        typer.Option("--keep-primary", help="Make no new key: only seal anew what the primary key did not seal."),
    ] = False,
    workspace: Workspace = None,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Make a new primary key, and seal every secret of the workspace anew. Exits with 1 if one is left."""
    with (
        told(as_json),
        opened(workspace, config) as wellhead,
        Counting("Sealing anew", shown=not as_json) as counting,
        wellhead.audit.doing("rotate_keys") as entry,
    ):
        rotation = asyncio.run(wellhead.key_service.rotate(new_key=not keep_primary, report=counting.show))
        entry["id"] = rotation.key_id
    if as_json:
        print_json(rotation.as_document())
    else:
        views.show_rotation(rotation)
    if rotation.left:
        raise typer.Exit(EXIT_NO)


@app.command()
def retire(  # noqa: PLR0917  # options of the command line, which come by name
    key: Annotated[str, typer.Argument(metavar="KEY", help="The key's id.")],
    delete: Annotated[bool, typer.Option("--delete", help="Take a disabled key out of the ring for good.")] = False,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask before deleting.")] = False,
    workspace: Workspace = None,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Disable a key that nothing in the workspace needs any more."""
    if delete and not yes and not _confirmed():
        warn("Nothing was deleted. Use --yes to delete it without being asked.")
        raise typer.Exit(EXIT_NO)
    operation = "delete_key" if delete else "retire_key"
    with told(as_json), opened(workspace, config) as wellhead, wellhead.audit.doing(operation, id=key[:64]):
        asyncio.run(wellhead.key_service.retire(key, delete=delete))
    if as_json:
        print_json({"id": key, "state": "deleted" if delete else "disabled"})
    else:
        say("Deleted it." if delete else f"Disabled {key}. 'wellhead keys retire --delete' deletes it.")


def _confirmed() -> bool:
    question = "Other workspaces that use this key ring were not looked at. Delete the key for good?"
    return sys.stdin.isatty() and typer.confirm(question, err=True)
