"""Signatures under what a service gives out and takes back, with keys that all its processes have after a restart too.

No key is kept for this. A service for several users derives it from its key ring, which it cannot start without; in
local mode, where there may be no key ring yet, it is made of the token.
"""

from __future__ import annotations

import asyncio
import hmac
import secrets
from collections.abc import Sequence
from typing import Protocol

from wellhead.access.token import LocalToken
from wellhead.errors import KeyRingError
from wellhead.secrets.derivation import derive
from wellhead.secrets.keyring import KeyRing
from wellhead.storage.live_keys import LiveKeys

SIGNATURE_BYTES = 16
_PURPOSE = "cursor v1"


class SigningKeys(Protocol):
    """Where the keys come from."""

    async def keys(self) -> Sequence[bytes]:
        """Return the keys, the one to sign with first.

        Raises:
            KeyRingError: They cannot be had just now.
        """


class RingKeys:
    """Keys derived from all those of a key ring that may be used, so that a rotation spoils no signature."""

    def __init__(self, live: LiveKeys) -> None:
        self._live = live
        self._ring: KeyRing | None = None
        self._keys: Sequence[bytes] = ()

    async def keys(self) -> Sequence[bytes]:
        """Return the keys, that of the primary one first."""
        ring = await self._live.ring()
        if ring is not self._ring:
            enabled = [key for key in ring.keys if key.state == "enabled"]
            self._ring, self._keys = ring, [derive(key, _PURPOSE) for key in (ring.primary, *enabled)]
        return self._keys


class TokenKeys:
    """One key, made of the token of local mode."""

    def __init__(self, token: LocalToken) -> None:
        self._token = token
        self._keys: Sequence[bytes] = ()
        self._turn = asyncio.Lock()

    async def keys(self) -> Sequence[bytes]:
        """Return the key; the first time that takes a moment."""
        async with self._turn:
            if not self._keys:
                self._keys = [await asyncio.to_thread(self._token.stretched, _PURPOSE)]
        return self._keys


class Signer:
    """Signs, and knows its own signatures (HMAC-SHA256, cut to 16 bytes).

    While keys cannot be had, it signs with one of its own, which no other process knows: a list needs no key ring.
    """

    def __init__(self, keys: SigningKeys) -> None:
        self._keys = keys
        self._own = secrets.token_bytes(32)

    async def sign(self, content: bytes) -> bytes:
        """Return the signature of some content."""
        return _signature((await self._usable())[0], content)

    async def fits(self, content: bytes, signature: bytes) -> bool:
        """Tell whether a signature is one of this content, by any key that may be used."""
        return any(hmac.compare_digest(_signature(key, content), signature) for key in await self._usable())

    async def _usable(self) -> Sequence[bytes]:
        try:
            return (*await self._keys.keys(), self._own)
        except KeyRingError:
            return (self._own,)


def _signature(key: bytes, content: bytes) -> bytes:
    return hmac.digest(key, content, "sha256")[:SIGNATURE_BYTES]
