"""`wellhead validate`: find out whether data sources work."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import aclosing
from typing import Annotated

import typer

from wellhead.assembled import Wellhead
from wellhead.catalog.listing import ListQuery
from wellhead.catalog.outcomes import GOOD, Outcome, totals_of
from wellhead.cli import views
from wellhead.cli.completion import source_names
from wellhead.cli.exit_codes import EXIT_NO, EXIT_USAGE
from wellhead.cli.progress import Progress
from wellhead.cli.session import AsJson, ConfigFile, Workspace, work
from wellhead.cli.writing import print_json, say, tamed, warn
from wellhead.model.result import Check
from wellhead.storage.stored import StoredDataSource

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
        warn(
            "Error: name data sources or use --all, not both." if names else "Error: name a data source, or use --all."
        )
        raise typer.Exit(EXIT_USAGE)

    async def job(wellhead: Wellhead) -> bool:
        if everything:
            chosen = await wellhead.catalog.select(ListQuery())
        else:
            found = [await wellhead.catalog.find(name) for name in names or ()]
            chosen = list({source.id: source for source in found}.values())
        if len(chosen) == 1 and not everything:
            return await _validate_one(wellhead, chosen[0], timeout, as_json=as_json)
        return await _validate_many(wellhead, chosen, timeout, as_json=as_json)

    if not work(workspace, config, as_json, job):
        raise typer.Exit(EXIT_NO)


async def _validate_one(wellhead: Wellhead, stored: StoredDataSource, seconds: float | None, *, as_json: bool) -> bool:
    """Validate one data source, and show each check as it ends."""
    async with aclosing(await wellhead.catalog.stream_validation(stored.id, timeout=seconds)) as events:
        async for event in events:
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
    wellhead: Wellhead, chosen: Sequence[StoredDataSource], seconds: float | None, *, as_json: bool
) -> bool:
    """Validate several data sources at once; those that cannot be read count as failed."""
    outcomes: list[Outcome] = []
    with Progress(len(chosen), shown=not (as_json and sys.stdout.isatty())) as progress:
        async with aclosing(wellhead.catalog.validate_many(chosen, timeout=seconds)) as coming:
            async for outcome in coming:
                outcomes.append(outcome)
                progress.add(passed=outcome.status in GOOD)
                if as_json:
                    print_json(outcome.as_document())
    totals = totals_of(outcome.status for outcome in outcomes)
    if as_json:
        print_json({"totals": totals})
    else:
        _show_many(outcomes, totals)
    return totals.keys() <= GOOD


def _show_many(outcomes: list[Outcome], totals: dict[str, int]) -> None:
    """Print what came out, by name."""
    named = sorted(((outcome.name or outcome.id, outcome) for outcome in outcomes), key=lambda row: row[0])
    for name, outcome in named:
        if outcome.result is None:
            say(f"{tamed(name)}: not validated, its state is {outcome.state}")
    views.show_results([(name, outcome.result) for name, outcome in named if outcome.result is not None], totals)
