"""`wellhead plugin docs`: the page of a type, for its documentation."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from wellhead.cli.completion import type_names
from wellhead.cli.session import ConfigFile, Workspace, opened, told
from wellhead.cli.writing import tamed


def docs(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A type that is installed.", autocompletion=type_names)],
    workspace: Workspace = None,
    config: ConfigFile = None,
) -> None:
    """Print the page of a type in Markdown: its fields, checks, codes and examples, made from its model."""
    with told(), opened(workspace, config) as wellhead:
        sys.stdout.write(tamed(wellhead.catalog.type_page(name)))
