"""`wellhead run`: a command with a data source's fields in its environment."""

from __future__ import annotations

import asyncio
import os
from typing import Annotated

import typer

from wellhead.cli.environment import environment_of, without_settings
from wellhead.cli.exit_codes import EXIT_NO
from wellhead.cli.session import ConfigFile, Name, Workspace, opened, told
from wellhead.cli.writing import warn


def run(
    name: Name,
    command: Annotated[list[str], typer.Argument(metavar="-- COMMAND", help="The command and its arguments.")],
    workspace: Workspace = None,
    config: ConfigFile = None,
) -> None:
    """Run a command with the data source's fields, secrets in clear, in its environment."""
    with told(), opened(workspace, config) as wellhead:
        stored = asyncio.run(wellhead.catalog.find(name))
        revealed = asyncio.run(wellhead.catalog.reveal(stored))
        variables = environment_of(revealed, wellhead.catalog.registry.describe(revealed.type).environment)
        wellhead.audit.use("run", stored.id, stored.name, stored.revision)
    try:
        os.execvpe(command[0], command, {**without_settings(os.environ), **variables})  # noqa: S606  # running it is what was asked for
    except ValueError:
        warn("Error: a value has a NUL character, which no environment can hold.")
        raise typer.Exit(EXIT_NO) from None
    except OSError as error:
        warn(f"Error: {command[0]} cannot be run: {error.strerror}.")
        raise typer.Exit(127 if isinstance(error, FileNotFoundError) else 126) from None
