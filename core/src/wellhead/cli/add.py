"""`wellhead add`: a new data source, from options, files, variables, and answers to questions."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from wellhead.assembly import Wellhead
from wellhead.cli import inputs
from wellhead.cli.session import AsJson, ConfigFile, Workspace, opened, out, print_json, told
from wellhead.errors import InputError, InputProblem, UnknownTypeError


def add(  # noqa: PLR0917  # options of the command line, which come by name
    kind: Annotated[str, typer.Argument(metavar="TYPE", help="The type: see 'wellhead types'.")],
    name: Annotated[str | None, typer.Option(help="The data source's name.")] = None,
    assignments: Annotated[
        list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Set a field; KEY.ENTRY for a map.")
    ] = None,
    secret_files: Annotated[
        list[str] | None,
        typer.Option("--secret-file", metavar="KEY=PATH", help="Read a secret from a file; - for stdin."),
    ] = None,
    secret_variables: Annotated[
        list[str] | None, typer.Option("--secret-env", metavar="KEY=VAR", help="Read a secret from a variable.")
    ] = None,
    from_file: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Read fields from a JSON file; - for stdin.")
    ] = None,
    verify: Annotated[bool, typer.Option("--verify", help="Save it only if it validates.")] = False,
    workspace: Workspace = None,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Add a data source. On a terminal, asks for what was not given."""
    with told(as_json), opened(workspace, config) as wellhead:
        known = _known(wellhead, kind)
        parameters = known["parameters"]
        document = inputs.merged(
            inputs.read_file(from_file),
            inputs.read_assignments(assignments or (), parameters),
            inputs.read_secret_files(secret_files or ()),
            inputs.read_secret_variables(secret_variables or ()),
            {"name": name} if name is not None else {},
        )
        if document.setdefault("type", kind) != kind:
            raise InputError([InputProblem("/type", "not_allowed", f"The command says {kind}, the file another type.")])
        if sys.stdin.isatty() and not as_json:
            document = inputs.ask(document, parameters)
        saved, _ = asyncio.run(wellhead.catalog.create(document, verify=verify))
        if as_json:
            print_json(saved)
        else:
            out.print(f"Added {saved['name']} ({saved['id']}). Check it: wellhead validate {saved['id']}", markup=False)


def _known(wellhead: Wellhead, kind: str) -> dict[str, Any]:
    """Return the type to add; one that is not there does not fit, as in a document."""
    try:
        return wellhead.catalog.type(kind)
    except UnknownTypeError as error:
        raise InputError([InputProblem("/type", error.code, error.message, allowed=error.installed)]) from None
