"""Validating data sources again after a while, so that their health is not older than an operator wants it."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Sequence
from contextlib import aclosing
from datetime import datetime, timedelta
from typing import NoReturn

import structlog

from wellhead import clock
from wellhead.catalog.catalog import Catalog
from wellhead.catalog.listing import ListQuery
from wellhead.catalog.outcomes import totals_of
from wellhead.errors import StorageError, ValidationBusyError
from wellhead.storage.stored import StoredDataSource

WORK = "recheck"
_LOOKS = 20
"""How often, in one interval, it is looked for what is due."""
_LEAST_LOOK, _LONGEST_LOOK = 0.5, 60.0


class Rechecks:
    """Validates what is due; of several processes on one workspace, one does it."""

    def __init__(self, catalog: Catalog, *, seconds: float) -> None:
        """Validate the data sources of a catalog again and again.

        Args:
            catalog: The catalog.
            seconds: How old a result may get, give or take a tenth.
        """
        self._catalog = catalog
        self._seconds = seconds
        self._log = structlog.get_logger("wellhead.rechecks")

    async def run(self) -> NoReturn:
        """Go on until cancelled; what the store or the workers cannot do now is tried again later."""
        while True:
            await asyncio.sleep(min(max(self._seconds / _LOOKS, _LEAST_LOOK), _LONGEST_LOOK))
            try:
                await self.look()
            except (StorageError, ValidationBusyError) as error:
                self._log.warning("re-check put off", code=error.code)

    async def look(self) -> None:
        """Validate what is due just now, if this is the process to do so.

        Raises:
            StorageError: The store cannot be read.
            ValidationBusyError: Too many validations wait already.
        """
        if not await self._catalog.storage.lead(WORK):
            return
        chosen = self.due(await self._catalog.select(ListQuery(states=("ok",))), clock.now())
        if not chosen:
            return
        statuses = []
        async with aclosing(self._catalog.validate_many(chosen)) as outcomes:
            async for outcome in outcomes:
                statuses.append(outcome.status)
        self._log.info("re-check", **totals_of(statuses))

    def due(self, stored: Sequence[StoredDataSource], now: datetime) -> list[StoredDataSource]:
        """Return those whose newest result is too old; without one, it counts when they were changed."""
        return [one for one in stored if self._is_due(one, now)]

    def _is_due(self, stored: StoredDataSource, now: datetime) -> bool:
        if stored.record is None:
            return False
        last = stored.record.updated_at if stored.health is None else stored.health["checked_at"]
        # Each has a share of its own, the same for every look, so that they do not all become due at once.
        share = int.from_bytes(hashlib.sha256(f"{stored.id} {last}".encode()).digest()[:4], "big") / 2**32
        return now - clock.from_text(last) >= timedelta(seconds=self._seconds * (0.9 + 0.2 * share))
