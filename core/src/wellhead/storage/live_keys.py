"""The key ring as a running process uses it: asked for anew each time, not waited for long, the last good one kept."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Literal, TypeVar

import structlog

from wellhead.errors import KeyRingDamagedError, KeyRingError, KeyRingMissingError, KeyRingUnreachableError
from wellhead.guard.threads import in_thread
from wellhead.secrets.keyring import KeyProvider, KeyRing

T = TypeVar("T")
_PATIENCE = 2.0

KeysState = Literal["ready", "degraded"]


class LiveKeys:
    """Asks a provider of keys, which may be slow, gone or damaged at any moment.

    With a damaged ring, everything goes on with the last good one: it was on disk, and a backup has it. While the
    provider cannot be reached, what is stored can still be opened with the last good ring, but nothing is sealed,
    because nobody knows which key is the primary one now. A ring that is gone, or that others may read, is not used.
    """

    def __init__(self, provider: KeyProvider, *, patience: float = _PATIENCE) -> None:
        """Ask a provider.

        Args:
            provider: Where the ring comes from.
            patience: Seconds to wait for an answer. While one is late, nobody else waits.
        """
        self._provider = provider
        self._patience = patience
        self._late = 0
        self._last: KeyRing | None = None
        self._written_with: KeyRing | None = None
        self._trouble: str | None = None
        self._log = structlog.get_logger("wellhead.keys")

    async def ring(self) -> KeyRing:
        """Return the ring to open secrets with.

        Raises:
            KeyRingError: There is none, it cannot be used, or it did not come in time and no other stands in.
        """
        if self._trouble is None and (known := self._provider.known()) is not None:
            self._last = known
            return known
        return await self._ask_for_ring(self._provider.ring, KeyRingDamagedError, KeyRingUnreachableError)

    async def ring_for_writing(self) -> KeyRing:
        """Return the ring to seal secrets with, made anew where that is allowed and there is none.

        Raises:
            KeyRingError: There is none, it cannot be used, or it did not come in time.
        """
        if self._trouble is None and (known := self._provider.known()) is not None and known is self._written_with:
            return known  # it is on disk, and still the one that there is
        ring = await self._ask_for_ring(self._provider.ring_for_writing, KeyRingDamagedError)
        self._written_with = ring
        return ring

    async def change(self, change: Callable[[KeyRing | None], KeyRing]) -> KeyRing:
        """Change the ring, and return when the new one is kept for good; however long that takes.

        Args:
            change: Returns the ring as it is to be, from the one that there is, or from None.

        Raises:
            KeyRingError: It cannot be changed.
        """
        self._last = await in_thread(self._provider.change, change)
        return self._last

    async def state(self) -> KeysState:
        """Return `ready`; or `degraded` where the last good ring stands in. Having no ring yet is all right.

        Raises:
            KeyRingError: There is no ring that can be used.
        """
        try:
            await self.ring()
        except KeyRingMissingError:
            if self._last is not None:
                raise
        return "ready" if self._trouble is None else "degraded"

    async def _ask_for_ring(self, function: Callable[[], KeyRing], *bearable: type[KeyRingError]) -> KeyRing:
        try:
            ring = await self._ask(function)
        except bearable as error:
            if self._last is None:
                raise
            self._note(error.message)
            return self._last
        self._note(None)
        self._last = ring
        return ring

    async def _ask(self, function: Callable[[], T]) -> T:
        if self._late:
            raise _slow()
        call = asyncio.ensure_future(in_thread(function))
        call.add_done_callback(_seen)
        done, _ = await asyncio.wait({call}, timeout=self._patience)
        if not done:
            self._late += 1
            call.add_done_callback(self._came)
            raise _slow()
        return call.result()

    def _came(self, _call: asyncio.Future[T]) -> None:
        """Ask again from now on; what came is too late to be used."""
        self._late -= 1

    def _note(self, trouble: str | None) -> None:
        """Write to the log when the last good ring begins to stand in, and when it need not any more."""
        if trouble != self._trouble:
            self._trouble = trouble
            if trouble is None:
                self._log.info("key ring usable again")
            else:
                self._log.warning("key ring degraded", reason=trouble)


def _seen(call: asyncio.Future[T]) -> None:
    """Take note of an error, which asyncio would report if whoever asked were gone by now."""
    if not call.cancelled():
        call.exception()


def _slow() -> KeyRingUnreachableError:
    return KeyRingUnreachableError(
        "The key ring did not come in time. Try again; look at where WELLHEAD_KEY_FILE lies."
    )
