"""Data sources as they were shown last, so that one that is read often is neither taken apart nor judged each time."""

from __future__ import annotations

import hashlib
import os
from collections import OrderedDict
from dataclasses import dataclass

from wellhead.storage.disk.directory import read_file
from wellhead.storage.disk.results import Signature, results_name, signature_of
from wellhead.storage.records import MAX_RECORD_BYTES
from wellhead.storage.selection import Shown
from wellhead.storage.store import Judge

_KEPT = 2000


@dataclass(frozen=True, slots=True)
class Judged:
    """A data source as it is shown, with what that was made from.

    Attributes:
        digest: The digest of the record's file.
        results: The signature of the file with its results; None if there is none.
        type_name: Its type's name.
        sealed: Whether it has secrets.
        basis: The basis that its state was judged on.
        shown: What is shown.
    """

    digest: bytes
    results: Signature | None
    type_name: str
    sealed: bool
    basis: int
    shown: Shown


class ShownItems:
    """Remembers what was shown. May be used from any thread."""

    def __init__(self, kept: int = _KEPT) -> None:
        """Remember some.

        Args:
            kept: How many.
        """
        self._kept = kept
        self._items: OrderedDict[str, Judged] = OrderedDict()

    def find(self, directory: int, record_id: str, judge: Judge) -> Shown | None:
        """Return a data source as it was shown, if its files say the same still, and would be judged the same.

        The record's file is read, and not only looked at: an edit that leaves size and time alone is noticed too.

        Args:
            directory: The descriptor of the store's directory.
            record_id: Its id.
            judge: Tells the states.
        """
        known = self._items.pop(record_id, None)
        if known is None or not _is_current(directory, record_id, known):
            return None
        if judge.basis(known.type_name, sealed=known.sealed) != known.basis:
            return None
        self._items[record_id] = known
        return known.shown

    def keep(self, record_id: str, judged: Judged) -> None:
        """Remember a data source as it is shown."""
        self._items[record_id] = judged
        while len(self._items) > self._kept:
            self._items.popitem(last=False)


def _is_current(directory: int, record_id: str, known: Judged) -> bool:
    try:
        found = read_file(directory, f"{record_id}.json", MAX_RECORD_BYTES)
        return (
            found is not None
            and hashlib.sha256(found[0]).digest() == known.digest
            and _results_signature(directory, record_id) == known.results
        )
    except OSError:
        return False


def _results_signature(directory: int, record_id: str) -> Signature | None:
    try:
        return signature_of(os.stat(results_name(record_id), dir_fd=directory, follow_symlinks=False))
    except FileNotFoundError:
        return None
