"""Reading the store in files, as it is done in a thread: records, their history and results, and lists by the index."""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any, TypeVar

from wellhead.mounts import is_shared
from wellhead.storage.disk import history
from wellhead.storage.disk.directory import StoreDirectory, translated
from wellhead.storage.disk.reading import Seen, Signatures, read_entry, scan
from wellhead.storage.disk.results import Signature, read_results
from wellhead.storage.index.choosing import Chooser
from wellhead.storage.index.file import IndexUnusableError
from wellhead.storage.index.indexing import Indexing
from wellhead.storage.index.rows import item_of
from wellhead.storage.index.shown import Judged, ShownItems
from wellhead.storage.records import RECORD_ID
from wellhead.storage.revisions import Revision, revisions_of
from wellhead.storage.selection import Chosen, Group, Selection, Shown
from wellhead.storage.store import Entry, Judge

# Entries that were read are remembered, so that a record that is read often is not taken apart each time.
_REMEMBERED = 1000

T = TypeVar("T")


class FileReads:
    """Reads the records of one workspace. No lock is taken: what has its name is whole."""

    def __init__(self, directory: StoreDirectory, indexing: Indexing) -> None:
        """Read a store.

        Args:
            directory: Its directory.
            indexing: Its index.
        """
        self._directory = directory
        self._indexing = indexing
        self._chooser = Chooser(indexing)
        self._known: OrderedDict[str, Seen] = OrderedDict()
        self._remembered = _REMEMBERED
        self._shown = ShownItems()
        self._is_local: bool | None = None

    def read(self, record_id: str) -> Entry | None:
        """Return what is stored under an id; None if nothing is."""
        directory = self._directory.open() if RECORD_ID.fullmatch(record_id) else None
        return None if directory is None else self.load(directory, record_id)

    def load(self, directory: int, record_id: str) -> Entry | None:
        """Read one record's file, and remember it for a while."""
        seen = read_entry(directory, record_id, self._known.pop(record_id, None))
        if seen is None:
            return None
        if seen.digest:
            self._known[record_id] = seen
            while len(self._known) > self._remembered:
                self._known.popitem(last=False)
        return seen.entry

    def entries(self) -> list[Entry]:
        """Return all that is stored."""
        directory = self._directory.open()
        if directory is None:
            return []
        with translated():
            found = self._scan(directory)
        self._remembered = max(_REMEMBERED, len(found))
        for record_id in self._known.keys() - found.keys():
            self._known.pop(record_id, None)
        entries = []
        for record_id, signatures in found.items():
            known = self._known.get(record_id)
            if known is not None and known.settled and known.signatures == signatures:
                entries.append(known.entry)
            elif (entry := self.load(directory, record_id)) is not None:
                entries.append(entry)
        return entries

    def _scan(self, directory: int) -> dict[str, Signatures]:
        """Return the signatures of the files of all records."""
        records: dict[str, Signature] = {}
        results: dict[str, Signature] = {}
        for record_id, is_record, signature in scan(directory):
            (records if is_record else results)[record_id] = signature
        return {record_id: (signature, results.get(record_id)) for record_id, signature in records.items()}

    def known_as_shown(self, record_id: str, judge: Judge) -> Shown | None:
        """Return a data source as it was shown, where that can be told without waiting; else None."""
        if self._is_local is not True or not RECORD_ID.fullmatch(record_id):
            return None
        directory = self._directory.open()
        return None if directory is None else self._shown.find(directory, record_id, judge)

    def show(self, record_id: str, judge: Judge) -> Shown | None:
        """Return a data source as it is read; None where there is none, or its record cannot be read."""
        directory = self._directory.open() if RECORD_ID.fullmatch(record_id) else None
        if directory is None:
            return None
        if self._is_local is None:
            self._is_local = not is_shared(self._directory.path)
        judged = self._judged_before(directory, record_id, judge) or self._judged_now(directory, record_id, judge)
        if judged is None:
            return None
        self._shown.keep(record_id, judged)
        return judged.shown

    def _judged_before(self, directory: int, record_id: str, judge: Judge) -> Judged | None:
        with suppress(IndexUnusableError):
            return self._chooser.show(directory, record_id, judge)
        return None

    def _judged_now(self, directory: int, record_id: str, judge: Judge) -> Judged | None:
        seen = read_entry(directory, record_id)
        record = None if seen is None else seen.entry.record
        if seen is None or record is None:
            return None
        sealed = bool(record.secrets)
        basis = judge.basis(record.type, sealed=sealed)
        shown = Shown(item_of(judge.judged(seen.entry)), record.revision)
        return Judged(seen.digest, seen.signatures[1], record.type, sealed, basis, shown)

    def chosen_before(self, selection: Selection, judge: Judge) -> Chosen | None:
        """Return the entries that are wanted, where that can be told without waiting; else None."""
        directory = self._directory.open()
        return None if directory is None else self._chooser.chosen_before(directory, selection, judge)

    def choose(self, selection: Selection, judge: Judge) -> Chosen | None:
        """Return the entries that are wanted, by the index; None where there can be none just now."""
        directory = self._directory.open()
        if directory is None:
            return Chosen([], 0, None)
        return self._by_index(directory, partial(self._chooser.choose, directory, selection, judge))

    def summarize(self, selection: Selection, judge: Judge) -> Counter[Group] | None:
        """Count the entries that are wanted, by the index; None where there can be none just now."""
        directory = self._directory.open()
        if directory is None:
            return Counter()
        return self._by_index(directory, partial(self._chooser.summarize, directory, selection, judge))

    def _by_index(self, directory: int, answer: Callable[[], T]) -> T | None:
        """Answer by the index, which is made anew where it turns out to be damaged; None where there can be none."""
        for _ in range(2):
            try:
                return answer()
            except IndexUnusableError as error:
                if not error.damaged or not self._indexing.renew(directory):
                    break
        return None

    def history(self, record_id: str) -> list[Revision]:
        """Return the former revisions of a record, newest first."""
        directory = self._directory.open() if RECORD_ID.fullmatch(record_id) else None
        if directory is None:
            return []
        return revisions_of(history.read_lines(directory, record_id), record_id)

    def results(self, record_id: str) -> list[dict[str, Any]]:
        """Return the last results of validating a data source, newest first."""
        directory = self._directory.open() if RECORD_ID.fullmatch(record_id) else None
        return [] if directory is None else read_results(directory, record_id)
