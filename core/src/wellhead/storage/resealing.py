"""Sealing a record anew with the primary key: its secrets get other boxes, and everything else stays as it is."""

from __future__ import annotations

from dataclasses import replace

from wellhead.errors import SecretUnavailableError
from wellhead.secrets.cipher import seal
from wellhead.secrets.keyring import KeyRing
from wellhead.storage.records import Record, SealedSecret
from wellhead.storage.sealed_documents import SealedDocument
from wellhead.storage.sealing import open_secret, opens


def resealed(record: Record, ring: KeyRing, workspace: str | None) -> Record:
    """Return a record with its secrets sealed with the primary key; as it is where that is so, or where one is lost.

    Args:
        record: A record as it is stored.
        ring: The key ring.
        workspace: The id of the workspace, which the secrets are bound to; None if that is lost.
    """
    if not _sealed(record) or record.key_id == ring.primary.id or workspace is None:
        return record
    secrets = dict(record.secrets)
    for pointer, sealed in _sealed(record).items():
        try:
            plaintext = open_secret(record, pointer, (ring, workspace))
        except SecretUnavailableError:
            return record
        box = seal(ring.primary, plaintext, bound_to=record.binding(workspace, pointer, sealed.facts))
        secrets[pointer] = SealedSecret(sealed.facts, box)
    return replace(record, secrets=secrets, key_id=ring.primary.id)


def obstacle(document: SealedDocument, ring: KeyRing, workspace: str | None) -> str | None:
    """Tell why the secrets of a document do not open with the primary key; None if they do, or if they can be made to.

    Args:
        document: A document as it is stored.
        ring: The key ring.
        workspace: The id of the workspace; None if that is lost.
    """
    if document.trouble is not None or document.record is None:
        return document.trouble
    if workspace is None:
        return "the store has lost its id, which its secrets are bound to: restore workspace.json"
    key = None if document.key_id is None else ring.named(document.key_id)
    if key is None:
        return "its key is not in the key ring"
    if key.state == "disabled":
        return "its key is disabled"
    if not opens(replace(document.record, secrets=_sealed(document.record)), (ring, workspace)):
        return "a secret does not open: the record was edited or moved"
    return None


def _sealed(record: Record) -> dict[str, SealedSecret]:
    """Return the secrets that a key sealed; what was purged from a history has an empty box."""
    return {pointer: sealed for pointer, sealed in record.secrets.items() if sealed.box}
