"""`wellhead validate`: find out whether data sources work."""

from __future__ import annotations

import asyncio
import sys
from typing import Annotated, Any

import typer

from wellhead.assembly import Wellhead
from wellhead.cli import views
from wellhead.cli.completion import source_names
from wellhead.cli.progress import Progress
from wellhead.cli.session import (
    EXIT_NO,
    EXIT_USAGE,
    AsJson,
    ConfigFile,
    Workspace,
    err,
    out,
    print_json,
    tamed,
    work,
)
from wellhead.model.result import Check, ValidationResult
from wellhead.storage.stored import StoredDataSource

_AT_ONCE = 8
_GOOD = {"passed", "warning"}

Timeout = Annotated[
    float | None, typer.Option("--timeout", metavar="S", min=0.001, help="Seconds for each validation.")
]


def validate(  # noqa: PLR0917  # options of the command line, which come by name
    names: Annotated[
        list[str] | None, typer.Argument(metavar="NAME…", help="Names or ids.", autocompletion=source_names)
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="Validate all data sources.")] = False,
    timeout: Timeout = None,
    workspace: Workspace = None,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Find out whether data sources work. Exits with 1 if one does not."""
    if bool(names) == everything:
        err.print(
            "Error: name data sources or use --all, not both." if names else "Error: name a data source, or use --all."
        )
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


async def _validate_one(wellhead: Wellhead, stored: StoredDataSource, seconds: float | None, *, as_json: bool) -> bool:
    """Validate one data source, and show each check as it ends."""
    async for event in await wellhead.catalog.stream_validation(stored.id, timeout=seconds):
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
    wellhead: Wellhead, chosen: list[StoredDataSource], seconds: float | None, *, as_json: bool
) -> bool:
    """Validate several data sources at once, a few at a time; those that cannot be read count as failed."""
    gate = asyncio.Semaphore(_AT_ONCE)
    totals: dict[str, int] = {}
    results: list[tuple[StoredDataSource, ValidationResult | None]] = []

    async def one(stored: StoredDataSource, progress: Progress) -> None:
        async with gate:
            result = await wellhead.catalog.validate(stored.id, timeout=seconds) if stored.config is not None else None
        status = result.status if result is not None else stored.state
        totals[status] = totals.get(status, 0) + 1
        results.append((stored, result))
        progress.add(passed=status in _GOOD)
        if as_json:
            document: dict[str, Any] = {"id": stored.id, "name": stored.name}
            print_json(document | {"result": result.as_document() if result is not None else None})

    with Progress(len(chosen), shown=not (as_json and sys.stdout.isatty())) as progress:
        await asyncio.gather(*(one(stored, progress) for stored in chosen))
    if as_json:
        print_json({"totals": totals})
    else:
        _show_many(results, totals)
    return totals.keys() <= _GOOD


def _show_many(results: list[tuple[StoredDataSource, ValidationResult | None]], totals: dict[str, int]) -> None:
    """Print what came out, by name."""
    named = sorted(((stored.name or stored.id, stored, result) for stored, result in results), key=lambda row: row[0])
    for name, stored, result in named:
        if result is None:
            out.print(f"{tamed(name)}: not validated, its state is {stored.state}", markup=False)
    views.show_results([(name, result) for name, _, result in named if result is not None], totals)
