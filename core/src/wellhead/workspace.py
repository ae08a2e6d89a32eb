"""`open_workspace`: the data sources of a directory, in this process, without a service."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Coroutine, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar, overload
from uuid import UUID

from wellhead.assembled import Wellhead
from wellhead.assembly import assemble
from wellhead.catalog.listing import MAX_LIMIT, ListQuery
from wellhead.model.clear import in_clear, with_secrets
from wellhead.model.result import ValidationResult
from wellhead.model.source import DataSourceConfig
from wellhead.settings import load_settings
from wellhead.storage.conflicts import conflict_of
from wellhead.storage.stored import StoredDataSource

T = TypeVar("T")
ConfigT = TypeVar("ConfigT", bound=DataSourceConfig)


def open_workspace(path: str | Path = ".", *, config_file: str | Path | None = None) -> Workspace:
    """Open the data sources of a directory.

    It needs no running service, and works from notebooks too. Use it with `with`, or call `close`.

    Args:
        path: The workspace.
        config_file: A TOML file of settings; the variables `WELLHEAD_…` count too.

    Raises:
        SettingsError: The settings do not allow it.
    """
    settings = load_settings(None if config_file is None else Path(config_file), workspace=Path(path))
    return Workspace(assemble(settings))


class Workspace:
    """The data sources of one directory. Every method waits until it is done, and may be called from any thread."""

    def __init__(self, wellhead: Wellhead) -> None:
        self._wellhead = wellhead
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="wellhead", daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Give back what is held open. The workspace cannot be used afterwards."""
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
            self._loop.close()
            self._wellhead.close()

    def types(self) -> list[dict[str, Any]]:
        """Return every type that is installed, and every plugin that is broken."""
        return self._wellhead.catalog.types()

    def list(self, query: ListQuery | None = None) -> list[dict[str, Any]]:
        """Return the data sources as they are read, secrets as facts; all of them, or those that a query asks for."""
        if query is not None:
            return [dict(item) for item in self._run(self._wellhead.catalog.list(query)).items]
        found: list[dict[str, Any]] = []
        query = ListQuery(limit=MAX_LIMIT)
        while True:
            page = self._run(self._wellhead.catalog.list(query))
            found += [dict(item) for item in page.items]
            if page.next is None:
                return found
            query = replace(query, after=page.next)

    def get(self, name_or_id: str | UUID) -> DataSourceConfig:
        """Return a data source as its type's model, with its secrets sealed.

        Raises:
            DataSourceNotFoundError: There is none of this name or id.
            ConflictError: It cannot be read as its type.
        """
        return _config_of(self._find(name_or_id))

    @overload
    def add(self, source: ConfigT, *, verify: bool = False) -> ConfigT: ...
    @overload
    def add(self, source: Mapping[str, Any], *, verify: bool = False) -> DataSourceConfig: ...
    def add(self, source: Any, *, verify: bool = False) -> Any:
        """Save a new data source.

        Args:
            source: A type's model, or a document as the API takes it.
            verify: Save it only if it validates.

        Returns:
            The data source as saved, with its secrets sealed.

        Raises:
            InputError: It does not fit its type.
            NameTakenError: Another data source has the name.
            ValidationFailedError: It does not validate, and `verify` is set.
            StorageError: It could not be saved.
        """
        document, _ = self._run(self._wellhead.catalog.create(_document(source), verify=verify))
        return _config_of(self._run(self._wellhead.catalog.read(document["id"])))

    def update(self, name_or_id: str | UUID, changes: Mapping[str, Any], *, verify: bool = False) -> DataSourceConfig:
        """Change a data source by a merge patch (RFC 7396).

        Raises:
            DataSourceNotFoundError: There is none of this name or id.
            InputError: The result does not fit, or a secret is missing that must be sent again.
            ConflictError: It cannot be changed in its state, or the name is taken.
            ValidationFailedError: It does not validate, and `verify` is set.
            StorageError: It could not be saved.
        """
        stored = self._find(name_or_id)
        self._run(self._wellhead.catalog.patch(stored.id, _document(changes), verify=verify))
        return _config_of(self._run(self._wellhead.catalog.read(stored.id)))

    def remove(self, name_or_id: str | UUID, *, force: bool = False) -> None:
        """Delete a data source.

        Raises:
            DataSourceNotFoundError: There is none of this name or id.
            ConflictError: Its record cannot be read, and `force` is not set.
            StorageError: It could not be deleted.
        """
        stored = self._find(name_or_id)
        self._run(self._wellhead.catalog.delete(stored.id, force=force))

    def history(self, name_or_id: str | UUID) -> Sequence[dict[str, Any]]:
        """Return the former revisions of a data source, newest first, without any value.

        Each has `revision`, `at` and `by` (when it was changed, and by whom), and `changed` (in which fields).

        Raises:
            DataSourceNotFoundError: There is none of this name or id.
            RecordUnreadableError: The history cannot be read.
        """
        stored = self._find(name_or_id)
        return self._run(self._wellhead.catalog.history(stored.id))

    def rollback(self, name_or_id: str | UUID, revision: int) -> DataSourceConfig:
        """Restore a former revision of a data source whole, its secrets too, as a new revision.

        Raises:
            DataSourceNotFoundError: There is none of this name or id.
            InputError: The revision is not kept.
            ConflictError: It cannot be changed in its state, the revision cannot be restored, or its name is taken.
            StorageError: It could not be saved.
        """
        stored = self._find(name_or_id)
        self._run(self._wellhead.catalog.rollback(stored.id, revision))
        return _config_of(self._run(self._wellhead.catalog.read(stored.id)))

    def validate(self, name_or_id: str | UUID, *, timeout: float | None = None) -> ValidationResult:
        """Run the checks of a data source.

        Args:
            name_or_id: Its name or id.
            timeout: Seconds that it may take; the setting's if left out.

        Raises:
            DataSourceNotFoundError: There is none of this name or id.
            ConflictError: It cannot be read as its type.
        """
        stored = self._find(name_or_id)
        return self._run(self._wellhead.catalog.validate(stored.id, timeout=timeout))

    def resolve(self, name_or_id: str | UUID) -> DataSourceConfig:
        """Return a data source with its secrets in clear: `workspace.resolve("warehouse").password.reveal()`.

        Each use is written to the audit log.

        Raises:
            DataSourceNotFoundError: There is none of this name or id.
            ConflictError: It cannot be read as its type, or a secret does not open or resolve.
            KeyRingError: A secret does not open because the key ring cannot be used.
            StorageIOError: The use could not be logged.
        """
        stored = self._find(name_or_id)
        config = self._run(self._wellhead.catalog.reveal(stored))
        self._wellhead.audit.use("resolve", stored.id, stored.name, stored.revision)
        return config

    def _find(self, name_or_id: str | UUID) -> StoredDataSource:
        """Find by a name, an id, or the id of a model."""
        return self._run(self._wellhead.catalog.find(str(name_or_id)))

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        """Run one operation on the workspace's own event loop, and wait for it."""
        if self._loop.is_closed():
            work.close()
            raise ValueError("the workspace is closed")
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()


def _config_of(stored: StoredDataSource) -> DataSourceConfig:
    if stored.config is None:
        raise conflict_of(stored)
    return stored.config


def _document(source: DataSourceConfig | Mapping[str, Any]) -> dict[str, Any]:
    """Write a model, or a document, as the document that the API takes, with its secrets in clear."""
    if isinstance(source, Mapping):
        return dict(with_secrets(source, source))
    return {name: value for name, value in in_clear(source).items() if value is not None}
