"""The progress bar for the making of the index."""

import io

from rich.console import Console

from wellhead.cli.index_bar import IndexBar


def test_the_bar_is_shown_while_the_index_is_made_and_goes_away() -> None:
    written = io.StringIO()
    bar = IndexBar(Console(file=written, force_terminal=True, width=100))
    bar(200, 450)
    assert "Making the index" in written.getvalue()
    assert "200/450" in written.getvalue()
    bar(450, 450)
    assert written.getvalue().endswith("\x1b[2K")  # the line is erased
    bar.close()


def test_a_bar_that_was_never_called_shows_nothing() -> None:
    written = io.StringIO()
    IndexBar(Console(file=written, force_terminal=True)).close()
    assert not written.getvalue()
