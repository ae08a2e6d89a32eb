"""Validating data sources again after a while, so that their health is not older than an operator wants it."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing, suppress
from datetime import datetime, timedelta
from typing import Any, NoReturn

import structlog

from wellhead import clock
from wellhead.catalog.catalog import Catalog
from wellhead.catalog.listing import ListQuery
from wellhead.catalog.outcomes import totals_of
from wellhead.errors import DataSourceNotFoundError, StorageError, ValidationBusyError

WORK = "recheck"
_LOOKS = 20
"""How often, in one interval, it is looked for what is due."""
_LEAST_LOOK, _LONGEST_LOOK = 0.5, 60.0


class Rechecks:
    """Validates what is due; of several processes on one workspace, one does it."""

    def __init__(self, *, seconds: float) -> None:
        """Validate data sources again and again.

        Args:
            seconds: How old a result may get, give or take a tenth.
        """
        self._seconds = seconds
        self._log = structlog.get_logger("wellhead.rechecks")

    async def run(self, catalogs: Callable[[], AsyncGenerator[Catalog, None]]) -> NoReturn:
        """Go on until cancelled; what the store or the workers cannot do now is tried again later.

        Args:
            catalogs: Goes through the catalogs of the moment, of all workspaces.
        """
        while True:
            await asyncio.sleep(min(max(self._seconds / _LOOKS, _LEAST_LOOK), _LONGEST_LOOK))
            try:
                async with aclosing(catalogs()) as found:
                    async for catalog in found:
                        await self._try(catalog)
            except StorageError as error:  # a workspace that cannot be opened
                self._log.warning("re-check put off", code=error.code)

    async def _try(self, catalog: Catalog) -> None:
        try:
            await self.look(catalog)
        except (StorageError, ValidationBusyError) as error:
            self._log.warning("re-check put off", code=error.code)

    async def look(self, catalog: Catalog) -> None:
        """Validate what is due just now in a workspace, if this is the process to do so.

        Raises:
            StorageError: The store cannot be read.
            ValidationBusyError: Too many validations wait already.
        """
        if not await catalog.storage.lead(WORK):
            return
        chosen = []
        async for document in catalog.documents(ListQuery()):
            if self.is_due(document, clock.now()):
                with suppress(DataSourceNotFoundError):  # it was deleted meanwhile
                    chosen.append(await catalog.read(document["id"]))
        if not chosen:
            return
        async with aclosing(catalog.validate_many(chosen)) as outcomes:
            statuses = [outcome.status async for outcome in outcomes]
        self._log.info("re-check", **totals_of(statuses))

    def is_due(self, document: Mapping[str, Any], now: datetime) -> bool:
        """Tell whether the newest result of a data source is too old; without one, it counts when that was changed.

        Args:
            document: The data source, as it is read.
            now: The instant to tell it for.
        """
        if document["state"] != "ok":
            return False
        last = document["updated_at"] if document["health"] is None else document["health"]["checked_at"]
        # Each has a share of its own, the same for every look, so that they do not all become due at once.
        share = int.from_bytes(hashlib.sha256(f"{document['id']} {last}".encode()).digest()[:4], "big") / 2**32
        return now - clock.from_text(last) >= timedelta(seconds=self._seconds * (0.9 + 0.2 * share))
