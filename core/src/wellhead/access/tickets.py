"""Tickets: what a browser holds in place of a token, good for a while or for one use.

A ticket is an id and a key. What is kept of it is a file of the id's name with the token in it, encrypted with that key
(`wellhead.secrets.cipher`): neither the ticket nor the file is worth anything without the other. As the token itself
comes back each time, it is believed no longer than it would be without the ticket.

An id begins with a digest of whose ticket it is, so that one listing of the directory tells how many somebody has.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import math
import re
import secrets
import time
from collections.abc import Callable, Set
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Self

from wellhead import base64url, durable
from wellhead.errors import StorageIOError
from wellhead.secrets.cipher import SealBrokenError, seal, unseal
from wellhead.secrets.keyring import KEY_BYTES, Key

TicketKind = Literal["session", "sign-in"]
"""A `session` is good until it ends; a `sign-in` once."""

_FORM = re.compile(r"([0-9a-f]{32})\.([A-Za-z0-9_-]{43})")
_NAME = re.compile(r"[0-9a-f]{32}\.json")
_MAX_SIZE = 32 * 1024
_SWEEP_SECONDS = 60.0
_OWNER_DIGITS = 16
MOST_OF_ONE, MOST_IN_ALL = 50, 10_000
"""How many tickets of one kind somebody may have, and how many there may be; the oldest end first."""


@dataclass(frozen=True, slots=True, repr=False)
class Ticket:
    """A ticket.

    Attributes:
        id: Names the file.
        key: Opens it; 32 random bytes.
    """

    id: str
    key: bytes

    @classmethod
    def fresh(cls, owner: str = "") -> Self:
        """Draw a new one.

        Args:
            owner: Whose it is.
        """
        digits = hashlib.sha256(owner.encode("utf-8", "replace")).hexdigest()[:_OWNER_DIGITS]
        return cls(f"{digits}{secrets.token_hex(16 - _OWNER_DIGITS // 2)}", secrets.token_bytes(KEY_BYTES))

    @classmethod
    def from_text(cls, text: str) -> Self | None:
        """Read what a browser sends; None if it is no ticket."""
        match = _FORM.fullmatch(text)
        if match is None:
            return None
        try:
            return cls(match[1], base64url.decode(match[2]))
        except ValueError:
            return None

    def to_text(self) -> str:
        """Write it down, in letters, digits, `.`, `-` and `_`."""
        return f"{self.id}.{base64url.encode(self.key)}"

    def mark(self, purpose: str) -> str:
        """Return a text that only the holder of this ticket can know, and that tells nothing of it."""
        return base64url.encode(hmac.digest(self.key, b"wellhead " + purpose.encode(), hashlib.sha256))


class Tickets:
    """The tickets of one service; any number of processes may use them at once."""

    def __init__(
        self,
        path: Path,
        *,
        now: Callable[[], float] = time.time,
        most_of_one: int = MOST_OF_ONE,
        most_in_all: int = MOST_IN_ALL,
    ) -> None:
        """Keep tickets.

        Args:
            path: The directory; made when the first ticket is.
            now: The time, in seconds.
            most_of_one: How many of one kind somebody may have.
            most_in_all: How many there may be.
        """
        self._path = path
        self._now = now
        self._most_of_one = most_of_one
        self._most_in_all = most_in_all
        self._swept_at = -math.inf

    def issue(self, token: str, kind: TicketKind, *, seconds: float, owner: str = "") -> Ticket:
        """Make a ticket for a token, end the oldest where there are too many, and now and then forget what is over.

        Args:
            token: The token.
            kind: What it is good for.
            seconds: How long.
            owner: Whose it is; the service's own if left out.

        Raises:
            StorageIOError: It cannot be written.
        """
        ticket, until = Ticket.fresh(f"{kind} {owner}"), int(self._now() + seconds)
        sealed = seal(_key(ticket), token, bound_to=_place(ticket, kind, until))
        content = json.dumps({"kind": kind, "expires_at": until, "sealed": sealed}).encode()
        try:
            self._sweep()
            durable.write_new_file(self._file(ticket), content)
            self._bound(ticket)
        except OSError as error:
            raise StorageIOError(f"Sessions cannot be kept in {self._path}: {error.strerror}.") from error
        return ticket

    def token_of(self, ticket: Ticket, kind: TicketKind) -> str | None:
        """Return the token that a ticket stands for; None if it is over, used, or of another kind."""
        try:
            content, _ = durable.read_file(self._file(ticket), _MAX_SIZE)
            kept = json.loads(content)
            if kept["kind"] != kind or kept["expires_at"] <= self._now():
                return None
            return unseal(_key(ticket), kept["sealed"], bound_to=_place(ticket, kind, kept["expires_at"]))
        except (OSError, ValueError, KeyError, TypeError, RecursionError, SealBrokenError):
            return None

    def redeem(self, ticket: Ticket) -> str | None:
        """Return the token of a ticket for one use, which is used with that; of several who try, one gets it."""
        token = self.token_of(ticket, "sign-in")
        return token if token is not None and self.end(ticket) else None

    def end(self, ticket: Ticket) -> bool:
        """Make a ticket worth nothing; tell whether this call did."""
        try:
            self._file(ticket).unlink()
        except OSError:
            return False
        return True

    def _sweep(self) -> None:
        """Remove what is over, once a minute at most. A damaged file is over too."""
        if self._now() - self._swept_at < _SWEEP_SECONDS or not self._path.is_dir():
            return
        self._swept_at = self._now()
        for file in self._path.iterdir():
            if _NAME.fullmatch(file.name) and self._is_over(file):
                with suppress(OSError):
                    file.unlink()

    def _bound(self, newest: Ticket) -> None:
        """End the oldest tickets where somebody has too many, or there are too many in all."""
        others = {file.name for file in self._path.iterdir() if _NAME.fullmatch(file.name)} - {self._file(newest).name}
        own = {name for name in others if name.startswith(newest.id[:_OWNER_DIGITS])}
        others -= self._end_oldest(own, len(own) + 1 - self._most_of_one)
        self._end_oldest(others, len(others) + 1 - self._most_in_all)

    def _end_oldest(self, names: Set[str], count: int) -> Set[str]:
        """End the oldest of some tickets, and return the names of their files."""
        if count <= 0:
            return set()
        oldest = set(sorted(names, key=self._age_of)[:count])
        for name in oldest:
            with suppress(OSError):
                (self._path / name).unlink()
        return oldest

    def _age_of(self, name: str) -> tuple[int, str]:
        """Return when a file was written, for comparing; one that is gone meanwhile comes first."""
        try:
            return (self._path / name).lstat().st_mtime_ns, name
        except OSError:
            return 0, name

    def _is_over(self, file: Path) -> bool:
        try:
            return bool(json.loads(durable.read_file(file, _MAX_SIZE)[0])["expires_at"] <= self._now())
        except OSError:
            return False
        except (ValueError, KeyError, TypeError, RecursionError):
            return True

    def _file(self, ticket: Ticket) -> Path:
        return self._path / f"{ticket.id}.json"


def _key(ticket: Ticket) -> Key:
    return Key(ticket.id, "primary", ticket.key)


def _place(ticket: Ticket, kind: TicketKind, until: int) -> bytes:
    return f"wellhead ticket 1 {kind} {ticket.id} {until}".encode()
