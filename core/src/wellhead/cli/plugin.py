"""`wellhead plugin`: what authors of plugins need."""

from __future__ import annotations

import typer

from wellhead.cli.plugin_check import check

app = typer.Typer(name="plugin", help="Commands for authors of plugins.", no_args_is_help=True)

app.command()(check)
