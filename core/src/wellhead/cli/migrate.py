"""`wellhead migrate`: bring stored records to the schemas that their types have now."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

import typer

from wellhead.assembled import Wellhead
from wellhead.catalog.migrations import Migrations, document_of
from wellhead.cli import views
from wellhead.cli.completion import source_names
from wellhead.cli.exit_codes import EXIT_NO, EXIT_USAGE
from wellhead.cli.progress import Counting
from wellhead.cli.session import AsJson, ConfigFile, Workspace, work
from wellhead.cli.writing import print_json, warn
from wellhead.storage.rewriting import MigrationOutcome


def migrate(  # noqa: PLR0917  # options of the command line, which come by name
    names: Annotated[
        list[str] | None, typer.Argument(metavar="NAME…", help="Names or ids.", autocompletion=source_names)
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="Migrate all data sources.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be changed, and change nothing.")] = False,
    workspace: Workspace = None,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Rewrite records that an older version of their plugin wrote. Exits with 1 if one fails."""
    if bool(names) == everything:
        warn(
            "Error: name data sources or use --all, not both." if names else "Error: name a data source, or use --all."
        )
        raise typer.Exit(EXIT_USAGE)

    async def job(wellhead: Wellhead) -> Sequence[MigrationOutcome]:
        migrations = Migrations(wellhead.catalog.storage)
        if everything:
            ids = await migrations.all_ids()
        else:
            ids = list(dict.fromkeys([(await wellhead.catalog.find(name)).id for name in names or ()]))
        with Counting("Looking at records" if dry_run else "Migrating", shown=not as_json) as counting:
            return await migrations.run(ids, dry_run=dry_run, report=counting.show)

    outcomes = work(workspace, config, as_json, job)
    document = document_of(outcomes, dry_run=dry_run)
    if as_json:
        print_json(document)
    else:
        views.show_migrations(outcomes, document["totals"], dry_run=dry_run)
    if document["totals"].get("failed"):
        raise typer.Exit(EXIT_NO)
