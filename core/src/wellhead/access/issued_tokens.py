"""Telling by an issued token who sends a request."""

from __future__ import annotations

import asyncio
import hmac
import time
from collections.abc import Mapping

import structlog

from wellhead import clock
from wellhead.access.issued import IssuedToken, digest_of, id_in
from wellhead.access.principal import Principal
from wellhead.access.token_store import TokenStore
from wellhead.errors import SettingsError, StorageIOError

_EVERY = 1.0
"""Seconds after which it is looked whether a token was revoked: by anybody, in any process."""

_TRUSTED = 60.0
"""Seconds after which the tokens are read again, whatever it looks like: somebody may have edited one in its place."""

_SETTLED = 1_000_000_000
"""Timestamps are coarse: what changed less than this many nanoseconds ago may change again unseen."""

_NOBODYS = digest_of(b"")


class IssuedTokens:
    """Knows the tokens of a store: each as soon as it was issued, and at most two seconds after it was revoked."""

    def __init__(self, store: TokenStore) -> None:
        self._store = store
        self._known: Mapping[str, IssuedToken] = {}
        self._signature: tuple[int, ...] | None = None
        self._is_settled = False
        self._looked_at = self._read_at = float("-inf")
        self._lock = asyncio.Lock()
        self._log = structlog.get_logger("wellhead.access")

    async def principal_of(self, presented: bytes) -> Principal | None:
        """Return whose token it is; the same is done for one that nobody knows.

        Raises:
            StorageIOError: It cannot be looked up just now.
        """
        token_id = id_in(presented) or ""
        try:
            await self._look(since=time.monotonic() - _EVERY)
            if token_id and token_id not in self._known and self._store.has(token_id):  # it was issued just now
                await self._look(since=time.monotonic())
        except (SettingsError, StorageIOError) as error:
            self._log.error("tokens not read", reason=error.message)
            raise StorageIOError("Tokens cannot be looked up just now.") from None  # the place is not for everybody
        token = self._known.get(token_id)
        fits = hmac.compare_digest(digest_of(presented), _NOBODYS if token is None else token.digest)
        return token.principal if token is not None and fits and clock.now() < token.expires_at else None

    async def _look(self, *, since: float) -> None:
        """Look whether the tokens are other ones now, unless that was done after a moment; who asks meanwhile waits."""
        if self._looked_at > since:
            return
        async with self._lock:
            now = time.monotonic()
            if self._looked_at > since:
                return
            signature = self._store.signature()
            if signature != self._signature or not self._is_settled or now - self._read_at > _TRUSTED:
                is_settled = signature is None or time.time_ns() - signature[-1] > _SETTLED
                tokens = await asyncio.to_thread(self._store.read)
                self._known = {token.id: token for token in tokens}
                self._signature, self._is_settled, self._read_at = signature, is_settled, now
            self._looked_at = now
