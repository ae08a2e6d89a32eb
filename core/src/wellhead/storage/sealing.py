"""Sealing the secrets of a record, and opening them."""

from __future__ import annotations

from collections.abc import Mapping
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
from wellhead.secrets.keyring import KeyRing
from wellhead.storage.live_keys import LiveKeys
from wellhead.storage.records import Record, SealedSecret
from wellhead.storage.store import RecordStore

Basis = tuple[KeyRing | None, str | None]


class Sealer:
    """Seals and opens the secrets of the records of one store."""

    def __init__(self, store: RecordStore, keys: LiveKeys) -> None:
        self._store = store
        self._keys = keys

    async def seal(
        self, record: Record, shape: Shape, secrets: Mapping[str, Secret], *, previous: Record | None
    ) -> Record:
        """Return the record with its secrets sealed, all of them anew: kept ones are opened and bound to this state.

        Args:
            record: The record without its secrets.
            shape: The shape of its type.
            secrets: Its secrets, by JSON Pointer; those to be kept are sealed.
            previous: The record that kept ones are in.

        Raises:
            KeyRingError: There is no key to seal with.
            SecretUnavailableError: A secret that is to be kept does not open.
        """
        if not secrets:
            return record
        workspace = await self._store.make_workspace_id()
        ring = await self._keys.ring_for_writing()
        bound = replace(record, key_id=ring.primary.id, bound=tuple(sorted(shape.bound & record.fields.keys())))
        sealed, now = {}, clock.from_text(record.updated_at)
        for pointer, secret in sorted(secrets.items()):
            facts = _facts(secret, now, record.revision)
            if secret.is_sealed and previous is not None:
                plaintext = open_secret(previous, pointer, (ring, workspace))
            else:
                plaintext = secret.reveal() if secret.is_clear else secret.reference or ""
            box = seal(ring.primary, plaintext, bound_to=bound.binding(workspace, pointer, facts))
            sealed[pointer] = SealedSecret(facts, box)
        return replace(bound, secrets=sealed)

    async def restored(self, record: Record, present: Mapping[str, SecretFacts]) -> dict[str, Secret]:
        """Return the secrets of a former state, to be sealed again in a new one.

        A secret that is still the stored one is to be kept, with its facts. Every other one counts as set anew: its
        value or reference is returned in clear.

        Args:
            record: The former state.
            present: The facts of the secrets that are stored now.

        Raises:
            SecretUnavailableError: One does not open.
        """
        basis = await self.basis() if record.secrets else (None, None)
        secrets: dict[str, Secret] = {}
        for pointer, sealed in record.secrets.items():
            plaintext = open_secret(record, pointer, basis)
            if present.get(pointer) == sealed.facts:
                secrets[pointer] = Secret.sealed(sealed.facts)
            elif sealed.facts.reference is not None:
                secrets[pointer] = Secret.from_reference(plaintext)
            else:
                secrets[pointer] = Secret(plaintext)
        return secrets

    async def reveal(self, record: Record, shape: Shape, config: DataSourceConfig) -> DataSourceConfig:
        """Return a configuration of a record with its sealed secrets in clear, or as references.

        Raises:
            SecretUnavailableError: One does not open.
        """
        document: dict[str, Any] = config.model_dump()
        basis = await self.basis() if record.secrets else (None, None)
        for path, secret in list(shape.secrets(document)):
            if isinstance(secret, Secret) and secret.is_sealed:
                plaintext = open_secret(record, to_pointer(path), basis)
                is_reference = secret.facts is not None and secret.facts.reference is not None
                place(document, path, Secret.from_reference(plaintext) if is_reference else Secret(plaintext))
        return shape.model.model_validate(document)

    async def check_keys(self) -> None:
        """Look whether there is a key ring that can be used.

        Raises:
            KeyRingError: There is none; the error says why.
        """
        await self._keys.ring()

    async def basis(self) -> Basis:
        """Return what decides besides the records whether secrets open: the key ring and the workspace's id."""
        try:
            ring = await self._keys.ring()
        except KeyRingError:
            ring = None
        return ring, await self._store.workspace_id()


def opens(record: Record, basis: Basis) -> bool:
    """Tell whether all secrets of a record open."""
    try:
        for pointer in record.secrets:
            open_secret(record, pointer, basis)
    except SecretUnavailableError:
        return False
    return True


def open_secret(record: Record, pointer: str, basis: Basis) -> str:
    """Open one sealed secret: a value, or a reference.

    Raises:
        SecretUnavailableError: It does not open.
    """
    ring, workspace = basis
    record, pointer = record.sealed_at(pointer)
    sealed = record.secrets.get(pointer)
    key = None if ring is None or record.key_id is None else ring.find(record.key_id)
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


def _facts(secret: Secret, now: datetime, revision: int) -> SecretFacts:
    """Return the facts to store: a kept secret's own, a new one's from this write."""
    return secret.facts or SecretFacts(now, revision, secret.reference)
