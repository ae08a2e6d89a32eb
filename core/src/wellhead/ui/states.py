"""What the state of a data source means, and what can be done about it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from wellhead.storage.stored import State


@dataclass(frozen=True, slots=True)
class Standing:
    """What people are told about a state, and what they are offered. The API decides in the end.

    Attributes:
        meaning: What it means; empty for `ok`.
        remedy: What to do.
        code: The code whose page tells more.
        can_validate: Whether it can be validated.
        can_change: Whether it can be edited, or rolled back.
        needs_force: Whether it is deleted by force only.
    """

    meaning: str = ""
    remedy: str = ""
    code: str | None = None
    can_validate: bool = False
    can_change: bool = False
    needs_force: bool = False


STANDINGS: Mapping[State, Standing] = {
    "ok": Standing(can_validate=True, can_change=True),
    "invalid": Standing(
        "What is stored does not fit its type: it was edited by hand, or the type has changed.",
        "Edit it: the form says which fields do not fit. Or roll back to a revision that did.",
        code="invalid_record",
        can_change=True,
    ),
    "secret_unavailable": Standing(
        "A stored secret does not open: its key is missing from the key ring, or the file was edited by hand.",
        "Give back the key ring that it was written with. Or edit it, and enter each secret anew.",
        code="secret_unavailable",
        can_validate=True,
        can_change=True,
    ),
    "type_unavailable": Standing(
        "The plugin of its type is not there, or broken. Nothing is lost: it is kept as it was stored.",
        "Look at the plugins for what is wrong with it, or install it.",
        code="type_unavailable",
    ),
    "newer_format": Standing(
        "A newer Wellhead, or a newer version of its plugin, wrote it. It is shown and left alone.",
        "Install that version, and restart the service.",
        code="newer_format",
        needs_force=True,
    ),
    "corrupt": Standing(
        "Its record is damaged, so that nothing of it can be read.",
        "Restore its file from a backup. Or delete it, and add it anew.",
        code="record_corrupt",
        needs_force=True,
    ),
    "unreadable": Standing(
        "Its record cannot be opened.",
        "Check owner and permissions of its file, in `.datasources` of the workspace. Or delete it, and add it anew.",
        code="record_unreadable",
        needs_force=True,
    ),
}

UNREAD: Mapping[str, State] = {
    "record_corrupt": "corrupt",
    "record_unreadable": "unreadable",
    "newer_format": "newer_format",
}
"""The states of data sources that cannot be read, by the code that the API answers with."""
