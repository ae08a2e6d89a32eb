"""`python -m wellhead` is `wellhead`."""

from __future__ import annotations

from wellhead.cli.main import main

main()
