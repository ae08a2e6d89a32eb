"""`wellhead add`: a new data source, from options, files, variables, and answers to questions."""

from __future__ import annotations

import asyncio
import shlex
import sys
from typing import Annotated, Any

import typer

from wellhead.assembled import Wellhead
from wellhead.cli import inputs, questions
from wellhead.cli.completion import type_names
from wellhead.cli.options import Assignments, FromFile, SecretFiles, SecretVariables, Verify, given_fields
from wellhead.cli.session import AsJson, ConfigFile, Workspace, opened, tell, told
from wellhead.cli.writing import print_json, say
from wellhead.errors import InputError, InputProblem, NameTakenError, UnknownTypeError


def add(  # noqa: PLR0917  # options of the command line, which come by name
    kind: Annotated[
        str, typer.Argument(metavar="TYPE", help="The type: see 'wellhead types'.", autocompletion=type_names)
    ],
    name: Annotated[str | None, typer.Option(help="The data source's name.")] = None,
    assignments: Assignments = None,
    secret_files: SecretFiles = None,
    secret_variables: SecretVariables = None,
    from_file: FromFile = None,
    verify: Verify = False,
    workspace: Workspace = None,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Add a data source. On a terminal, asks for what was not given."""
    with told(as_json), opened(workspace, config) as wellhead:
        known = _known(wellhead, kind)
        parameters = known["parameters"]
        document = given_fields(parameters, from_file, assignments, secret_files, secret_variables)
        if name is not None:
            document["name"] = name
        if document.setdefault("type", kind) != kind:
            raise InputError([InputProblem("/type", "not_allowed", f"The command says {kind}, the file another type.")])
        if sys.stdin.isatty() and not as_json:
            saved = _talked(wellhead, document, parameters, verify=verify)
        else:
            saved, _ = asyncio.run(wellhead.catalog.create(document, verify=verify))
        if as_json:
            print_json(saved)
        else:
            check = f"wellhead validate {shlex.quote(saved['name'])}"
            say(f"Added {saved['name']} ({saved['id']}). Check it: {check}")


def _talked(
    wellhead: Wellhead, document: dict[str, Any], parameters: inputs.Parameters, *, verify: bool
) -> dict[str, Any]:
    """Ask for what is missing, and again for what does not fit, until it is saved."""
    answered = questions.ask(document, parameters)
    while True:
        try:
            return asyncio.run(wellhead.catalog.create(answered, verify=verify))[0]
        except (InputError, NameTakenError) as error:
            pointers = [item.pointer for item in error.problems] if isinstance(error, InputError) else ["/name"]
            if not questions.can_ask(parameters, pointers):
                raise
            tell(error)
            answered = questions.ask_again(answered, parameters, pointers)


def _known(wellhead: Wellhead, kind: str) -> dict[str, Any]:
    """Return the type to add; one that is not there does not fit, as in a document."""
    try:
        return wellhead.catalog.type(kind)
    except UnknownTypeError as error:
        raise InputError([InputProblem("/type", error.code, error.message, allowed=error.installed)]) from None
