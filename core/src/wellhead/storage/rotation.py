"""Rotation: a new primary key, and everything sealed anew with it. It may be cut off anywhere, and be run again."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from wellhead.errors import KeyRingMissingError, RecordTooLargeError, RecordUnreadableError, StorageError
from wellhead.secrets.keyring import KeyRing
from wellhead.storage.live_keys import LiveKeys
from wellhead.storage.resealing import obstacle, resealed
from wellhead.storage.sealed_documents import SealedDocument, SealedDocuments
from wellhead.storage.store import RecordStore

_AT_ONCE = 8

Report = Callable[[int, int], None]
"""Is told how many data sources are done, and how many there are."""


def no_report(_done: int, _total: int) -> None:
    """Tell nobody."""


@dataclass(frozen=True, slots=True)
class Left:
    """A document that is not sealed with the primary key after a rotation, and why."""

    document: SealedDocument
    reason: str

    def as_document(self) -> dict[str, Any]:
        """Return the form in which it is printed."""
        document = self.document
        return {"id": document.id, "name": document.name, "revision": document.revision, "reason": self.reason}


@dataclass(frozen=True, slots=True)
class Rotation:
    """What a rotation did.

    Attributes:
        key_id: The primary key.
        is_new: True where it is primary since this rotation.
        resealed: How many documents were sealed anew.
        left: Those that are not sealed with it.
    """

    key_id: str
    is_new: bool
    resealed: int
    left: Sequence[Left] = field(default=())

    def as_document(self) -> dict[str, Any]:
        """Return the form in which it is printed."""
        left = [item.as_document() for item in self.left]
        return {"key": self.key_id, "new_key": self.is_new, "resealed": self.resealed, "left": left}


class Rotator:
    """Rotates the keys of one workspace."""

    def __init__(self, store: RecordStore, keys: LiveKeys) -> None:
        self._store = store
        self._keys = keys
        self._documents = SealedDocuments(store)
        self._failed: dict[str, str] = {}
        self._unreadable: set[str] = set()

    async def rotate(self, *, new_key: bool, report: Report) -> Rotation:
        """Rotate, as `KeyService.rotate` says."""
        before = await self._ring_before()
        ring = await self._ring_to_rotate_to(new_key=new_key)
        reseal = partial(resealed, ring=ring, workspace=await self._store.workspace_id())
        ids = await self._ids()
        waiting, changed, done = iter(ids), 0, 0

        async def work(waiting: Iterator[str]) -> None:
            nonlocal changed, done
            for record_id in waiting:
                rewritten = await self._rewrite(record_id, reseal)
                changed += rewritten  # not in one line: that would take the count from before the wait
                done += 1
                report(done, len(ids))

        await asyncio.gather(*(work(waiting) for _ in range(_AT_ONCE)))
        return Rotation(ring.primary.id, ring.primary.id != before.primary.id, changed, await self._left())

    async def _ring_before(self) -> KeyRing:
        try:
            return await self._keys.ring()
        except KeyRingMissingError:
            if await self._documents.all():
                raise
            message = "There is no key ring yet, and nothing is encrypted. 'wellhead keys add' makes one."
            raise KeyRingMissingError(message) from None

    async def _rewrite(self, record_id: str, change: Callable[..., Any]) -> int:
        """Seal one data source anew; return how many documents were, and keep why others were not."""
        try:
            done = await self._documents.rewrite(record_id, change)
        except (StorageError, RecordUnreadableError, RecordTooLargeError) as error:
            self._failed[record_id] = error.message
            return 0
        if done.left:
            self._unreadable.add(record_id)
        return done.changed

    async def _ring_to_rotate_to(self, *, new_key: bool) -> KeyRing:
        """Return the ring with the key to seal with as primary: on disk before anything is sealed with it."""
        ring = await self._keys.ring_for_writing()
        if not new_key or await self._is_unfinished(ring):
            return ring

        used = {document.key_id for document in await self._documents.all()}

        def change(now: KeyRing | None) -> KeyRing:
            ring_now = now or ring
            newest = ring_now.keys[-1]
            if newest.state == "enabled" and newest.id not in used:
                return ring_now.with_primary(newest.id)  # it was added for this
            return ring_now.with_new_key(primary=True)

        return await self._keys.change(change)

    async def _is_unfinished(self, ring: KeyRing) -> bool:
        """Tell whether there is something that opens, and that the primary key did not seal."""
        workspace = await self._store.workspace_id()
        return any(
            document.key_id != ring.primary.id and obstacle(document, ring, workspace) is None
            for document in await self._documents.all()
        )

    async def _left(self) -> list[Left]:
        """Read everything again, and return what is not sealed with the primary key."""
        ring, workspace = await self._keys.ring(), await self._store.workspace_id()
        left = []
        for record_id in await self._ids():
            for document in await self._documents.of(record_id):
                reason = obstacle(document, ring, workspace) or self._failed.get(record_id)
                if reason is None and document.key_id != ring.primary.id:
                    reason = "it was saved meanwhile: rotate once more"
                if reason is not None:
                    left.append(Left(document, reason))
            if record_id in self._unreadable:
                left.append(Left(SealedDocument(record_id), "a line of its history cannot be read"))
        return left

    async def _ids(self) -> list[str]:
        return sorted({document.id for document in await self._documents.all()})
