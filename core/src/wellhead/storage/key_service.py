"""`KeyService`: which keys a workspace needs, new keys, sealing everything anew with one, and taking old ones away."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from wellhead.errors import (
    InputError,
    InputProblem,
    KeyInUseError,
    KeyRingMissingError,
    RecordTooLargeError,
    StorageError,
)
from wellhead.secrets.keyring import Key, KeyRing
from wellhead.storage.live_keys import LiveKeys
from wellhead.storage.resealing import obstacle, resealed
from wellhead.storage.sealed_documents import SealedDocument, SealedDocuments
from wellhead.storage.store import RecordStore

_AT_ONCE = 8

Report = Callable[[int, int], None]
"""Is told how many data sources are done, and how many there are."""


@dataclass(frozen=True, slots=True)
class KeyUse:
    """A key, and how much of the workspace needs it.

    Attributes:
        id: Its id.
        state: `primary`, `enabled`, `disabled`; or `missing`, where it is needed and not in the ring.
        created_at: When it was made (RFC 3339); None if nobody knows.
        records: How many data sources have secrets that are sealed with it.
    """

    id: str
    state: str
    created_at: str | None
    records: int

    def as_document(self) -> dict[str, Any]:
        """Return the form in which it is printed."""
        return {"id": self.id, "state": self.state, "created_at": self.created_at, "records": self.records}


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


class KeyService:
    """Looks after the keys that the secrets of one workspace are sealed with."""

    def __init__(self, store: RecordStore, keys: LiveKeys) -> None:
        """Look after the keys.

        Args:
            store: Where the sealed documents are.
            keys: The key ring.
        """
        self._store = store
        self._keys = keys
        self._documents = SealedDocuments(store)

    async def uses(self) -> list[KeyUse]:
        """Return the keys of the ring, the oldest first, and those that are needed and missing.

        Raises:
            KeyRingError: There is a key ring that cannot be used.
            StorageError: The store cannot be read.
        """
        needed = Counter(document.key_id for document in await self._documents.all() if document.key_id is not None)
        try:
            keys = (await self._keys.ring()).keys
        except KeyRingMissingError:
            keys = ()
        found = [KeyUse(key.id, key.state, key.created_at, needed.pop(key.id, 0)) for key in keys]
        return found + [KeyUse(key_id, "missing", None, count) for key_id, count in sorted(needed.items())]

    async def add(self, *, primary: bool) -> Key:
        """Add a fresh key to the ring, and return it; where there is no ring, make one.

        Args:
            primary: Encrypt new secrets with it from now on. It is also what allows a new ring in place of a lost one.

        Raises:
            KeyRingMissingError: The ring is gone that the secrets of the workspace need, and `primary` is not set.
            KeyRingError: The ring cannot be changed.
        """
        may_begin = primary or not await self._documents.all()

        def change(ring: KeyRing | None) -> KeyRing:
            if ring is not None:
                return ring.with_new_key(primary=primary)
            if not may_begin:
                raise KeyRingMissingError(
                    "The key ring is gone that the data sources are encrypted with. Restore it from a backup. If it "
                    "is lost, 'wellhead keys add --primary' makes a new one, and their secrets must be sent anew."
                )
            return KeyRing.first()

        return (await self._keys.change(change)).keys[-1]

    async def rotate(self, *, new_key: bool = True, report: Report = lambda _done, _total: None) -> Rotation:
        """Make a new primary key, and seal all secrets anew with it. What is sealed anew is not changed otherwise.

        A rotation that was cut off is finished first: then no further key is made.

        Args:
            new_key: Make a new key; else only seal anew what the primary key did not seal.
            report: Told as data sources are done.

        Raises:
            KeyRingMissingError: There is no key ring, so nothing is encrypted.
            KeyRingError: The ring cannot be changed.
            StorageError: The store cannot be read.
        """
        before = await self._keys.ring()
        ring = await self._ring_to_rotate_to(new_key=new_key)
        workspace = await self._store.workspace_id()
        ids = sorted({document.id for document in await self._documents.all()})
        done, changed, failed = 0, 0, dict[str, str]()

        async def reseal(waiting: Iterator[str]) -> None:
            nonlocal done, changed
            for record_id in waiting:
                try:
                    change = partial(resealed, ring=ring, workspace=workspace)
                    rewritten = await self._documents.rewrite(record_id, change)
                    changed += rewritten  # not in one line: that would take the count from before the wait
                except (StorageError, RecordTooLargeError) as error:
                    failed[record_id] = error.message
                done += 1
                report(done, len(ids))

        waiting = iter(ids)
        await asyncio.gather(*(reseal(waiting) for _ in range(_AT_ONCE)))
        left = await self._left(failed)
        return Rotation(ring.primary.id, ring.primary.id != before.primary.id, changed, left)

    async def retire(self, key_id: str, *, delete: bool = False) -> None:
        """Disable a key that nothing in the workspace needs; or delete it, when it is disabled.

        Args:
            key_id: The key.
            delete: Take it out of the ring for good.

        Raises:
            InputError: The ring has no such key.
            KeyInUseError: It is the primary key, something needs it, or it is not disabled yet.
            KeyRingError: The ring cannot be changed.
            StorageError: The store cannot be read.
        """
        ring = await self._keys.ring()
        _check_retirable(ring, key_id, delete=delete)
        await self._check_unneeded(key_id)
        if delete:
            await self._keys.change(lambda now: (now or ring).without(key_id))
            return
        await self._keys.change(lambda now: (now or ring).with_state(key_id, "disabled"))
        try:
            await self._check_unneeded(key_id)  # a write that had begun before the rotation may have ended just now
        except KeyInUseError:
            await self._keys.change(lambda now: (now or ring).with_state(key_id, "enabled"))
            raise

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

    async def _left(self, failed: dict[str, str]) -> list[Left]:
        """Read everything again, and return what is not sealed with the primary key."""
        ring, workspace = await self._keys.ring(), await self._store.workspace_id()
        left = []
        for record_id in sorted({document.id for document in await self._documents.all()}):
            for document in await self._documents.of(record_id):
                reason = obstacle(document, ring, workspace) or failed.get(record_id)
                if reason is None and document.key_id != ring.primary.id:
                    reason = "it was saved meanwhile: rotate once more"
                if reason is not None:
                    left.append(Left(document, reason))
        return left

    async def _check_unneeded(self, key_id: str) -> None:
        documents = await self._documents.all()
        needing = [document for document in documents if document.key_id == key_id]
        if needing:
            count = f"{len(needing)} record{'s' if len(needing) > 1 else ''}"
            raise KeyInUseError(f"The key is needed by {count}. Seal them anew first: wellhead keys rotate.")
        unknown = [document.id for document in documents if document.key_id is None]
        if unknown:
            raise KeyInUseError(
                f"Nobody can tell which key these records need: {', '.join(unknown)}. Restore them from a backup, or "
                "remove them by force, and try again."
            )


def _check_retirable(ring: KeyRing, key_id: str, *, delete: bool) -> None:
    key = ring.named(key_id)
    if key is None:
        ids = tuple(other.id for other in ring.keys)
        raise InputError([InputProblem("KEY", "not_allowed", "The key ring has no key of this id.", allowed=ids)])
    if key.state == "primary":
        raise KeyInUseError("This is the primary key. Make another one first: wellhead keys rotate.")
    if delete and key.state != "disabled":
        raise KeyInUseError("The key is not disabled yet. Retire it first, and delete it when nothing has missed it.")
