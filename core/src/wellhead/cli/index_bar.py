"""A progress bar for the making of the index, which is shown from the moment that it begins."""

from __future__ import annotations

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from wellhead.cli.console import err


class IndexBar:
    """Called with how many records of how many are in the index."""

    def __init__(self, console: Console = err) -> None:
        """Show the bar on a console, which should be a terminal."""
        self._console = console
        self._bar: Progress | None = None

    def __call__(self, done: int, total: int) -> None:
        """Show how far it is; at the end the bar goes away."""
        if self._bar is None:
            columns = (TextColumn("Making the index"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
            self._bar = Progress(
                *columns, console=self._console, transient=True, redirect_stdout=False, redirect_stderr=False
            )
            self._bar.add_task("", total=total, completed=done)
            self._bar.start()
        self._bar.update(self._bar.task_ids[0], completed=done)
        if done >= total:
            self.close()

    def close(self) -> None:
        """Take the bar away."""
        if self._bar is not None:
            self._bar.stop()
            self._bar = None
