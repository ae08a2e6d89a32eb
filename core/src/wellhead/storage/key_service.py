"""`KeyService`: which keys a workspace needs, new ones, sealing everything anew, and taking old ones away."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass
from typing import Any

from wellhead.errors import InputError, InputProblem, KeyInUseError, KeyRingMissingError
from wellhead.secrets.keyring import Key, KeyRing
from wellhead.storage.live_keys import LiveKeys
from wellhead.storage.rotation import Report, Rotation, Rotator, no_report
from wellhead.storage.sealed_documents import SealedDocuments
from wellhead.storage.store import RecordStore


@dataclass(frozen=True, slots=True)
class KeyUse:
    """A key, and how much of the workspace needs it.

    Attributes:
        id: Its id.
        state: `primary`, `enabled`, `disabled`; or `missing`, where it is needed and not in the ring.
        created_at: When it was made (RFC 3339); None if nobody knows.
        records: How many data sources have secrets that are sealed with it.
        revisions: How many former revisions have.
    """

    id: str
    state: str
    created_at: str | None
    records: int
    revisions: int

    def as_document(self) -> dict[str, Any]:
        """Return the form in which it is printed."""
        return asdict(self)


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
        records, revisions = Counter[str](), Counter[str]()
        for document in await self._documents.all():
            if document.key_id is not None:
                (revisions if document.is_former else records)[document.key_id] += 1
        try:
            keys = (await self._keys.ring()).keys
        except KeyRingMissingError:
            keys = ()
        missing = sorted((records.keys() | revisions.keys()) - {key.id for key in keys})
        found = [KeyUse(key.id, key.state, key.created_at, records[key.id], revisions[key.id]) for key in keys]
        return found + [KeyUse(key_id, "missing", None, records[key_id], revisions[key_id]) for key_id in missing]

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

    async def rotate(self, *, new_key: bool = True, report: Report = no_report) -> Rotation:
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
        return await Rotator(self._store, self._keys).rotate(new_key=new_key, report=report)

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

        def take_away(now: KeyRing | None) -> KeyRing:
            present = now or ring
            _check_retirable(present, key_id, delete=delete)  # another command may have changed it meanwhile
            return present.without(key_id) if delete else present.with_state(key_id, "disabled")

        await self._keys.change(take_away)
        if delete:
            return
        try:
            await self._check_unneeded(key_id)  # a write that had begun before the rotation may have ended just now
        except KeyInUseError:
            await self._keys.change(lambda now: (now or ring).with_state(key_id, "enabled"))
            raise

    async def _check_unneeded(self, key_id: str) -> None:
        documents = await self._documents.all(thorough=True)
        needing = [document.is_former for document in documents if document.key_id == key_id]
        if needing:
            records, revisions = needing.count(False), needing.count(True)
            counts = [
                f"{number} {noun}{'s' if number > 1 else ''}"
                for number, noun in ((records, "record"), (revisions, "former revision"))
                if number
            ]
            needed = " and ".join(counts)
            raise KeyInUseError(f"The key is needed by {needed}. Seal everything anew first: wellhead keys rotate.")
        unknown = sorted({document.id for document in documents if document.key_id is None})
        if unknown:
            raise KeyInUseError(
                f"Nobody can tell which key these data sources need: {', '.join(unknown)}. Their records or histories "
                "are damaged. Restore them from a backup, or remove them by force, and try again."
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
