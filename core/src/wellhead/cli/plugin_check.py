"""`wellhead plugin check`: whether a plugin keeps the rules for plugins."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from wellhead.cli.console import out
from wellhead.cli.exit_codes import EXIT_NO, EXIT_USAGE
from wellhead.cli.writing import print_json, say, tamed, warn

_STATUS = {
    "passed": "[green]passed[/]",
    "failed": "[red]failed[/]",
    "waived": "[yellow]waived[/]",
    "skipped": "[dim]skipped[/]",
    "info": "[cyan]info[/]",
}


def check(
    plugin: Annotated[
        str,
        typer.Argument(
            metavar="PLUGIN",
            help="The directory of a plugin's source, or the name of an installed distribution or type; this directory "
            "if left out.",
        ),
    ] = ".",
    since: Annotated[
        Path | None, typer.Option(metavar="WHEEL", help="The last release, which the types are compared with.")
    ] = None,
    snapshot: Annotated[
        bool, typer.Option("--snapshot", help="Write schema-snapshot.json, which later checks compare with.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
) -> None:
    """Check a plugin against the rules for plugins, offline. Exits with 1 if one is broken."""
    from wellhead.testing.kit import checking, project, schema_changes, target  # noqa: PLC0415  # for this command only

    try:
        found = target.target_of(plugin)
        if snapshot:
            directory = found.project_directory
            say(f"Wrote {schema_changes.write(directory, checking.snapshot(found))}.")
            return
        with TemporaryDirectory() as unpacked:
            before = None if since is None else checking.snapshot(target.wheel_target(since, Path(unpacked)))
        report = checking.check(found, before=before).as_document()
    except project.TargetError as error:
        warn(f"Error: {error}")
        raise typer.Exit(EXIT_USAGE) from None
    if as_json:
        print_json(report)
    else:
        _show(report)
    if not report["passed"]:
        raise typer.Exit(EXIT_NO)


def _show(report: Mapping[str, Any]) -> None:
    """Print a table of rules, and what became of all of them in one line."""
    table = Table("Rule", "", "Status", "What was found", box=None, pad_edge=False)
    for rule in report["rules"]:
        ends = {"Waived": rule["reason"], "What to do": rule["remedy"]}
        found = [*rule["messages"], *(f"{word}: {text}" for word, text in ends.items() if text)]
        lines = "\n".join(escape(tamed(text)) for text in found)
        table.add_row(rule["rule"], escape(rule["name"]), _STATUS[rule["status"]], lines)
    out.print(table)
    counts = {status: sum(rule["status"] == status for rule in report["rules"]) for status in _STATUS}
    named = f"{report['distribution']} {report['version']}"
    if report["passed"]:
        more = f", {counts['waived']} waived" if counts["waived"] else ""
        say(f"\n{named} keeps the rules for plugins{more}.")
    else:
        say(f"\n{named} breaks {counts['failed']} of {len(report['rules'])} rules.")
