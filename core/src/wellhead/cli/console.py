"""Where tables, colours and bars are drawn. Only what draws some imports this: rich takes as long as all else here."""

from __future__ import annotations

import sys

from rich.console import Console

# A program that reads a table gets whole lines; only a terminal has a width.
_WIDTH = None if sys.stdout.isatty() else 240
out = Console(soft_wrap=True, highlight=False, width=_WIDTH)
err = Console(stderr=True, soft_wrap=True, highlight=False)
