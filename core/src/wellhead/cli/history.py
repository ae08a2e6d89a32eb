"""`wellhead history` and `rollback`: the former revisions of a data source, and going back to one."""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer

from wellhead.cli import views
from wellhead.cli.session import AsJson, ConfigFile, Name, Workspace, opened, told
from wellhead.cli.writing import print_json, say, tamed
from wellhead.storage.revisions import Rewritten


def history(
    name: Name,
    purge_secrets: Annotated[
        bool, typer.Option("--purge-secrets", help="Take the values of secrets out of all former revisions for good.")
    ] = False,
    workspace: Workspace = None,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """List the former revisions of a data source, newest first."""
    with told(as_json), opened(workspace, config) as wellhead:
        stored = asyncio.run(wellhead.catalog.find(name))
        if purge_secrets:
            done = asyncio.run(wellhead.catalog.purge_history(stored.id))
            _tell_purged(tamed(stored.name or stored.id), done, as_json=as_json)
            return
        items = asyncio.run(wellhead.catalog.history(stored.id))
        if as_json:
            print_json({"items": items})
        else:
            views.show_history(items)


def rollback(
    name: Name,
    revision: Annotated[int, typer.Argument(metavar="REVISION", min=1, help="The revision to restore.")],
    workspace: Workspace = None,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Restore a former revision of a data source whole, its secrets too, as a new revision."""
    with told(as_json), opened(workspace, config) as wellhead:
        stored = asyncio.run(wellhead.catalog.find(name))
        saved, number = asyncio.run(wellhead.catalog.rollback(stored.id, revision))
        if as_json:
            print_json(saved)
        elif number == stored.revision:
            say("It is in that state already, so nothing was saved.")
        else:
            text = f"Restored revision {revision} of {tamed(saved['name'])}; it is revision {number} now."
            say(text)


def _tell_purged(name: str, done: Rewritten, *, as_json: bool) -> None:
    if as_json:
        print_json({"purged": done.changed, "dropped": done.dropped})
        return
    if not done.changed and not done.dropped:
        say(f"No former revision of {name} has a secret that could be purged.")
        return
    purged, dropped = _counted(done.changed, "former revision"), _counted(done.dropped, "line")
    say(f"Purged the secrets of {purged} of {name}, which cannot be restored any more.")
    if done.dropped:
        say(f"Took {dropped} out of its history that could not be read.")
    say("The secrets that are in use now were not touched. A leaked one must be changed where it is used.")


def _counted(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
