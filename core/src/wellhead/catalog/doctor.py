"""`Doctor`: looks over a whole workspace, and says of everything that is wrong what to do."""

from __future__ import annotations

import os
import re
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from wellhead.catalog.catalog import Catalog
from wellhead.errors import ConflictError, KeyRingError, StorageError
from wellhead.model.texts import name_key
from wellhead.secrets.keyring import KeyProvider
from wellhead.storage.conflicts import MIGRATION_REMEDY, conflict_of
from wellhead.storage.findings import Finding, problem, warning
from wellhead.storage.store import RecordStore
from wellhead.storage.stored import StoredDataSource

_DISTRIBUTION = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,98}[A-Za-z0-9])?")


class Doctor:
    """Looks over one workspace: its store, its keys, its plugins, and each data source."""

    def __init__(
        self, *, workspace: Path, catalog: Catalog, store: RecordStore, keys: KeyProvider, key_file: Path | None
    ) -> None:
        """Look over a workspace.

        Args:
            workspace: The workspace.
            catalog: Its data sources.
            store: What they are kept in.
            keys: Where the key ring comes from.
            key_file: The file that it is in; None if it is in none.
        """
        self._workspace = workspace
        self._catalog = catalog
        self._store = store
        self._keys = keys
        self._key_file = key_file

    async def look(self, *, repair: bool = False) -> list[Finding]:
        """Look at everything, and mend what is safe to mend, if that is wanted. No record is ever touched.

        Returns:
            What was found, what is in order too.
        """
        findings = await self._store.inspect(repair=repair)
        try:
            stored = list(await self._catalog.storage.list_configs())
            workspace_id = await self._store.workspace_id()
        except StorageError as error:
            told = {finding.code for finding in findings if finding.status == "problem"}
            return findings if told else [*findings, problem("store", error.code, error.message, remedy=None)]
        sealed = [item.id for item in stored if item.facts]
        if sealed and workspace_id is None:
            findings.append(problem("store", "workspace_id_lost", ids=tuple(sealed)))
        findings += self._keys_and_plugins(needed=bool(sealed))
        findings += _states(stored)
        findings += _waiting(stored)
        findings += _names(stored)
        findings += [found async for found in self._references(stored)]
        return findings

    def _keys_and_plugins(self, *, needed: bool) -> Iterator[Finding]:
        try:
            self._keys.ring()
            yield Finding("key ring", "ok", "The key ring can be read.")
        except KeyRingError as error:
            if needed or self._key_file is None or not _is_missing(self._key_file):
                yield problem("key ring", error.code, error.message, remedy=None)
            else:
                yield Finding("key ring", "ok", "There is no key ring yet. It is made with the first secret.")
        if (
            self._key_file is not None
            and _is_below(self._key_file, self._workspace)
            and not _is_missing(self._key_file)
        ):
            yield warning("key ring", "key_ring_in_workspace")
        for report in self._catalog.plugins:
            if report.state != "ready":
                message = f"{report.distribution}: {report.reason}"
                yield warning("plugin", "plugin_not_used", message, remedy=report.remedy)

    async def _references(self, stored: Iterable[StoredDataSource]) -> AsyncIterator[Finding]:
        for item in stored:
            if item.state == "ok" and any(facts.reference is not None for facts in item.facts.values()):
                try:
                    await self._catalog.reveal(item)
                except ConflictError as error:
                    yield warning("data source", "reference_unresolved", _of(item, error.message), ids=(item.id,))


def _states(stored: Sequence[StoredDataSource]) -> Iterator[Finding]:
    sound = sum(item.state == "ok" for item in stored)
    yield Finding("data source", "ok", f"In order: {sound} of {len(stored)}.")
    for item in stored:
        if item.state != "ok":
            error = conflict_of(item)
            message = _of(item, item.reason or error.message)
            yield problem("data source", error.code, message, ids=(item.id,), **_remedy(item))


def _waiting(stored: Sequence[StoredDataSource]) -> Iterator[Finding]:
    """Tell which records are stored in an older schema; they work, since they are migrated each time they are read."""
    sound = [(item.id, item.record) for item in stored if item.state == "ok" and item.record is not None]
    ids = tuple(sorted(source_id for source_id, record in sound if record.origin is not None))
    if ids:
        message = f"Stored by an older version of a plugin: {len(ids)}."
        yield warning("data source", "migration_waiting", message, ids=ids)


def _remedy(item: StoredDataSource) -> dict[str, Any]:
    """Name the distribution that is missing or too old, as the record does; the code's own remedy must do else.

    Where a migration failed, no field can be changed by itself.
    """
    if item.reason is not None:
        return {"remedy": MIGRATION_REMEDY}
    if not item.is_left_alone or item.record is None:
        return {}
    distribution = item.record.plugin[0]
    if not isinstance(distribution, str) or not _DISTRIBUTION.fullmatch(distribution):  # it may be edited by hand
        return {}
    if item.state == "newer_format":
        return {"remedy": f"Install the newer version of the plugin again: pip install --upgrade {distribution}"}
    return {"remedy": f"Install the plugin that provides it: pip install {distribution}"}


def _names(stored: Sequence[StoredDataSource]) -> Iterator[Finding]:
    by_name = defaultdict(list)
    for item in stored:
        if item.name is not None:
            by_name[name_key(item.name)].append(item)
    for items in by_name.values():
        if len(items) > 1:
            ids = tuple(sorted(item.id for item in items))
            message = f"{items[0].name}: {', '.join(ids)} have this name."
            yield problem("data source", "name_taken_twice", message, ids=ids)


def _of(item: StoredDataSource, message: str) -> str:
    return f"{item.name or item.id}: {message}"


def _is_missing(path: Path) -> bool:
    """Tell whether a file is not there; one that cannot be reached may be."""
    try:
        path.lstat()
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return False


def _is_below(path: Path, directory: Path) -> bool:
    return Path(os.path.realpath(path)).is_relative_to(os.path.realpath(directory))


def document_of(findings: Sequence[Finding]) -> dict[str, Any]:
    """Return what was found as `wellhead doctor --json` prints it."""
    totals = Counter(finding.status for finding in findings)
    return {
        "success": not totals["problem"],
        "findings": [finding.as_document() for finding in findings],
        "totals": dict(totals),
    }
