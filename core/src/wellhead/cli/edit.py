"""`wellhead edit`: a data source changed by options, or in the user's editor."""

from __future__ import annotations

import asyncio
import json
import shlex
import sys
from typing import Annotated, Any

import typer

from wellhead import strict_json
from wellhead.assembled import Wellhead
from wellhead.cli import inputs
from wellhead.cli.editor import open_editor, private_file
from wellhead.cli.exit_codes import EXIT_NO, EXIT_USAGE, exit_code
from wellhead.cli.options import Assignments, FromFile, SecretFiles, SecretVariables, Verify, given_fields
from wellhead.cli.session import AsJson, ConfigFile, Name, Workspace, opened, tell, told
from wellhead.cli.writing import print_json, say, tamed, warn
from wellhead.errors import InputError, NameTakenError, RevisionMismatchError, ValidationFailedError
from wellhead.storage.conflicts import conflict_of
from wellhead.storage.stored import StoredDataSource

_RULES = """\
Change what you like, save, and close the editor. A secret's object:
  left as it is     keeps the secret
  a text instead    sets it
  null instead      clears it
If you change where the secrets go, such as the host, give every secret anew.
"""


def edit(  # noqa: PLR0917  # options of the command line, which come by name
    name: Name,
    assignments: Assignments = None,
    unset: Annotated[
        list[str] | None, typer.Option("--unset", metavar="KEY", help="Take a field away; KEY.ENTRY for a map.")
    ] = None,
    secret_files: SecretFiles = None,
    secret_variables: SecretVariables = None,
    from_file: FromFile = None,
    verify: Verify = False,
    workspace: Workspace = None,
    config: ConfigFile = None,
    as_json: AsJson = False,
) -> None:
    """Change a data source, by options or, on a terminal without any, in $VISUAL or $EDITOR."""
    by_options = bool(assignments or unset or secret_files or secret_variables or from_file)
    if not by_options and not sys.stdin.isatty():
        warn("Error: say what to change: --set, --unset, --secret-file, --secret-env or --from-file.")
        raise typer.Exit(EXIT_USAGE)
    with told(as_json), opened(workspace, config) as wellhead:
        stored = asyncio.run(wellhead.catalog.find(name))
        if stored.is_left_alone or stored.type is None:
            raise conflict_of(stored)
        if by_options:
            parameters = wellhead.catalog.type(stored.type)["parameters"]
            given = given_fields(parameters, from_file, assignments, secret_files, secret_variables)
            patch = inputs.merged(given, inputs.read_removals(unset or ()))
            saved, _ = asyncio.run(wellhead.catalog.patch(stored.id, patch, verify=verify))
        else:
            saved = _edited(wellhead, stored, verify=verify)
        _show(stored, saved, as_json=as_json)


def _edited(wellhead: Wellhead, stored: StoredDataSource, *, verify: bool) -> dict[str, Any]:
    """Let the user edit what a read shows, until it is saved, left as it is, or given up."""
    current = stored.as_document()
    text = json.dumps(current, ensure_ascii=False, indent=2) + "\n"
    warn(_RULES)
    with private_file("data-source.json", text) as path:
        while True:
            open_editor(path)
            try:
                document = strict_json.parse_object(path.read_bytes())
                if json.dumps(document, sort_keys=True) == json.dumps(current, sort_keys=True):  # where 1 is not true
                    return current
                change = wellhead.catalog.replace(stored.id, document, expected=stored.revision, verify=verify)
                return asyncio.run(change)[0]
            except RevisionMismatchError as error:
                tell(error)
                again = shlex.quote(tamed(stored.name or stored.id))
                warn(f"Somebody else saved it meanwhile. Edit what is there now: wellhead edit {again}")
                raise typer.Exit(EXIT_NO) from None
            except (InputError, NameTakenError, ValidationFailedError) as error:
                tell(error)
                if not typer.confirm("Edit it again?", default=True, err=True):
                    warn("Nothing was saved.")
                    raise typer.Exit(exit_code(error)) from None


def _show(before: StoredDataSource, saved: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print_json(saved)
    elif saved["revision"] == before.revision:
        say("Nothing changed, so nothing was saved.")
    else:
        say(f"Saved {tamed(saved['name'])}, revision {saved['revision']}.")
