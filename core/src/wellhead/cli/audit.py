"""`wellhead audit`: who did what to which data source, newest first."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from wellhead import clock, logs
from wellhead.access.audit import Audit
from wellhead.access.audit_query import AuditQuery
from wellhead.cli import views
from wellhead.cli.session import AsJson, ConfigFile, Workspace, told
from wellhead.cli.writing import print_json
from wellhead.errors import InputError, InputProblem
from wellhead.parts import audit_log, local_workspace, place_in_log
from wellhead.settings import load_settings


def audit(  # noqa: PLR0917  # options of the command line, which come by name
    since: Annotated[str | None, typer.Option(metavar="INSTANT", help="At this instant or later.")] = None,
    until: Annotated[str | None, typer.Option(metavar="INSTANT", help="At this instant or earlier.")] = None,
    user: Annotated[str | None, typer.Option(metavar="NAME", help="What this user did.")] = None,
    operation: Annotated[str | None, typer.Option(metavar="NAME", help="This operation, such as update.")] = None,
    data_source: Annotated[str | None, typer.Option(metavar="NAME", help="This data source: its name or id.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="How many entries at most.")] = 50,
    workspace: Workspace = None,
    root: Annotated[
        Path | None, typer.Option("--root", metavar="DIR", help="All workspaces of the service below DIR.")
    ] = None,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """List who did what to which data source, newest first."""
    with told(as_json):
        settings = load_settings(config, workspace=workspace, root=root)
        logs.configure(settings.log_level)
        place = None if settings.root is not None else place_in_log(settings, local_workspace(settings))
        query = AuditQuery(
            workspace=None if place is None else place.workspace or None,
            user=user,
            operation=operation,
            data_source=data_source,
            since=_instant("--since", since),
            until=_instant("--until", until),
            limit=limit,
        )
        log = audit_log(settings, None if place is None else place.file)
        page = Audit(log, query.workspace or "", is_required=False).read(query)
    if as_json:
        print_json(page.as_document())
    else:
        views.show_audit(page.items)


def _instant(option: str, text: str | None) -> datetime | None:
    """Read an instant, or a day, which begins at midnight (UTC).

    Raises:
        InputError: It is neither.
    """
    if text is None:
        return None
    try:
        return clock.from_text(text if "T" in text.upper() else f"{text}T00:00:00Z")
    except ValueError:
        rule = "Must be an instant such as 2026-11-23T08:00:00Z, or a day such as 2026-11-23."
        raise InputError([InputProblem(option, "bad_format", rule)]) from None
