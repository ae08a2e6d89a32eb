"""`Migrations`: brings the records of a workspace to the schemas that their types have now."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from typing import Any

from wellhead.catalog.outcomes import totals_of
from wellhead.errors import DataSourceNotFoundError
from wellhead.model.texts import name_key
from wellhead.storage.rewriting import MigrationOutcome
from wellhead.storage.service import ConfigurationStorageService

_AT_ONCE = 8

Report = Callable[[int, int], None]
"""Is told how many data sources are done, and how many there are."""


class Migrations:
    """Migrates the stored records of one workspace. It may be cut off anywhere, and be run again."""

    def __init__(self, storage: ConfigurationStorageService) -> None:
        self._storage = storage

    async def all_ids(self) -> list[str]:
        """Return the ids of all data sources, whatever their state.

        Raises:
            StorageError: The store cannot be read.
        """
        return [stored.id for stored in await self._storage.list_configs()]

    async def run(self, source_ids: Sequence[str], *, dry_run: bool, report: Report) -> list[MigrationOutcome]:
        """Migrate data sources, several at once; one that fails is left as it is, and stops no other.

        Args:
            source_ids: Their ids.
            dry_run: Find out what would be done, and store nothing.
            report: Told as data sources are done.

        Returns:
            What came of each, by name. One that was deleted meanwhile is left out.

        Raises:
            StorageError: The store cannot be read.
        """
        outcomes: list[MigrationOutcome] = []
        waiting, done = iter(source_ids), 0

        async def work(waiting: Iterator[str]) -> None:
            nonlocal done
            for source_id in waiting:
                with suppress(DataSourceNotFoundError):
                    outcomes.append(await self._storage.migrate(source_id, dry_run=dry_run))
                done += 1
                report(done, len(source_ids))

        await asyncio.gather(*(work(waiting) for _ in range(_AT_ONCE)))
        return sorted(outcomes, key=lambda outcome: (name_key(outcome.name or ""), outcome.id))


def document_of(outcomes: Sequence[MigrationOutcome], *, dry_run: bool) -> dict[str, Any]:
    """Return what came of a run as `wellhead migrate --json` prints it."""
    return {
        "dry_run": dry_run,
        "items": [outcome.as_document() for outcome in outcomes],
        "totals": totals_of(outcome.status for outcome in outcomes),
    }
