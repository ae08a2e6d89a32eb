"""The key ring: the keys that secrets are encrypted with, their states, and the text that a ring is kept as."""

from __future__ import annotations

import hashlib
import json
import re
import secrets
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Literal, Protocol, Self

from wellhead import base64url, clock, strict_json

KEY_BYTES = 32
_FORMAT = "wellhead-keys/1"
_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_KNOWN = frozenset({"id", "state", "created_at", "key"})

KeyState = Literal["primary", "enabled", "disabled"]


@dataclass(frozen=True, slots=True, repr=False)
class Key:
    """One key of a ring.

    Attributes:
        id: Its name, which records refer to.
        state: `primary`: new secrets are encrypted with it; `enabled`: it only decrypts; `disabled`: it is not used.
        material: 32 random bytes.
        created_at: When it was made (RFC 3339); None if the ring does not say.
        extra: Members that this version does not know; they are kept.
    """

    id: str
    state: KeyState
    material: bytes
    created_at: str | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)


class KeyRing:
    """The keys of one ring, exactly one of them primary. A ring is never changed; a change makes another."""

    def __init__(self, keys: Iterable[Key], extra: Mapping[str, Any] | None = None) -> None:
        """Put keys together.

        Args:
            keys: The keys, the oldest first.
            extra: Members of the ring's text that this version does not know; they are kept.

        Raises:
            ValueError: There is not exactly one primary key, or two keys have one id.
        """
        self.keys = tuple(keys)
        self._by_id = {key.id: key for key in self.keys}
        self._extra = dict(extra or {})
        primaries = [key for key in self.keys if key.state == "primary"]
        if len(self._by_id) != len(self.keys) or len(primaries) != 1:
            raise ValueError("it needs exactly one primary key, and no two keys with one id")
        self.primary = primaries[0]

    def find(self, key_id: str) -> Key | None:
        """Return the key of this id, if it may be used."""
        key = self._by_id.get(key_id)
        return None if key is None or key.state == "disabled" else key

    def named(self, key_id: str) -> Key | None:
        """Return the key of this id, whatever its state."""
        return self._by_id.get(key_id)

    def with_new_key(self, *, primary: bool) -> Self:
        """Return the ring with a fresh key more; the primary one before it stays enabled, if it is to be primary."""
        new = _fresh("enabled")
        ring = type(self)((*self.keys, new), self._extra)
        return ring.with_primary(new.id) if primary else ring

    def with_primary(self, key_id: str) -> Self:
        """Return the ring with this key as the primary one; the one before it stays enabled."""
        states: dict[str, KeyState] = {self.primary.id: "enabled", key_id: "primary"}
        return type(self)((replace(key, state=states.get(key.id, key.state)) for key in self.keys), self._extra)

    def with_state(self, key_id: str, state: Literal["enabled", "disabled"]) -> Self:
        """Return the ring with this key, which is not the primary one, in another state."""
        return type(self)((replace(key, state=state) if key.id == key_id else key for key in self.keys), self._extra)

    def without(self, key_id: str) -> Self:
        """Return the ring without this key."""
        return type(self)((key for key in self.keys if key.id != key_id), self._extra)

    def to_bytes(self) -> bytes:
        """Write the text that the ring is kept as. It holds the keys in clear."""
        document = {"format": _FORMAT, "keys": [_entry(key) for key in self.keys]} | self._extra
        return json.dumps(document, indent=2).encode("ascii") + b"\n"

    @classmethod
    def first(cls) -> Self:
        """Make a ring of one fresh key."""
        return cls([_fresh("primary")])

    @cached_property
    def fingerprint(self) -> str:
        """Tell this ring from any other; 56 bits about keys that are random, which say nothing of them."""
        digest = hashlib.blake2b(digest_size=7, person=b"wellhead ring")
        for key in sorted(self.keys, key=lambda key: key.id):
            digest.update(f"{key.id} {key.state} ".encode() + key.material)
        return digest.hexdigest()

    @classmethod
    def from_bytes(cls, text: bytes) -> Self:
        """Read the text of a ring.

        Raises:
            ValueError: It has another form. The message holds no key material.
            InputError: It is not JSON.
        """
        document = strict_json.parse_object(text)
        if document.get("format") != _FORMAT or not isinstance(document.get("keys"), list):
            raise ValueError(f"it is not of the format {_FORMAT}")
        extra = {name: value for name, value in document.items() if name not in {"format", "keys"}}
        return cls([_read_key(entry) for entry in document["keys"]], extra)


def _fresh(state: KeyState) -> Key:
    material = secrets.token_bytes(KEY_BYTES)
    return Key("k" + secrets.token_hex(8), state, material, clock.to_text(clock.now()))


def _entry(key: Key) -> dict[str, Any]:
    made = {} if key.created_at is None else {"created_at": key.created_at}
    return {"id": key.id, "state": key.state, **made, "key": base64url.encode(key.material), **key.extra}


def _read_key(entry: Any) -> Key:
    if not isinstance(entry, dict) or not all(isinstance(entry.get(name), str) for name in ("id", "state", "key")):
        raise ValueError("a key has no id, state or key")
    if not _ID.fullmatch(entry["id"]):
        raise ValueError("a key's id is not 1 to 64 letters, digits, dots, dashes or underscores")
    if entry["state"] not in {"primary", "enabled", "disabled"}:
        raise ValueError("a key's state is none of primary, enabled, disabled")
    material = base64url.decode(entry["key"])
    if len(material) != KEY_BYTES:
        raise ValueError(f"a key has not {KEY_BYTES} bytes")
    created_at = entry.get("created_at")
    if created_at is not None:
        clock.from_text(created_at if isinstance(created_at, str) else "")
    extra = {name: value for name, value in entry.items() if name not in _KNOWN}
    return Key(entry["id"], entry["state"], material, created_at, extra)


class KeyProvider(Protocol):
    """Where the key ring comes from. All but `known` may block; all may be called from several threads."""

    def known(self) -> KeyRing | None:
        """Return the ring as it is now, where that can be told at once, without waiting for anything; else None."""
        ...

    def ring(self) -> KeyRing:
        """Return the ring as it is now.

        Raises:
            KeyRingMissingError: There is none.
            KeyRingDamagedError: What there is, is no key ring.
            KeyRingUnreachableError: It cannot be read just now.
            KeyRingError: It cannot be used.
        """
        ...

    def ring_for_writing(self) -> KeyRing:
        """Return the ring, made anew where that is allowed and there is none.

        Raises:
            KeyRingError: As `ring`.
        """
        ...

    def change(self, change: Callable[[KeyRing | None], KeyRing]) -> KeyRing:
        """Change the ring, while nobody else does; return the new one when it is kept for good.

        Args:
            change: Returns the ring as it is to be, from the one that there is, or from None.

        Raises:
            KeyRingError: It cannot be changed here; the message says where it can.
        """
        ...
