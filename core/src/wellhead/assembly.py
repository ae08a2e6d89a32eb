"""The one module that knows all parts: it makes them from the settings, and ties them together."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from importlib.metadata import EntryPoint
from pathlib import Path

from wellhead import durable
from wellhead.access.token import LocalToken
from wellhead.access.uses import UseLog, local_user
from wellhead.catalog.catalog import Catalog
from wellhead.catalog.doctor import Doctor
from wellhead.errors import SettingsError
from wellhead.guard.files import FileGuard
from wellhead.plugins.loader import load_plugins
from wellhead.plugins.registry import DataSourceTypeRegistry
from wellhead.secrets.keyring import FileKeys
from wellhead.secrets.references import References
from wellhead.settings import Settings
from wellhead.storage.directory import STORE_NAME
from wellhead.storage.files import FileRecordStore
from wellhead.storage.records import MAX_RECORD_BYTES, DamagedRecordError, NewerRecordError, decode
from wellhead.storage.service import ConfigurationStorageService
from wellhead.storage.workspace_id import WORKSPACE_FILE
from wellhead.validation.service import DataSourceValidationService


@dataclass(frozen=True, slots=True)
class Wellhead:
    """All parts of one Wellhead, tied together.

    Attributes:
        settings: What they were made from.
        catalog: What can be done with data sources.
        keys: The key ring.
        token: The token of the REST API.
        uses: The log of uses of secrets.
        store: Where the data sources are kept.
        doctor: Looks over the workspace.
        files: Opens files for data sources.
    """

    settings: Settings
    catalog: Catalog
    keys: FileKeys
    token: LocalToken
    uses: UseLog
    store: FileRecordStore
    doctor: Doctor
    files: FileGuard

    async def check(self) -> None:
        """Look whether the store and the key ring can be used.

        Raises:
            StorageError: The store cannot.
            KeyRingError: The key ring cannot; having none yet is all right.
        """
        await self.store.check()
        if self.settings.key_path.exists():
            self.keys.ring()

    def close(self) -> None:
        """Give back what is held open."""
        self.files.close()
        self.store.close()


def assemble(
    settings: Settings,
    *,
    registry: DataSourceTypeRegistry | None = None,
    plugins: Iterable[EntryPoint] | None = None,
) -> Wellhead:
    """Make all parts from the settings.

    Args:
        settings: The settings.
        registry: A registry that may have types already; a new one if left out.
        plugins: The entry points to load; those installed if left out.

    Raises:
        SettingsError: The settings do not allow it.
    """
    try:
        workspace = settings.workspace.expanduser().absolute()
    except (OSError, RuntimeError) as error:
        raise SettingsError("The workspace is not there: its directory or the user that it names is gone.") from error
    if not workspace.is_dir():
        raise SettingsError(f"The workspace {workspace} is not a directory. Make it, or name another with --workspace.")
    registry = registry if registry is not None else DataSourceTypeRegistry()
    reports = load_plugins(registry, plugins)
    store_path = workspace / STORE_NAME
    store = FileRecordStore(workspace, kept_revisions=settings.history)
    keys = FileKeys(settings.key_path, may_create=lambda: not _has_secrets(store_path), not_below=store_path)
    forbidden = (settings.key_path, settings.token_path, store_path)
    files = _guard(workspace, settings, forbidden)
    references = References(
        names=settings.reference_env,
        directories=settings.reference_dirs,
        forbidden=forbidden,
    )
    storage = ConfigurationStorageService(store, keys, registry.find, acting=local_user)
    validation = DataSourceValidationService(
        registry.describe, files=files, references=references, timeout=settings.validation_timeout
    )
    catalog = Catalog(registry=registry, plugins=reports, storage=storage, validation=validation)
    return Wellhead(
        settings=settings,
        catalog=catalog,
        keys=keys,
        token=LocalToken(settings.token_path, settings.token),
        uses=UseLog(settings.config_dir / "uses.jsonl", workspace),
        store=store,
        doctor=Doctor(workspace=workspace, catalog=catalog, store=store, keys=keys, key_file=settings.key_path),
        files=files,
    )


def _guard(workspace: Path, settings: Settings, forbidden: Iterable[Path]) -> FileGuard:
    try:
        return FileGuard(workspace, settings.file_roots, forbidden=forbidden)
    except OSError as error:
        raise SettingsError(f"WELLHEAD_FILE_ROOTS: {error.filename} cannot be opened as a directory.") from error


def _has_secrets(store: Path) -> bool:
    """Tell whether anything is encrypted in a store; what cannot be read counts as encrypted."""
    try:
        return any(_may_hold_secrets(path) for path in store.iterdir() if path.suffix == ".json")
    except FileNotFoundError:
        return False


def _may_hold_secrets(path: Path) -> bool:
    if path.name == WORKSPACE_FILE:
        return False
    try:
        content, _ = durable.read_file(path, MAX_RECORD_BYTES)
        return bool(decode(content, path.stem).secrets)
    except (OSError, DamagedRecordError, NewerRecordError):
        return True
