"""`Reader`: finds and lists what is stored, by the index where there is one."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import AsyncGenerator, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import Any

from wellhead.catalog.listing import MAX_LIMIT, ListQuery, Page, matches, page_from, page_of, selection_of
from wellhead.catalog.summary import Summary, group_of
from wellhead.errors import DataSourceNotFoundError
from wellhead.model.texts import name_key
from wellhead.storage.records import RECORD_ID
from wellhead.storage.service import ConfigurationStorageService
from wellhead.storage.stored import StoredDataSource


class Reader:
    """Finds and lists the data sources of one workspace. `Catalog` says what each method does, and raises."""

    def __init__(self, storage: ConfigurationStorageService) -> None:
        self._storage = storage

    async def find(self, name_or_id: str) -> StoredDataSource:
        """Return the data source of this id, or else of this name."""
        if is_source_id(name_or_id):
            with suppress(DataSourceNotFoundError):
                return await self._storage.read(name_or_id)
        found = await self._storage.find(name_key(name_or_id))
        if found is None:
            raise DataSourceNotFoundError(f"No data source has the name or id '{name_or_id}'. See 'wellhead list'.")
        return found

    async def list(self, query: ListQuery) -> Page:
        """Return one page of the data sources that a query asks for."""
        chosen = await self._storage.choose(selection_of(query))
        return page_of(await self._storage.list_configs(), query) if chosen is None else page_from(chosen)

    async def summary(self, query: ListQuery) -> Summary:
        """Count the data sources that a query's filters ask for, by type, state and health."""
        counts = await self._storage.summarize(selection_of(query))
        if counts is None:
            counts = Counter(group_of(item) for item in await self._storage.list_configs() if matches(item, query))
        return Summary(counts)

    async def select(self, query: ListQuery) -> Sequence[StoredDataSource]:
        """Return all data sources that a query's filters ask for, in no order."""
        found = []
        async for document in self.documents(query):
            with suppress(DataSourceNotFoundError):  # it was deleted meanwhile
                found.append(await self._storage.read(document["id"]))
        return found

    async def documents(self, query: ListQuery) -> AsyncGenerator[dict[str, Any], None]:
        """Yield all data sources that a query's filters ask for, each as it is read; many are not held at once."""
        seen = set()
        selection = replace(selection_of(query), limit=MAX_LIMIT)
        while (chosen := await self._storage.choose(selection)) is not None:
            for item in chosen.items:
                document = json.loads(item)
                seen.add(document["id"])
                yield document
            if chosen.next is None:
                return
            selection = replace(selection, after=chosen.next)
        for stored in await self._storage.list_configs():  # there is no index, or no more
            if stored.id not in seen and matches(stored, query):
                yield stored.as_document()


def is_source_id(text: str) -> bool:
    """Tell whether a text is an id: a UUID in its canonical lower-case form (RFC 9562)."""
    return RECORD_ID.fullmatch(text) is not None
