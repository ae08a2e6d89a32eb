"""A progress bar, on standard error and for a terminal only."""

from __future__ import annotations

import sys
from types import TracebackType
from typing import Any, Self

from rich.progress import BarColumn, MofNCompleteColumn, ProgressColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bar

from wellhead.cli.console import err


class _OnTerminal:
    """A bar that is there while its `with` block runs, and gone after it."""

    def __init__(self, what: str, *columns: ProgressColumn, total: int | None, shown: bool, **fields: Any) -> None:
        self._bar = Bar(
            TextColumn(what),
            BarColumn(),
            MofNCompleteColumn(),
            *columns,
            TimeElapsedColumn(),
            console=err,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
            disable=not (shown and sys.stderr.isatty()),
        )
        self._task = self._bar.add_task("", total=total, **fields)

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._bar.stop()


class Progress(_OnTerminal):
    """How many data sources are done, and how many of them passed and failed."""

    def __init__(self, total: int, *, shown: bool = True) -> None:
        text = "[green]{task.fields[passed]} passed[/], [red]{task.fields[failed]} failed[/]"
        super().__init__("Validating", TextColumn(text), total=total, shown=shown, passed=0, failed=0)
        self._counts = {"passed": 0, "failed": 0}

    def add(self, *, passed: bool) -> None:
        """Count one that is done."""
        self._counts["passed" if passed else "failed"] += 1
        self._bar.update(self._task, advance=1, passed=self._counts["passed"], failed=self._counts["failed"])


class Counting(_OnTerminal):
    """How many of all are done."""

    def __init__(self, what: str, *, shown: bool = True) -> None:
        """Count, on a terminal.

        Args:
            what: What is being done.
            shown: Show it.
        """
        super().__init__(what, total=None, shown=shown)

    def show(self, done: int, total: int) -> None:
        """Show how many are done."""
        self._bar.update(self._task, completed=done, total=total)
