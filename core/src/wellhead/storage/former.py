"""Choosing among the former revisions of a data source: which there are, and which can be restored."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from wellhead.errors import InputError, InputProblem, SecretsPurgedError
from wellhead.storage.records import Record, as_stored
from wellhead.storage.revisions import Revision, changed_fields
from wellhead.storage.stored import StoredDataSource


def before(stored: StoredDataSource, kept: Sequence[Revision]) -> list[Revision]:
    """Return the revisions before the stored one; after a crash, a history can have that one too."""
    return [found for found in kept if stored.revision is None or found.record.revision < stored.revision]


def restorable(kept: Sequence[Revision], number: int) -> Record:
    """Return the record of one of the revisions that are kept, with all its secrets.

    Raises:
        InputError: It is not kept (`revision_not_kept`).
        SecretsPurgedError: Its secrets were taken out of the history.
    """
    chosen = next((found for found in kept if found.record.revision == number), None)
    if chosen is None:
        allowed = tuple(found.record.revision for found in kept)
        message = "The revision is not in the history." if kept else "No former revision is kept."
        raise InputError([InputProblem("/revision", "revision_not_kept", message, allowed=allowed)])
    if chosen.is_purged:
        raise SecretsPurgedError(
            "The secrets of this revision were taken out of the history, so it cannot be restored whole. "
            "Change the data source instead, and send the secrets anew."
        )
    return chosen.record


def is_stored(former: Record, stored: StoredDataSource) -> bool:
    """Tell whether a data source is in a former state already, so that there is nothing to restore."""
    present = stored.record
    if present is None or stored.state != "ok":
        return False
    return not changed_fields(former, present) and former.extra == present.extra


def changed_since(stored: StoredDataSource, record: Record) -> tuple[str, ...]:
    """Return the names of the fields that a new state changes in what is stored, as its type has that now.

    What a new version of the type has renamed or added is no change of whoever saves.
    """
    present = stored.record
    return () if present is None else changed_fields(replace(present, fields=as_stored(stored.fields)), record)
