"""`wellhead types`, `list`, `show` and `remove`: what there is, and taking it away."""

from __future__ import annotations

import asyncio
import sys
from typing import Annotated

import typer

from wellhead.catalog.listing import MAX_LIMIT, SORT_FIELDS, ListQuery
from wellhead.cli import views
from wellhead.cli.session import (
    EXIT_NO,
    AsJson,
    ConfigFile,
    Name,
    Workspace,
    err,
    opened,
    out,
    print_json,
    tamed,
    told,
    work,
)
from wellhead.errors import InputError, InputProblem
from wellhead.storage.stored import STATES


def types(workspace: Workspace = None, config: ConfigFile = None, as_json: AsJson = False) -> None:
    """List the types that are installed, and the plugins that are broken."""
    with told(as_json), opened(workspace, config) as wellhead:
        items = wellhead.catalog.types()
        if as_json:
            print_json({"items": items})
        else:
            views.show_types(items)


def list_(  # noqa: PLR0917  # options of the command line, which come by name
    workspace: Workspace = None,
    config: ConfigFile = None,
    kind: Annotated[list[str] | None, typer.Option("--type", help="Only these types.")] = None,
    label: Annotated[list[str] | None, typer.Option(help="Only with all these labels: KEY or KEY:VALUE.")] = None,
    state: Annotated[list[str] | None, typer.Option(help="Only these states.")] = None,
    text: Annotated[str | None, typer.Option("--q", help="A part of the name or the description.")] = None,
    sort: Annotated[str, typer.Option(help="Fields to sort by, '-' before one for descending.")] = "name",
    limit: Annotated[int, typer.Option(min=1, max=MAX_LIMIT, help="The most to list.")] = MAX_LIMIT,
    as_json: AsJson = False,
) -> None:
    """List data sources."""
    with told(as_json):
        query = ListQuery(
            types=tuple(kind or ()),
            labels=tuple(_label(item) for item in label or ()),
            text=text,
            states=_allowed("--state", tuple(state or ()), STATES),
            sort=_sort(sort),
            limit=limit,
        )
    page = work(workspace, config, as_json, lambda wellhead: wellhead.catalog.list(query))
    if as_json:
        print_json(page.as_document())
    else:
        views.show_list(page.items, page.total)


def _label(text: str) -> tuple[str, str | None]:
    key, separator, value = text.partition(":")
    return key, value if separator else None


def _sort(text: str) -> tuple[tuple[str, bool], ...]:
    keys = tuple((part.removeprefix("-"), part.startswith("-")) for part in text.split(","))
    _allowed("--sort", tuple(name for name, _ in keys), SORT_FIELDS)
    return keys


def _allowed(option: str, values: tuple[str, ...], allowed: tuple[str, ...]) -> tuple[str, ...]:
    if not set(values) <= set(allowed):
        raise InputError([InputProblem(option, "not_allowed", "There is no such value.", allowed=allowed)])
    return values


def show(name: Name, workspace: Workspace = None, config: ConfigFile = None, as_json: AsJson = False) -> None:
    """Show one data source; of secrets, only when they were set."""
    stored = work(workspace, config, as_json, lambda wellhead: wellhead.catalog.find(name))
    if as_json:
        print_json(stored.as_document())
    else:
        views.show_source(stored.as_document())


def remove(  # noqa: PLR0917  # options of the command line, which come by name
    name: Name,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Remove it even if its record cannot be read.")] = False,
    workspace: Workspace = None,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Remove a data source, with all that belongs to it."""
    with told(as_json), opened(workspace, config) as wellhead:
        stored = asyncio.run(wellhead.catalog.find(name))
        shown = tamed(stored.name or stored.id)
        if not yes and not (sys.stdin.isatty() and typer.confirm(f"Remove {shown} for good?", err=True)):
            err.print("Nothing was removed. Use --yes to remove it without being asked.")
            raise typer.Exit(EXIT_NO)
        asyncio.run(wellhead.catalog.delete(stored.id, force=force))
        if not as_json:
            out.print(f"Removed {shown}.", markup=False)
