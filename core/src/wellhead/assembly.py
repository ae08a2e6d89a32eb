"""The one module that knows all parts of a workspace: it makes them from the settings, and ties them together."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from importlib.metadata import EntryPoint
from pathlib import Path

from wellhead.access.audit import Audit
from wellhead.access.audit_log import AuditLog
from wellhead.access.authentication import Authenticator, LocalAuthenticator
from wellhead.access.failed_logins import FailedLogins
from wellhead.access.limits import Limits
from wellhead.access.principal import Principal, acting_user, local_user
from wellhead.access.signing import Signer, TokenKeys
from wellhead.access.token import LocalToken
from wellhead.assembled import Wellhead
from wellhead.catalog.catalog import Catalog
from wellhead.guard.files import FileGuard
from wellhead.parts import (
    audit_log,
    egress_policy,
    file_guard,
    has_secrets,
    installed_plugins,
    key_provider,
    limits,
    local_workspace,
    place_in_log,
    reference_rules,
    worker_pool,
)
from wellhead.plugins.installed import InstalledPlugins, TypeSet
from wellhead.plugins.origin import origin_of
from wellhead.plugins.registry import DataSourceTypeRegistry
from wellhead.secrets.keyring import KeyProvider
from wellhead.secrets.references import References
from wellhead.settings import Settings
from wellhead.storage.disk.directory import STORE_NAME
from wellhead.storage.files.store import FileRecordStore
from wellhead.storage.key_service import KeyService
from wellhead.storage.live_keys import LiveKeys
from wellhead.storage.service import ConfigurationStorageService
from wellhead.validation.pool import WorkerPool
from wellhead.validation.service import DataSourceValidationService, Defects
from wellhead.validation.slots import Groups
from wellhead.validation.watching import Watchers


@dataclass(frozen=True, slots=True)
class Shared:
    """What all workspaces of one process have in common.

    Attributes:
        settings: The settings.
        keys: Where the key ring comes from.
        live_keys: The key ring as it is used.
        token: The token of the settings, or of the configuration directory.
        authenticator: Tells by a token who sends a request.
        limits: How often who may do what.
        signer: Signs cursors.
        failed_logins: Counts the tokens that were nobody's.
        audit_log: Where it is written who did what.
        references: Looks references to secrets up.
        forbidden: What is never opened for a data source.
        pool: Starts the processes that validate.
        plugins: Loads the plugins.
        watchers: Those who are told of each validation that has ended.
        defects: Is told what a plugin raised that nobody understood.
    """

    settings: Settings
    keys: KeyProvider
    live_keys: LiveKeys
    token: LocalToken
    authenticator: Authenticator
    limits: Limits
    signer: Signer
    failed_logins: FailedLogins
    audit_log: AuditLog
    references: References
    forbidden: tuple[Path, ...]
    pool: WorkerPool
    plugins: InstalledPlugins
    watchers: Watchers
    defects: Defects | None = None

    def furnish(self, workspace: Path, types: TypeSet) -> Wellhead:
        """Make the parts of one workspace.

        Args:
            workspace: Its directory.
            types: The types that there are.

        Raises:
            SettingsError: Its directory, or a root for files, cannot be opened.
        """
        settings = self.settings.model_copy(update={"workspace": workspace})
        forbidden = (*self.forbidden, workspace / STORE_NAME)
        files = file_guard(workspace, settings, forbidden)
        store = FileRecordStore(workspace, kept_revisions=settings.history, quota=settings.quota)
        name = place_in_log(settings, workspace).workspace
        audit = Audit(self.audit_log, name, is_required=settings.audit_required)
        make_catalog = partial(_catalog, store=store, files=files, audit=audit, shared=self)
        return Wellhead(
            settings=settings,
            catalog=make_catalog(types),
            keys=self.keys,
            live_keys=self.live_keys,
            key_service=KeyService(store, self.live_keys),
            token=self.token,
            authenticator=self.authenticator,
            limits=self.limits,
            signer=self.signer,
            failed_logins=self.failed_logins,
            audit=audit,
            audit_log=self.audit_log,
            store=store,
            files=files,
            pool=self.pool,
            plugins=self.plugins,
            watchers=self.watchers,
            make_catalog=make_catalog,
        )


def assemble(
    settings: Settings,
    *,
    registry: DataSourceTypeRegistry | None = None,
    plugins: Iterable[EntryPoint] | None = None,
    defects: Defects | None = None,
) -> Wellhead:
    """Make all parts from the settings, for the one workspace of local mode.

    Args:
        settings: The settings.
        registry: The types that are there besides those of plugins; none if left out.
        plugins: The entry points to load; those installed if left out.
        defects: Is told what a plugin raised that nobody understood, texts included: for its author's tests.

    Raises:
        SettingsError: The settings do not allow it.
    """
    workspace = local_workspace(settings)
    store = workspace / STORE_NAME
    own = [registry.describe(name) for name in registry.list_types()] if registry is not None else ()
    forbidden = settings.private_files
    hidden = (*forbidden, store)
    token = LocalToken(settings.token_path, settings.token)
    keys = key_provider(settings, may_create=lambda: not has_secrets(store), not_below=store)
    place = place_in_log(settings, workspace)
    log = audit_log(settings, place.file)
    shared = Shared(
        settings=settings,
        keys=keys,
        live_keys=LiveKeys(keys),
        token=token,
        authenticator=LocalAuthenticator(token, Principal(local_user(), str(workspace), "admin", is_operator=True)),
        limits=limits(settings),
        signer=Signer(TokenKeys(token)),
        failed_logins=FailedLogins(log, place.workspace),
        audit_log=log,
        references=References(
            names=settings.reference_env,
            directories=settings.reference_dirs,
            rules=reference_rules(settings),
            forbidden=hidden,
        ),
        forbidden=forbidden,
        pool=worker_pool(settings, egress_policy(settings, public_only=False), hidden, texts=defects is not None),
        plugins=installed_plugins(settings, own, plugins),
        watchers=Watchers(),
        defects=defects,
    )
    return shared.furnish(workspace, shared.plugins.load())


def _catalog(types: TypeSet, *, store: FileRecordStore, files: FileGuard, audit: Audit, shared: Shared) -> Catalog:
    """Tie together what knows the types; nothing in it holds anything open."""
    registry = types.registry
    validation = DataSourceValidationService(
        registry.describe,
        locate=lambda type_name: origin_of(registry.describe(type_name)),
        pool=shared.pool,
        files=files,
        references=shared.references,
        timeout=shared.settings.validation_timeout,
        defects=shared.defects,
        watchers=shared.watchers,
        groups=partial(_share_of_user, shared.settings),
    )
    storage = ConfigurationStorageService(
        store, shared.live_keys, registry.find, acting=acting_user, noting=audit.noting
    )
    return Catalog(registry=registry, plugins=types.reports, storage=storage, validation=validation)


def _share_of_user(settings: Settings) -> Groups:
    """Return what the processes of whoever acts now count for: where several do, each leaves some to the others."""
    return () if settings.root is None else ((acting_user(), max(1, settings.validation_workers * 3 // 4)),)
