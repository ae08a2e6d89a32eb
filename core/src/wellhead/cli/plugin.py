"""`wellhead plugin`: the commands for authors of plugins."""

from __future__ import annotations

import typer

from wellhead.cli.plugin_check import check
from wellhead.cli.plugin_docs import docs
from wellhead.cli.plugin_new import new

app = typer.Typer(
    name="plugin", help="Begin a plugin, check one, and look at its types.", no_args_is_help=True, add_completion=False
)

app.command()(check)
app.command()(docs)
app.command()(new)
