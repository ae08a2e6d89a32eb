"""The options by which `add` and `edit` are given the fields of a data source."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from wellhead.cli import inputs

Assignments = Annotated[
    list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Set a field; KEY.ENTRY for a map.")
]
SecretFiles = Annotated[
    list[str] | None,
    typer.Option("--secret-file", metavar="KEY=PATH", help="Read a secret from a file; - for stdin."),
]
SecretVariables = Annotated[
    list[str] | None, typer.Option("--secret-env", metavar="KEY=VAR", help="Read a secret from a variable.")
]
FromFile = Annotated[
    Path | None, typer.Option("--from-file", metavar="FILE", help="Read fields from a JSON file; - for stdin.")
]
Verify = Annotated[bool, typer.Option("--verify", help="Save it only if it validates.")]


def given_fields(
    parameters: inputs.Parameters,
    from_file: Path | None,
    assignments: Sequence[str] | None,
    secret_files: Sequence[str] | None,
    secret_variables: Sequence[str] | None,
) -> dict[str, Any]:
    """Put together what the options say; what names a field wins over the file.

    Raises:
        InputError: An option does not fit.
    """
    return inputs.merged(
        inputs.read_file(from_file),
        inputs.read_assignments(assignments or (), parameters),
        inputs.read_secret_files(secret_files or ()),
        inputs.read_secret_variables(secret_variables or ()),
    )
