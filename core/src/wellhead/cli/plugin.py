"""`wellhead plugin`: the commands for authors of plugins."""

from __future__ import annotations

import typer

from wellhead.cli.plugin_docs import docs
from wellhead.cli.plugin_new import new

app = typer.Typer(name="plugin", help="Begin a plugin, and look at the types of one.", no_args_is_help=True)

app.command()(docs)
app.command()(new)
