"""The user's own editor, on a file that nobody else can read and that is gone afterwards."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Never

import typer

from wellhead.cli.exit_codes import EXIT_NO
from wellhead.cli.writing import warn


@contextmanager
def private_file(name: str, text: str) -> Iterator[Path]:
    """Make a file in a directory of its own; both, and what an editor leaves beside it, are removed at the end."""
    before = {number: signal.signal(number, _end) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        with tempfile.TemporaryDirectory(prefix="wellhead-", ignore_cleanup_errors=True) as directory:
            path = Path(directory) / name
            path.touch(mode=0o600)
            path.write_text(text, encoding="utf-8")
            yield path
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def open_editor(path: Path) -> None:
    """Open a file in $VISUAL, $EDITOR or vi, and wait until it is closed; if that fails, end the command."""
    editor = os.environ.get("VISUAL") or os.environ.get("EDITOR") or "vi"
    screen = None if sys.stdout.isatty() else sys.stderr
    before = signal.signal(signal.SIGINT, lambda *_: None)  # on Ctrl-C, it is the editor that decides
    try:
        code = subprocess.run([*shlex.split(editor), path], stdout=screen, check=False).returncode  # noqa: S603  # the user's own editor
    except (OSError, ValueError):
        warn(f"Error: the editor '{editor}' cannot be run. Set VISUAL or EDITOR, or use --set.")
        raise typer.Exit(EXIT_NO) from None
    finally:
        signal.signal(signal.SIGINT, before)
    if code != 0:
        warn("The editor ended with an error, so nothing was saved.")
        raise typer.Exit(EXIT_NO)


def _end(number: int, _frame: FrameType | None) -> Never:
    raise SystemExit(128 + number)
