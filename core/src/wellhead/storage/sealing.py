"""Sealing the secrets of a record, and opening them."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any

from wellhead import clock
from wellhead.errors import KeyRingError, SecretUnavailableError
from wellhead.model.pointer import place, to_pointer
from wellhead.model.secret import Secret, SecretFacts
from wellhead.model.shape import Shape
from wellhead.model.source import DataSourceConfig
from wellhead.secrets.cipher import SealBrokenError, seal, unseal
from wellhead.secrets.keyring import Key, KeyProvider, KeyRing
from wellhead.storage.changes import Change
from wellhead.storage.records import Record, SealedSecret
from wellhead.storage.store import RecordStore

Basis = tuple[KeyRing | None, str | None]


class Sealer:
    """Seals and opens the secrets of the records of one store."""

    def __init__(self, store: RecordStore, keys: KeyProvider) -> None:
        self._store = store
        self._keys = keys

    async def seal(self, record: Record, shape: Shape, change: Change, *, previous: Record | None) -> Record:
        """Return the record with its secrets sealed, all of them anew: kept ones are opened and bound to this state.

        Raises:
            KeyRingError: There is no key to seal with.
            SecretUnavailableError: A secret that is to be kept does not open.
        """
        if not change.secrets:
            return record
        workspace = await self._store.make_workspace_id()
        key = self._keys.ring_for_writing().primary
        bound = replace(record, key_id=key.id, bound=tuple(sorted(shape.bound & record.fields.keys())))
        sealed = {}
        for pointer, secret in sorted(change.secrets.items()):
            facts = _facts(secret, clock.from_text(record.updated_at), record.revision)
            if secret.is_sealed and previous is not None:
                plaintext = self._open(previous, workspace, pointer)
            else:
                plaintext = secret.reveal() if secret.is_clear else secret.reference or ""
            box = seal(key, plaintext, bound_to=bound.binding(workspace, pointer, facts))
            sealed[pointer] = SealedSecret(facts, box)
        return replace(bound, secrets=sealed)

    async def reveal(self, record: Record, shape: Shape, config: DataSourceConfig) -> DataSourceConfig:
        """Return a configuration of a record with its sealed secrets in clear, or as references.

        Raises:
            SecretUnavailableError: One does not open.
        """
        document: dict[str, Any] = config.model_dump()
        workspace = await self._store.workspace_id() if record.secrets else None
        for path, secret in list(shape.secrets(document)):
            if isinstance(secret, Secret) and secret.is_sealed:
                plaintext = self._open(record, workspace, to_pointer(path))
                is_reference = secret.facts is not None and secret.facts.reference is not None
                place(document, path, Secret.from_reference(plaintext) if is_reference else Secret(plaintext))
        return shape.model.model_validate(document)

    async def basis(self) -> Basis:
        """Return what decides besides the records whether secrets open: the key ring and the workspace's id."""
        try:
            ring = self._keys.ring()
        except KeyRingError:
            ring = None
        return ring, await self._store.workspace_id()

    def opens(self, record: Record, workspace: str | None) -> bool:
        """Tell whether all secrets of a record open in the workspace of an id."""
        try:
            for pointer in record.secrets:
                self._open(record, workspace, pointer)
        except SecretUnavailableError:
            return False
        return True

    def _open(self, record: Record, workspace: str | None, pointer: str) -> str:
        """Open one sealed secret: a value, or a reference."""
        sealed = record.secrets.get(pointer)
        key = self._find_key(record.key_id)
        if workspace is None:
            raise SecretUnavailableError("The store has lost its id, which its secrets are bound to.")
        if sealed is None or key is None:
            raise SecretUnavailableError("The key that a stored secret was sealed with is not there.")
        try:
            plaintext = unseal(key, sealed.box, bound_to=record.binding(workspace, pointer, sealed.facts))
        except SealBrokenError:
            raise SecretUnavailableError("A stored secret does not open: the record was edited or moved.") from None
        if sealed.facts.reference is not None and sealed.facts.reference != plaintext:
            raise SecretUnavailableError("A stored reference is not the one that was sealed.")
        return plaintext

    def _find_key(self, key_id: str | None) -> Key | None:
        try:
            return None if key_id is None else self._keys.ring().find(key_id)
        except KeyRingError:
            return None


def _facts(secret: Secret, now: datetime, revision: int) -> SecretFacts:
    """Return the facts to store: a kept secret's own, a new one's from this write."""
    return secret.facts or SecretFacts(now, revision, secret.reference)
