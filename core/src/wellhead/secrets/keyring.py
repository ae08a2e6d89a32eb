"""The key ring: the keys that secrets are encrypted with, kept in a file outside of every workspace."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import secrets
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, Protocol, Self

from wellhead import base64url, clock, durable, strict_json
from wellhead.errors import InputError, KeyRingError

KEY_BYTES = 32
_FORMAT = "wellhead-keys/1"
_MAX_SIZE = 1 << 20
# Timestamps of files are coarse: what changed less than this many nanoseconds ago may change again unseen.
_SETTLED = 1_000_000_000

KeyState = Literal["primary", "enabled", "disabled"]


@dataclass(frozen=True, slots=True, repr=False)
class Key:
    """One key of a ring.

    Attributes:
        id: Its name, which records refer to.
        state: `primary`: new secrets are encrypted with it; `enabled`: it only decrypts; `disabled`: it is not used.
        material: 32 random bytes.
    """

    id: str
    state: KeyState
    material: bytes


class KeyRing:
    """The keys of one ring, exactly one of them primary."""

    def __init__(self, keys: Mapping[str, Key]) -> None:
        self._keys = dict(keys)
        self.primary = next(key for key in self._keys.values() if key.state == "primary")

    def find(self, key_id: str) -> Key | None:
        """Return the key of this id, if it may be used."""
        key = self._keys.get(key_id)
        return None if key is None or key.state == "disabled" else key

    @cached_property
    def fingerprint(self) -> str:
        """Tell this ring from any other; 56 bits about keys that are random, which say nothing of them."""
        digest = hashlib.blake2b(digest_size=7, person=b"wellhead ring")
        for key in sorted(self._keys.values(), key=lambda key: key.id):
            digest.update(f"{key.id} {key.state} ".encode() + key.material)
        return digest.hexdigest()

    @classmethod
    def from_bytes(cls, text: bytes) -> Self:
        """Read a key file's text.

        Raises:
            ValueError: It has another form. The message holds no key material.
        """
        document = strict_json.parse_object(text)
        if document.get("format") != _FORMAT or not isinstance(document.get("keys"), list):
            raise ValueError(f"it is not of the format {_FORMAT}")
        keys = [_read_key(entry) for entry in document["keys"]]
        if len({key.id for key in keys}) != len(keys) or [key.state for key in keys].count("primary") != 1:
            raise ValueError("it needs exactly one primary key, and no two keys with one id")
        return cls({key.id: key for key in keys})


def _read_key(entry: Any) -> Key:
    if not isinstance(entry, dict) or not all(isinstance(entry.get(name), str) for name in ("id", "state", "key")):
        raise ValueError("a key has no id, state or key")
    if entry["state"] not in {"primary", "enabled", "disabled"}:
        raise ValueError("a key's state is none of primary, enabled, disabled")
    material = base64url.decode(entry["key"])
    if len(material) != KEY_BYTES:
        raise ValueError(f"a key has not {KEY_BYTES} bytes")
    return Key(entry["id"], entry["state"], material)


class KeyProvider(Protocol):
    """Where the key ring comes from."""

    def ring(self) -> KeyRing:
        """Return the ring as it is now.

        Raises:
            KeyRingError: There is none, or it cannot be used.
        """
        ...

    def ring_for_writing(self) -> KeyRing:
        """Return the ring, made anew where that is allowed and there is none.

        Raises:
            KeyRingError: There is none, or it cannot be used.
        """
        ...


@dataclass(frozen=True, slots=True, repr=False)
class _Loaded:
    """A ring as it was read, with what tells whether its file has changed since."""

    signature: tuple[int, ...]
    settled: bool
    text: bytes
    ring: KeyRing


class FileKeys:
    """The key ring in a file. It is read again whenever the file changes."""

    def __init__(self, path: Path, *, may_create: Callable[[], bool], not_below: Path | None = None) -> None:
        """Keep the key ring in a file.

        Args:
            path: The file.
            may_create: Asked before a first key is made; True only while nothing is encrypted.
            not_below: A directory that the file may not lie in, because it is copied together with the secrets.
        """
        self._path = path
        self._may_create = may_create
        self._not_below = not_below
        self._loaded: _Loaded | None = None

    def ring(self) -> KeyRing:
        """Return the ring as the file has it now.

        Raises:
            KeyRingError: There is no file, others may read it, or it is damaged.
        """
        try:
            seen = self._path.lstat()
        except FileNotFoundError:
            raise self._error("does not exist", "Restore it from a backup, or set WELLHEAD_KEY_FILE.") from None
        except OSError as error:
            raise self._error(f"cannot be reached: {error.strerror}", "Check its directory.") from error
        signature = (seen.st_dev, seen.st_ino, seen.st_mtime_ns, seen.st_ctime_ns, seen.st_size)
        known = self._loaded
        if known is None or known.signature != signature or not known.settled:
            settled = time.time_ns() - seen.st_ctime_ns > _SETTLED
            text = self._read()
            ring = known.ring if known is not None and known.text == text else self._parse(text)
            self._loaded = known = _Loaded(signature, settled, text, ring)
        return known.ring

    def ring_for_writing(self) -> KeyRing:
        """Return the ring; make a first key if there is no file and nothing is encrypted yet.

        Raises:
            KeyRingError: There is no file and none may be made, others may read it, or it is damaged.
        """
        if not os.path.lexists(self._path):
            self._check_place()
            if not self._may_create():
                remedy = "Data sources were encrypted with it: restore it from a backup, or set WELLHEAD_KEY_FILE."
                raise self._error("does not exist", remedy)
            self._create()
        return self.ring()

    def _read(self) -> bytes:
        self._check_place()
        try:
            text, seen = durable.read_file(self._path, _MAX_SIZE)
        except OSError as error:
            link = error.errno == errno.ELOOP
            why = "is a symbolic link" if link else f"cannot be read: {error.strerror}"
            raise self._error(why, "Name the file itself, readable only for you.") from error
        self._check_owner(seen)
        return text

    def _parse(self, text: bytes) -> KeyRing:
        try:
            return KeyRing.from_bytes(text)
        except (ValueError, InputError):
            raise self._error("is damaged", "Restore it from a backup.") from None

    def _check_place(self) -> None:
        if self._not_below is not None and _real(self._path).is_relative_to(_real(self._not_below)):
            raise self._error("lies inside the store, and would be copied with it", "Move it to another directory.")

    def _check_owner(self, seen: os.stat_result) -> None:
        if seen.st_uid not in {os.geteuid(), 0}:
            raise self._error("belongs to someone else", f"Give it to the user who runs Wellhead: chown {self._path}")
        if seen.st_mode & 0o027:
            raise self._error("may be read or written by others", f"chmod 600 {self._path}")

    def _create(self) -> None:
        """Make the file with one fresh key; if another process was first, keep that one's."""
        key_id = "k" + secrets.token_hex(8)
        entry = {"id": key_id, "state": "primary", "created_at": clock.to_text(clock.now())}
        entry["key"] = base64url.encode(secrets.token_bytes(KEY_BYTES))
        text = json.dumps({"format": _FORMAT, "keys": [entry]}, indent=2).encode() + b"\n"
        try:
            durable.write_new_file(self._path, text)
        except OSError as error:
            raise self._error(f"cannot be made: {error.strerror}", "Set WELLHEAD_KEY_FILE.") from error

    def _error(self, what: str, remedy: str) -> KeyRingError:
        return KeyRingError(f"The key file {self._path} {what}. {remedy}")


def _real(path: Path) -> Path:
    return Path(os.path.realpath(path))
