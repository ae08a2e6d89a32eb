"""What is stored, read as the types that are installed, each with its state: once, for as long as nothing changes."""

from __future__ import annotations

import json
from collections.abc import Sequence
from contextlib import suppress
from weakref import WeakKeyDictionary

from wellhead.errors import DataSourceNotFoundError
from wellhead.model.texts import name_key
from wellhead.storage.known_type import FindType, KnownType
from wellhead.storage.opening import Opener, OpeningJudge
from wellhead.storage.records import Record
from wellhead.storage.sealing import Basis, Sealer
from wellhead.storage.selection import Selection
from wellhead.storage.store import Entry, RecordStore
from wellhead.storage.stored import StoredDataSource


class Judging:
    """Reads the records of one store as their types, and tells their states."""

    def __init__(self, store: RecordStore, sealer: Sealer, find_type: FindType) -> None:
        self._store = store
        self._sealer = sealer
        self._opener = Opener(find_type)
        self._find_type = find_type
        self._before: WeakKeyDictionary[Entry, tuple[KnownType | None, Basis, StoredDataSource]] = WeakKeyDictionary()

    async def read(self, config_id: str) -> StoredDataSource:
        """Return what is stored of a data source, whatever its state.

        Raises:
            DataSourceNotFoundError: There is none of this id.
        """
        entry = await self._store.read(config_id)
        if entry is None:
            raise DataSourceNotFoundError("There is no such data source.")
        return (await self._found([entry]))[0]

    async def all(self) -> list[StoredDataSource]:
        """Return all that is stored, in no order."""
        return await self._found(await self._store.entries())

    async def find(self, key: str) -> StoredDataSource | None:
        """Return the data source whose name has a key; None if there is none."""
        selection = Selection(name=key, limit=1)
        chosen = await self._store.choose(selection, await self.judge()) if key else None
        if chosen is not None and not chosen.items:
            return None
        if chosen is not None:
            with suppress(DataSourceNotFoundError):
                stored = await self.read(json.loads(chosen.items[0])["id"])
                if stored.name is not None and name_key(stored.name) == key:
                    return stored
        named = (item for item in await self.all() if item.name is not None and name_key(item.name) == key)
        return next(named, None)

    async def judge(self) -> OpeningJudge:
        """Return what tells states by the types, the keys and the workspace that there are now."""
        return OpeningJudge(self._opener, await self._sealer.basis())

    def opened(self, record: Record) -> StoredDataSource:
        """Read a record as its type, whether or not it is the one that is stored, or its secrets open."""
        return self._opener.opened(Entry(record.id, "ok", record))

    async def _found(self, entries: Sequence[Entry]) -> list[StoredDataSource]:
        """Read entries as their types, and look whether their secrets open."""
        sealed = any(entry.record is not None and entry.record.secrets for entry in entries)
        basis = await self._sealer.basis() if sealed else (None, None)
        judge = OpeningJudge(self._opener, basis)
        found = []
        for entry in entries:
            known = None if entry.record is None else self._find_type(entry.record.type)
            before = self._before.get(entry)
            if before is None or before[:2] != (known, basis):
                before = (known, basis, judge.judged(entry))
                self._before[entry] = before
            found.append(before[2])
        return found
