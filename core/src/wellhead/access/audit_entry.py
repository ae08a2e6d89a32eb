"""An entry of the audit log: who did what to which data source when, from where, and how that went."""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from wellhead import clock

Outcome = Literal["begun", "done", "refused", "failed"]
_ENCODER = json.JSONEncoder(separators=(",", ":"))
OUTCOMES: tuple[Outcome, ...] = get_args(Outcome)


def _now() -> str:
    return clock.to_text(clock.now())


def _new_id() -> str:
    return secrets.token_hex(8)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One entry. Nothing in it is a value of a field.

    Attributes:
        user: Who did it; empty for a token that is nobody's.
        workspace: Where: the name of the workspace, in local mode its directory.
        operation: What was done.
        outcome: `begun` for an entry that is written before a change where the settings want that; then `done`;
            `refused`, if it was not permitted or did not fit; `failed`, if something went wrong.
        id: The data source's id; that of the key, or of the token.
        name: Its name; of a token, whose it is.
        revision: Its revision.
        fields: The names of the fields that changed.
        status: The HTTP status of the answer; None without a request.
        code: The code of the problem; None if it was done.
        address: Where the request came from; None without a request.
        request_id: The request's id; None without a request.
        role: The role that a token gives; None for all else.
        count: How many failed logins there were; None for all else.
        at: When (RFC 3339).
        entry: The entry's own id.
        pid: The process that wrote it.
    """

    user: str
    workspace: str
    operation: str
    outcome: Outcome = "done"
    id: str | None = None
    name: str | None = None
    revision: int | None = None
    fields: tuple[str, ...] = ()
    status: int | None = None
    code: str | None = None
    address: str | None = None
    request_id: str | None = None
    role: str | None = None
    count: int | None = None
    at: str = field(default_factory=_now)
    entry: str = field(default_factory=_new_id)
    pid: int = field(default_factory=os.getpid)

    def encode(self) -> bytes:
        """Write the entry as one line, with its line break."""
        return _ENCODER.encode({name: getattr(self, name) for name in self.__slots__}).encode() + b"\n"


def read_line(line: bytes) -> Mapping[str, Any] | None:
    """Read one line; None for one that is no entry, such as what a crash left half written."""
    try:
        document = json.loads(line)
    except (ValueError, RecursionError):
        return None
    needed = ("at", "entry", "user", "workspace", "operation", "outcome")
    is_entry = isinstance(document, dict) and all(isinstance(document.get(name), str) for name in needed)
    return document if is_entry else None
