"""The progress bars of commands: on a terminal only, and gone at the end."""

from __future__ import annotations

import io
from types import SimpleNamespace

import pytest
from rich.console import Console

from wellhead.cli import progress
from wellhead.cli.progress import Counting, Progress


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    """Standard error as a terminal would be; returns what is written to it."""
    written = io.StringIO()
    monkeypatch.setattr(written, "isatty", lambda: True)
    monkeypatch.setattr(progress, "sys", SimpleNamespace(stderr=written))  # pytest gives `sys` its own for each phase
    monkeypatch.setattr(progress, "err", Console(file=written, force_terminal=True, width=120))
    return written


def test_a_bar_counts_what_passed_and_failed(terminal: io.StringIO) -> None:
    with Progress(3) as bar:
        bar.add(passed=True)
        bar.add(passed=False)
        bar.add(passed=True)
    text = terminal.getvalue()
    assert "Validating" in text
    assert "3/3" in text
    assert "2 passed" in text
    assert "1 failed" in text


def test_a_bar_without_a_known_end_shows_the_one_that_it_is_told(terminal: io.StringIO) -> None:
    with Counting("Sealing anew") as bar:
        bar.show(2, 5)
    assert "Sealing anew" in terminal.getvalue()
    assert "2/5" in terminal.getvalue()


def test_nothing_is_shown_where_it_is_not_wanted(terminal: io.StringIO) -> None:
    with Progress(1, shown=False) as bar, Counting("Sealing anew", shown=False) as counting:
        bar.add(passed=True)
        counting.show(1, 1)
    assert terminal.getvalue() == ""


def test_nothing_is_shown_to_a_program(capfd: pytest.CaptureFixture[str]) -> None:
    with Progress(1) as bar:
        bar.add(passed=True)
    assert capfd.readouterr() == ("", "")
