"""The commands."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from wellhead.assembly import Wellhead
from wellhead.catalog.listing import MAX_LIMIT, SORT_FIELDS, ListQuery
from wellhead.cli import inputs, views
from wellhead.cli.environment import environment_of
from wellhead.cli.session import (
    EXIT_NO,
    EXIT_SETTINGS,
    EXIT_USAGE,
    AsJson,
    ConfigFile,
    Workspace,
    err,
    opened,
    out,
    print_json,
    told,
    work,
)
from wellhead.errors import InputError, InputProblem
from wellhead.model.result import Check, ValidationResult
from wellhead.storage.stored import StoredDataSource

app = typer.Typer(
    name="wellhead",
    help="Keeps the configurations of data sources, their secrets safe, and checks whether they work.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
_AT_ONCE = 8

Name = Annotated[str, typer.Argument(metavar="NAME", help="The data source's name or id.")]
Timeout = Annotated[float | None, typer.Option("--timeout", metavar="S", min=0.001, help="Seconds for each validation.")]


def main() -> None:
    """Run the command line."""
    if sys.platform == "win32":
        sys.stderr.write("Wellhead runs on Linux and macOS. On Windows, use it inside WSL.\n")
        raise SystemExit(EXIT_SETTINGS)
    app()


@app.command()
def serve(
    workspace: Workspace = None,
    config: ConfigFile = None,
    host: Annotated[str | None, typer.Option(help="The address to listen on.")] = None,
    port: Annotated[int | None, typer.Option(min=0, max=65535, help="The port; 0 takes a free one.")] = None,
    as_json: AsJson = False,
) -> None:
    """Run the REST API for this machine."""
    from wellhead.api import server  # FastAPI is loaded for this command only

    with told(), opened(workspace, config, host=host, port=port) as wellhead:
        token = wellhead.token.read_or_make()
        if sys.platform != "linux":
            err.print("Note: on this system, validations are less isolated than on Linux.")
        listener = server.listen(wellhead.settings.host, wellhead.settings.port)
        url = server.url_of(listener)

        def announce() -> None:
            if as_json:
                token_file = str(wellhead.token.path) if wellhead.token.path else None
                print_json({"url": url, "token_file": token_file})
            else:
                _announce(url, token, wellhead)
            sys.stdout.flush()

        server.run(wellhead, listener, announce=announce)


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
    out.print(f"Types:       {names or views.INSTALL_HINT}", markup=False)
    for report in wellhead.catalog.plugins:
        if report.state != "ready":
            out.print(f"Not used:    {report.distribution}: {report.reason} {report.remedy}", markup=False)


@app.command()
def types(workspace: Workspace = None, config: ConfigFile = None, as_json: AsJson = False) -> None:
    """List the types that are installed, and the plugins that are broken."""
    with told(as_json), opened(workspace, config) as wellhead:
        items = wellhead.catalog.types()
        if as_json:
            print_json({"items": items})
        else:
            views.show_types(items)


@app.command("list")
def list_(
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
    labels = [(key, value if separator else None) for key, separator, value in (item.partition(":") for item in label or ())]
    with told(as_json):
        query = ListQuery(tuple(kind or ()), tuple(labels), None, text, tuple(state or ()), sort=_sort(sort), limit=limit)
    page = work(workspace, config, as_json, lambda wellhead: wellhead.catalog.list(query))
    if as_json:
        print_json(page.as_document())
    else:
        views.show_list(page.items, page.total)


def _sort(text: str) -> tuple[tuple[str, bool], ...]:
    keys = tuple((part.removeprefix("-"), part.startswith("-")) for part in text.split(","))
    if not {name for name, _ in keys} <= set(SORT_FIELDS):
        raise InputError([InputProblem("--sort", "not_allowed", "There is no such field.", allowed=SORT_FIELDS)])
    return keys


@app.command()
def show(name: Name, workspace: Workspace = None, config: ConfigFile = None, as_json: AsJson = False) -> None:
    """Show one data source; of secrets, only when they were set."""
    stored = work(workspace, config, as_json, lambda wellhead: wellhead.catalog.find(name))
    if as_json:
        print_json(stored.as_document())
    else:
        views.show_source(stored.as_document())


@app.command()
def add(
    kind: Annotated[str, typer.Argument(metavar="TYPE", help="The type: see 'wellhead types'.")],
    name: Annotated[str | None, typer.Option(help="The data source's name.")] = None,
    assignments: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Set a field; KEY.ENTRY for a map.")
    ] = None,
    secret_files: Annotated[
        list[str] | None, typer.Option("--secret-file", metavar="KEY=PATH", help="Read a secret from a file; - for stdin.")
    ] = None,
    secret_variables: Annotated[
        list[str] | None, typer.Option("--secret-env", metavar="KEY=VAR", help="Read a secret from a variable.")
    ] = None,
    from_file: Annotated[Path | None, typer.Option(metavar="FILE", help="Read fields from a JSON file; - for stdin.")] = None,
    verify: Annotated[bool, typer.Option("--verify", help="Save it only if it validates.")] = False,
    workspace: Workspace = None,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Add a data source. On a terminal, asks for what was not given."""
    with told(as_json), opened(workspace, config) as wellhead:
        known = wellhead.catalog.type(kind)
        parameters = known["parameters"]
        document = inputs.merged(
            inputs.read_file(from_file),
            inputs.read_assignments(assignments or (), parameters),
            inputs.read_secret_files(secret_files or ()),
            inputs.read_secret_variables(secret_variables or ()),
            {"name": name} if name is not None else {},
            {"type": known["name"]},
        )
        if sys.stdin.isatty() and not as_json:
            document = inputs.ask(document, parameters)
        saved, _ = asyncio.run(wellhead.catalog.create(document, verify=verify))
        if as_json:
            print_json(saved)
        else:
            out.print(f"Added {saved['name']} ({saved['id']}). Check it: wellhead validate {saved['id']}", markup=False)


@app.command()
def validate(
    names: Annotated[list[str] | None, typer.Argument(metavar="NAME…", help="Names or ids.")] = None,
    everything: Annotated[bool, typer.Option("--all", help="Validate all data sources.")] = False,
    timeout: Timeout = None,
    workspace: Workspace = None,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Find out whether data sources work. Exits with 1 if one does not."""
    if bool(names) == everything:
        err.print("Error: name at least one data source, or use --all.")
        raise typer.Exit(EXIT_USAGE)

    async def job(wellhead: Wellhead) -> bool:
        if everything:
            chosen = list(await wellhead.catalog.storage.list_configs())
        else:
            chosen = [await wellhead.catalog.find(name) for name in names or ()]
        if len(chosen) == 1 and not everything:
            return await _validate_one(wellhead, chosen[0], timeout, as_json=as_json)
        return await _validate_many(wellhead, chosen, timeout, as_json=as_json)

    if not work(workspace, config, as_json, job):
        raise typer.Exit(EXIT_NO)


async def _validate_one(wellhead: Wellhead, stored: StoredDataSource, timeout: float | None, *, as_json: bool) -> bool:
    """Validate one data source, and show each check as it ends."""
    async for event in await wellhead.catalog.stream_validation(stored.id, timeout=timeout):
        if isinstance(event, Check):
            if not as_json:
                views.show_check(event)
        else:
            result = event
    if as_json:
        print_json(result.as_document())
    else:
        for check in result.checks:
            if check.status == "skipped":
                views.show_check(check)
        views.show_result(stored.name or stored.id, result)
    return result.success


async def _validate_many(
    wellhead: Wellhead, chosen: list[StoredDataSource], timeout: float | None, *, as_json: bool
) -> bool:
    """Validate several data sources at once, a few at a time; those that cannot be read count as failed."""
    gate = asyncio.Semaphore(_AT_ONCE)
    totals: dict[str, int] = {}
    rows: list[tuple[str, ValidationResult]] = []

    async def one(stored: StoredDataSource) -> None:
        async with gate:
            result = await wellhead.catalog.validate(stored.id, timeout=timeout) if stored.config is not None else None
        status = result.status if result is not None else stored.state
        totals[status] = totals.get(status, 0) + 1
        if as_json:
            document: dict[str, Any] = {"id": stored.id, "name": stored.name}
            print_json(document | {"result": result.as_document() if result is not None else None})
        elif result is not None:
            rows.append((stored.name or stored.id, result))
        else:
            out.print(f"{stored.name or stored.id}: not validated, its state is {stored.state}", markup=False)

    await asyncio.gather(*(one(stored) for stored in chosen))
    if as_json:
        print_json({"totals": totals})
    else:
        views.show_results(sorted(rows, key=lambda row: row[0]))
    return totals.keys() <= {"passed", "warning"}


@app.command()
def remove(
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
        if not yes and not (sys.stdin.isatty() and typer.confirm(f"Remove {stored.name or stored.id} for good?", err=True)):
            err.print("Nothing was removed. Use --yes to remove it without being asked.")
            raise typer.Exit(EXIT_NO)
        asyncio.run(wellhead.catalog.delete(stored.id, force=force))
        if not as_json:
            out.print(f"Removed {stored.name or stored.id}.", markup=False)


@app.command(context_settings={"ignore_unknown_options": True})
def run(
    name: Name,
    command: Annotated[list[str], typer.Argument(metavar="-- COMMAND", help="The command and its arguments.")],
    workspace: Workspace = None,
    config: ConfigFile = None,
) -> None:
    """Run a command with the data source's fields, secrets in clear, in its environment."""
    with told(), opened(workspace, config) as wellhead:
        stored = asyncio.run(wellhead.catalog.find(name))
        revealed = asyncio.run(wellhead.catalog.reveal(stored))
        variables = environment_of(revealed, wellhead.catalog.registry.describe(revealed.type).environment)
        wellhead.uses.add("run", stored.id, stored.name, stored.revision)
    try:
        os.execvpe(command[0], command, {**os.environ, **variables})  # noqa: S606  # running it is what was asked for
    except OSError as error:
        err.print(f"Error: {command[0]} cannot be run: {error.strerror}.", markup=False)
        raise typer.Exit(127 if isinstance(error, FileNotFoundError) else 126) from None
