"""Pages of lists as they were chosen last, so that one that is read often is answered without the index.

Every change of the index, by whichever process, is written to the file beside it that SQLite calls its write-ahead log.
While that file is the same, and what the items were judged on too, so is the page. The file is only looked at and never
opened: to close it would take SQLite's locks on it away.
"""

from __future__ import annotations

import os
import stat
import time
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass

from wellhead.storage.disk.reading import is_settled
from wellhead.storage.index.file import INDEX_NAME
from wellhead.storage.selection import Chosen, Selection
from wellhead.storage.store import Judge

_LOG_NAME = f"{INDEX_NAME}-wal"
_KEPT = 16
_MOST_BYTES = 256 * 1024

Mark = tuple[int, ...]
"""What tells one state of the index from every other."""
Bases = Mapping[tuple[str, bool], int]
"""What items were judged on, by their type and whether they have secrets."""


@dataclass(frozen=True, slots=True)
class _Page:
    mark: Mark
    bases: Bases
    chosen: Chosen


class RememberedPages:
    """Remembers pages of one store. May be used from any thread."""

    def __init__(self) -> None:
        self._pages: OrderedDict[Selection, _Page] = OrderedDict()

    def find(self, directory: int, selection: Selection, judge: Judge) -> Chosen | None:
        """Return a page as it was chosen, if it would be chosen again; else None.

        Args:
            directory: The descriptor of the store's directory.
            selection: What is wanted.
            judge: Tells the states.
        """
        page = self._pages.pop(selection, None)
        if page is None or page.mark != mark_of(directory):
            return None
        if any(judge.basis(name, sealed=sealed) != basis for (name, sealed), basis in page.bases.items()):
            return None
        self._pages[selection] = page
        return page.chosen

    def keep(self, selection: Selection, mark: Mark, bases: Bases, chosen: Chosen) -> None:
        """Remember a page, unless it is a large one.

        Args:
            selection: What was wanted.
            mark: The state of the index, from before it was read.
            bases: What the items were judged on.
            chosen: What was chosen.
        """
        if sum(map(len, chosen.items)) <= _MOST_BYTES:
            self._pages[selection] = _Page(mark, bases, chosen)
            while len(self._pages) > _KEPT:
                self._pages.popitem(last=False)


def mark_of(directory: int) -> Mark | None:
    """Return the mark of the index as it is now; None where it has none, or changed so lately that it may do so unseen.

    Args:
        directory: The descriptor of the store's directory.
    """
    try:
        index, log = (os.stat(name, dir_fd=directory, follow_symlinks=False) for name in (INDEX_NAME, _LOG_NAME))
    except OSError:
        return None
    if not stat.S_ISREG(index.st_mode) or not is_settled(log.st_mtime_ns, time.time_ns()):
        return None
    return index.st_dev, index.st_ino, log.st_ino, log.st_size, log.st_mtime_ns, log.st_ctime_ns
