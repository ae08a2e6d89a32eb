"""The one module that knows all parts: it makes them from the settings, and ties them together."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import partial
from importlib.metadata import EntryPoint
from pathlib import Path

from wellhead import durable
from wellhead.access.token import LocalToken
from wellhead.access.uses import UseLog, local_user
from wellhead.catalog.catalog import Catalog
from wellhead.catalog.doctor import Doctor
from wellhead.errors import KeyRingDamagedError, KeyRingError, SettingsError
from wellhead.guard.egress import EgressPolicy, EgressRuleError
from wellhead.guard.files import FileGuard
from wellhead.plugins.choice import DENY, PluginChoice
from wellhead.plugins.installed import InstalledPlugins, TypeSet
from wellhead.plugins.origin import origin_of
from wellhead.plugins.registry import DataSourceTypeRegistry
from wellhead.plugins.trial import Trials
from wellhead.secrets.key_file import FileKeys
from wellhead.secrets.key_variable import VariableKeys
from wellhead.secrets.keyring import KeyProvider
from wellhead.secrets.reference_rules import ReferenceRule
from wellhead.secrets.references import References
from wellhead.settings import Settings
from wellhead.storage.directory import STORE_NAME
from wellhead.storage.files import FileRecordStore
from wellhead.storage.key_service import KeyService
from wellhead.storage.live_keys import KeysState, LiveKeys
from wellhead.storage.records import MAX_RECORD_BYTES, DamagedRecordError, NewerRecordError, decode
from wellhead.storage.service import ConfigurationStorageService
from wellhead.storage.workspace_id import WORKSPACE_FILE
from wellhead.validation.pool import WorkerPool
from wellhead.validation.service import DataSourceValidationService, Defects

_HISTORY = ".history.jsonl"
_MAX_HISTORY_BYTES = 64 << 20


@dataclass(frozen=True, slots=True)
class Wellhead:
    """All parts of one Wellhead, tied together.

    Attributes:
        settings: What they were made from.
        catalog: What can be done with data sources.
        keys: Where the key ring comes from.
        key_service: Lists, makes, changes and retires keys.
        live_keys: The key ring as it is used: not waited for long, the last good one kept.
        token: The token of the REST API.
        uses: The log of uses of secrets.
        store: Where the data sources are kept.
        files: Opens files for data sources.
        pool: Starts the processes that validate.
        plugins: Loads the plugins.
        make_catalog: Makes a catalog for a set of types, of the other parts.
    """

    settings: Settings
    catalog: Catalog
    keys: KeyProvider
    live_keys: LiveKeys
    key_service: KeyService
    token: LocalToken
    uses: UseLog
    store: FileRecordStore
    files: FileGuard
    pool: WorkerPool
    plugins: InstalledPlugins
    make_catalog: Callable[[TypeSet], Catalog]

    @property
    def doctor(self) -> Doctor:
        """What looks over the workspace."""
        return Doctor(
            workspace=self.settings.workspace.expanduser().absolute(),
            catalog=self.catalog,
            store=self.store,
            keys=self.keys,
            key_file=self.settings.key_path if self.settings.keys is None else None,
        )

    async def check(self) -> KeysState:
        """Look whether the store and the key ring can be used.

        Returns:
            `ready`; or `degraded` where the last good key ring stands in for a damaged one, or one out of reach.

        Raises:
            StorageError: The store cannot.
            KeyRingError: The key ring cannot; having none yet is all right.
        """
        await self.store.check()
        return await self.live_keys.state()

    async def check_start(self) -> None:
        """Look whether a service may start, and read the key ring, so that it can go on with it from now on.

        Raises:
            SettingsError: A plugin is bad, and the settings are strict.
            KeyRingDamagedError: The key ring is damaged.
        """
        self.check_plugins()
        try:
            await self.live_keys.ring()
        except KeyRingDamagedError:
            raise
        except KeyRingError:
            return

    def check_plugins(self) -> None:
        """Look whether all plugins are ready, if the settings want that.

        Raises:
            SettingsError: One is broken, in conflict or incompatible; the message names each.
        """
        bad = [report for report in self.catalog.plugins if report.is_bad]
        if bad and self.settings.plugins_strict:
            lines = [f"- {report.distribution} {report.version}: {report.reason} {report.remedy}" for report in bad]
            message = "Plugins that are not ready stop the start, since WELLHEAD_PLUGINS_STRICT is true:"
            raise SettingsError("\n".join([message, *lines, f"To start without one, name it in {DENY}."]))

    def renewed(self) -> Wellhead:
        """Look for plugins again, and return parts that know what is installed now.

        All but the catalog is shared with these parts, which can still be used; close either.
        """
        return replace(self, catalog=self.make_catalog(self.plugins.load()))

    def close(self) -> None:
        """Give back what is held open, and end what runs in other processes."""
        self.pool.close()
        self.files.close()
        self.store.close()


def assemble(
    settings: Settings,
    *,
    registry: DataSourceTypeRegistry | None = None,
    plugins: Iterable[EntryPoint] | None = None,
    defects: Defects | None = None,
) -> Wellhead:
    """Make all parts from the settings.

    Args:
        settings: The settings.
        registry: The types that are there besides those of plugins; none if left out.
        plugins: The entry points to load; those installed if left out.
        defects: Is told what a plugin raised that nobody understood, texts included: for its author's tests.

    Raises:
        SettingsError: The settings do not allow it.
    """
    try:
        workspace = settings.workspace.expanduser().absolute()
    except (OSError, RuntimeError) as error:
        raise SettingsError("The workspace is not there: its directory or the user that it names is gone.") from error
    if not workspace.is_dir():
        raise SettingsError(f"The workspace {workspace} is not a directory. Make it, or name another with --workspace.")
    own = [registry.describe(name) for name in registry.list_types()] if registry is not None else ()
    choice = PluginChoice.of(settings.plugins_allow, settings.plugins_deny, settings.plugins_prefer)
    installed = InstalledPlugins(own, plugins, choice=choice, trials=Trials(settings.trials_path))
    store_path = workspace / STORE_NAME
    store = FileRecordStore(workspace, kept_revisions=settings.history)
    keys = _keys(settings, store_path)
    live_keys = LiveKeys(keys)
    forbidden = (settings.key_path, settings.token_path, store_path)
    files = _guard(workspace, settings, forbidden)
    references = References(
        names=settings.reference_env,
        directories=settings.reference_dirs,
        rules=_reference_rules(settings),
        forbidden=forbidden,
    )
    pool = WorkerPool(
        rules={
            "egress": _egress(settings).as_document(),
            "hidden": [str(path) for path in forbidden],
            "memory": settings.validation_memory << 20,
            "texts": defects is not None,
        },
        workers=settings.validation_workers,
        waiting=settings.validation_queue,
    )
    make_catalog = partial(
        _catalog,
        store=store,
        keys=live_keys,
        pool=pool,
        files=files,
        references=references,
        timeout=settings.validation_timeout,
        defects=defects,
    )
    return Wellhead(
        settings=settings,
        catalog=make_catalog(installed.load()),
        keys=keys,
        live_keys=live_keys,
        key_service=KeyService(store, live_keys),
        token=LocalToken(settings.token_path, settings.token),
        uses=UseLog(settings.config_dir / "uses.jsonl", workspace),
        store=store,
        files=files,
        pool=pool,
        plugins=installed,
        make_catalog=make_catalog,
    )


def _catalog(
    types: TypeSet,
    *,
    store: FileRecordStore,
    keys: LiveKeys,
    pool: WorkerPool,
    files: FileGuard,
    references: References,
    timeout: float,
    defects: Defects | None,
) -> Catalog:
    """Tie together what knows the types; nothing in it holds anything open."""
    registry = types.registry
    validation = DataSourceValidationService(
        registry.describe,
        locate=lambda type_name: origin_of(registry.describe(type_name)),
        pool=pool,
        files=files,
        references=references,
        timeout=timeout,
        defects=defects,
    )
    storage = ConfigurationStorageService(store, keys, registry.find, acting=local_user)
    return Catalog(registry=registry, plugins=types.reports, storage=storage, validation=validation)


def _keys(settings: Settings, store: Path) -> KeyProvider:
    """Return where the key ring comes from: a file, or a variable."""
    if settings.keys is None:
        return FileKeys(settings.key_path, may_create=lambda: not _has_secrets(store), not_below=store)
    if settings.key_file is not None:
        raise SettingsError("WELLHEAD_KEYS and WELLHEAD_KEY_FILE are both set. Keep the one that holds the key ring.")
    return VariableKeys(settings.keys)


def _reference_rules(settings: Settings) -> list[ReferenceRule]:
    try:
        return [ReferenceRule.from_text(text) for text in settings.reference_allow]
    except ValueError as error:
        raise SettingsError(f"WELLHEAD_REFERENCE_ALLOW: {error}.") from None


def _guard(workspace: Path, settings: Settings, forbidden: Iterable[Path]) -> FileGuard:
    try:
        return FileGuard(workspace, settings.file_roots, forbidden=forbidden)
    except OSError as error:
        raise SettingsError(f"WELLHEAD_FILE_ROOTS: {error.filename} cannot be opened as a directory.") from error


def _egress(settings: Settings) -> EgressPolicy:
    try:
        return EgressPolicy.parse(settings.egress_allow, settings.egress_deny, public_only=False)
    except EgressRuleError as error:
        raise SettingsError(f"WELLHEAD_EGRESS_{error.side.upper()}: {error}") from error


def _has_secrets(store: Path) -> bool:
    """Tell whether anything is encrypted in a store; what cannot be read counts as encrypted."""
    try:
        return any(_may_hold_secrets(path) for path in store.iterdir() if path.name.endswith((".json", _HISTORY)))
    except FileNotFoundError:
        return False


def _may_hold_secrets(path: Path) -> bool:
    if path.name == WORKSPACE_FILE:
        return False
    try:
        if path.name.endswith(_HISTORY):
            content, _ = durable.read_file(path, _MAX_HISTORY_BYTES)
            return b'"box"' in content or len(content) > _MAX_HISTORY_BYTES
        content, _ = durable.read_file(path, MAX_RECORD_BYTES)
        return bool(decode(content, path.name.partition(".")[0]).secrets)  # of a backup, too
    except (OSError, DamagedRecordError, NewerRecordError):
        return True
