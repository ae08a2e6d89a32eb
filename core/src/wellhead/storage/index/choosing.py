"""Answering a selection from the index: the page, its total, and the states that are not known yet."""

from __future__ import annotations

import json
import sqlite3
from collections import Counter, OrderedDict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from functools import partial
from itertools import islice
from zlib import crc32

from wellhead.storage.disk.reading import digest_of, read_entry
from wellhead.storage.index.file import IndexUnusableError, transaction
from wellhead.storage.index.indexing import Indexing
from wellhead.storage.index.query import FoundRow, groups_of, ids_of, rows_of, total_of
from wellhead.storage.index.remembered_pages import RememberedPages, mark_of
from wellhead.storage.index.rows import FOR_GOOD, item_of, written
from wellhead.storage.index.shown import Judged
from wellhead.storage.index.writes import Judgement, judge_rows
from wellhead.storage.selection import Chosen, Group, Selection, Shown
from wellhead.storage.store import Judge

_BATCH = 200
_SHOW = (
    "SELECT type, sealed, judged, item, checksum, revision FROM sources JOIN items USING (number)"
    " WHERE id = ? AND digest = ? AND results IS ? AND settled AND revision IS NOT NULL"
)
_COUNTS_KEPT = 256


class Chooser:
    """Answers selections from the index of one store."""

    def __init__(self, indexing: Indexing) -> None:
        self._indexing = indexing
        self._counts: OrderedDict[object, int] = OrderedDict()
        self._pages = RememberedPages()

    def chosen_before(self, directory: int, selection: Selection, judge: Judge) -> Chosen | None:
        """Return what `choose` would, where that can be told at a glance; else None. Arguments are those of `choose`.

        That is so only while somebody sweeps, as nobody looks whether the index is true.
        """
        return self._pages.find(directory, selection, judge) if self._indexing.is_watched_over else None

    def choose(self, directory: int, selection: Selection, judge: Judge) -> Chosen:
        """Return what is wanted.

        A row is judged when it is first shown, or when its state is asked for, and again when the basis of the
        judgement is another one.

        Args:
            directory: The descriptor of the store's directory.
            selection: What is wanted.
            judge: Tells the states.

        Raises:
            IndexUnusableError: There is no index just now.
            StorageError: A record cannot be read, because the machine is out of descriptors or memory.
        """
        case, mark = _Case(directory, judge), mark_of(directory)
        if selection.states:
            self._judge_all(case)
        with self._indexing.reading(directory) as connection:
            is_large = self._indexing.is_large(connection)
            count = partial(self._count, connection, directory)
            total = total_of(selection, count)
            rows = rows_of(connection, selection, total, count)
        shown = rows[: selection.limit]
        items: list[bytes] = []
        for batch in _batches(shown):
            items += self._items(case, batch)
        chosen = Chosen(items, total, shown[-1].position(selection.sort) if len(rows) > len(shown) else None)
        if mark is not None and is_large and not selection.states and not case.has_read:
            self._pages.keep(selection, mark, case.bases, chosen)
        return chosen

    def summarize(self, directory: int, selection: Selection, judge: Judge) -> Counter[Group]:
        """Count what is wanted by type, state and health, whatever the order and the page.

        What is not judged yet, or on another basis, is judged for that, as a list does for a page.

        Arguments and errors are those of `choose`.
        """
        case = _Case(directory, judge)
        if selection.states:
            self._judge_all(case)
        with self._indexing.reading(directory) as connection:
            rows = groups_of(connection, selection)
            stale = [row for row in rows if not case.is_judged(row.type, row.judged, sealed=row.sealed)]
            ids = [record_id for row in stale for record_id in ids_of(connection, selection, row)]
        counts: Counter[Group] = Counter()
        for row in rows:
            if row not in stale:
                counts[Group(row.type or None, row.state or "", row.health)] += row.size
        for batch in _batches(ids):
            found = [judged for record_id in batch if (judged := case.judged(record_id)) is not None]
            counts.update(_group_of(item) for item, _ in found)
            self._keep(case, [judgement for _, judgement in found if judgement is not None])
        return counts

    def show(self, directory: int, record_id: str, judge: Judge) -> Judged | None:
        """Return one data source as it was judged before, if the files are those that were judged; else None.

        The files are read, and not only looked at: whatever the index missed, it is noticed here.

        Arguments are those of `choose`, and the id.
        """
        found = digest_of(directory, record_id)
        if found is None:
            return None
        with self._indexing.file.connection(directory) as connection:
            row = connection.execute(_SHOW, (record_id, found[0], written(found[1]))).fetchone()
        if row is None or crc32(row[3]) != row[4]:
            return None
        type_name, sealed, judged, item, _, revision = row
        if judged != judge.basis(type_name, sealed=bool(sealed)):
            return None
        return Judged(*found, type_name, bool(sealed), judged, Shown(item, revision))

    def _items(self, case: _Case, rows: Sequence[FoundRow]) -> Iterator[bytes]:
        """Return the items of rows; what had to be judged for that is kept."""
        judgements: list[Judgement] = []
        for row in rows:
            if row.item is not None and case.is_judged(row.type, row.judged, sealed=row.sealed):
                yield row.item
            elif (judged := case.judged(row.id)) is not None:
                item, judgement = judged
                yield item
                if judgement is not None:
                    judgements.append(judgement)
        self._keep(case, judgements)

    def _judge_all(self, case: _Case) -> None:
        """Judge every row that is not judged, or on another basis."""
        with self._indexing.reading(case.directory) as connection:
            groups = connection.execute("SELECT DISTINCT type, sealed, judged FROM sources").fetchall()
            stale = [
                (type_name, sealed, judged)
                for type_name, sealed, judged in groups
                if not case.is_judged(type_name, judged, sealed=bool(sealed))
            ]
            query = "SELECT id FROM sources WHERE type = ? AND sealed = ? AND judged IS ?"
            ids = [row[0] for group in stale for row in connection.execute(query, group)]
        for batch in _batches(ids):
            found = [case.judged(record_id) for record_id in batch]
            self._keep(case, [judged[1] for judged in found if judged is not None and judged[1] is not None])

    def _keep(self, case: _Case, judgements: Iterable[Judgement]) -> None:
        """Write judgements down, for rows that are still those of the files that were judged."""
        judgements = list(judgements)
        if not judgements:
            return
        with (
            suppress(IndexUnusableError),
            self._indexing.file.connection(case.directory) as connection,
            transaction(connection),
        ):
            judge_rows(connection, judgements)

    def _count(self, connection: sqlite3.Connection, directory: int, query: str, values: tuple[object, ...]) -> int:
        """Count, unless that was done since the index last changed."""
        [generation] = connection.execute("SELECT generation FROM meta").fetchone()
        key = self._indexing.file.identity(directory), generation, query, values
        total = self._counts.get(key)
        if total is None:
            [total] = connection.execute(query, values).fetchone()
            self._counts[key] = total
            while len(self._counts) > _COUNTS_KEPT:
                self._counts.popitem(last=False)
        return total


class _Case:
    """What one selection is answered with."""

    def __init__(self, directory: int, judge: Judge) -> None:
        self.directory = directory
        self.has_read = False
        """Whether a record was read for it, and not the index alone."""
        self.bases: dict[tuple[str, bool], int] = {}
        self._judge = judge

    def basis(self, type_name: str, *, sealed: bool) -> int:
        """Return the basis of judging a type now."""
        key = type_name, sealed
        if key not in self.bases:
            self.bases[key] = self._judge.basis(type_name, sealed=sealed)
        return self.bases[key]

    def is_judged(self, type_name: str, judged: int | None, *, sealed: bool) -> bool:
        """Tell whether a row was judged, on the basis that there is now or for good."""
        return judged in {FOR_GOOD, self.basis(type_name, sealed=sealed)}

    def judged(self, record_id: str) -> tuple[bytes, Judgement | None] | None:
        """Read a record and judge it; return its item and the judgement, or None if it is not there any more."""
        self.has_read = True
        seen = read_entry(self.directory, record_id)
        if seen is None:
            return None
        stored = self._judge.judged(seen.entry)
        item = item_of(stored)
        record, signature = seen.entry.record, written(seen.signatures[0])
        if record is None or signature is None:
            return item, None
        basis = self.basis(record.type, sealed=bool(record.secrets))
        return item, (stored.state, basis, item, record_id, signature, written(seen.signatures[1]))


def _group_of(item: bytes) -> Group:
    document = json.loads(item)
    return Group(document["type"], document["state"], (document["health"] or {}).get("status", "none"))


def _batches(items: Sequence[FoundRow] | Sequence[str]) -> Iterator[Sequence]:  # type: ignore[type-arg]
    remaining = iter(items)
    while batch := list(islice(remaining, _BATCH)):
        yield batch
