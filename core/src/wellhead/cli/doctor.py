"""`wellhead doctor`: a look over the whole workspace, and what to do about what is wrong."""

from __future__ import annotations

from typing import Annotated

import typer

from wellhead.catalog.doctor import document_of
from wellhead.cli import views
from wellhead.cli.exit_codes import EXIT_NO
from wellhead.cli.session import AsJson, ConfigFile, Workspace, work
from wellhead.cli.writing import print_json


def doctor(
    repair: Annotated[
        bool, typer.Option("--repair", help="Mend what is safe to mend; no data source is ever touched.")
    ] = False,
    workspace: Workspace = None,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Look over the whole workspace, and say what to do about what is wrong. Exits with 1 if there is a problem."""
    findings = work(workspace, config, as_json, lambda wellhead: wellhead.doctor.look(repair=repair))
    document = document_of(findings)
    if as_json:
        print_json(document)
    else:
        views.show_findings(findings)
    if not document["success"]:
        raise typer.Exit(EXIT_NO)
