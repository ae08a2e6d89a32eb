"""The errors for what cannot be done with a data source because of its state."""

from __future__ import annotations

import re
from collections.abc import Mapping

from wellhead.errors import (
    ConflictError,
    NameTakenError,
    NewerFormatError,
    RecordCorruptError,
    RecordInvalidError,
    RecordUnreadableError,
    SecretUnavailableError,
    TypeUnavailableError,
)
from wellhead.storage.stored import StoredDataSource

_CONFLICTS: Mapping[str, tuple[type[ConflictError], str]] = {
    "type_unavailable": (
        TypeUnavailableError,
        "The plugin that provides this type is not there: see 'wellhead types'.",
    ),
    "invalid": (RecordInvalidError, "What is stored does not fit its type. Change the fields that do not fit."),
    "secret_unavailable": (SecretUnavailableError, "A stored secret does not open. Send the secrets anew."),
    "unreadable": (
        RecordUnreadableError,
        "The stored record cannot be opened. Check the file's owner and permissions.",
    ),
    "corrupt": (RecordCorruptError, "The stored record is damaged. Restore it from a backup, or delete it by force."),
    "newer_format": (
        NewerFormatError,
        "A newer Wellhead, or a newer version of its plugin, wrote this record. Install that, and restart the service.",
    ),
}

MIGRATION_REMEDY = "Go back to the plugin's former version, or send all fields anew."
"""What to do about a record that a migration failed on."""


def conflict_of(stored: StoredDataSource) -> ConflictError:
    """Return the error for what cannot be done with a data source in its state."""
    kind, message = _CONFLICTS[stored.state]
    if stored.reason is not None:
        return kind(f"{stored.reason} {MIGRATION_REMEDY}")
    return kind(f"{message} They are: {', '.join(map(_shown, stored.unfit))}." if stored.unfit else message)


def _shown(name: str) -> str:
    """Return the name of a field as it may be shown; one that was edited by hand may be anything."""
    return name if re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]{0,63}", name) else "one whose name cannot be shown"


def name_taken() -> NameTakenError:
    """Return the error for a name that another data source has."""
    return NameTakenError("Another data source has this name. Names are unique, whatever their case.")
