"""All parts of one workspace, tied together: what the faces work with."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

from wellhead.access.audit import Audit
from wellhead.access.audit_log import AuditLog
from wellhead.access.authentication import Authenticator
from wellhead.access.failed_logins import FailedLogins
from wellhead.access.limits import Limits
from wellhead.access.signing import Signer
from wellhead.access.token import LocalToken
from wellhead.catalog.catalog import Catalog
from wellhead.catalog.doctor import Doctor
from wellhead.errors import KeyRingDamagedError, KeyRingError
from wellhead.guard.files import FileGuard
from wellhead.parts import check_plugins
from wellhead.plugins.installed import InstalledPlugins, TypeSet
from wellhead.secrets.keyring import KeyProvider
from wellhead.settings import Settings
from wellhead.storage.files.store import FileRecordStore
from wellhead.storage.key_service import KeyService
from wellhead.storage.live_keys import KeysState, LiveKeys
from wellhead.validation.pool import WorkerPool
from wellhead.validation.watching import Watchers


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
        authenticator: Tells by a token who sends a request: the user of this machine, an administrator.
        limits: How often who may do what.
        signer: Signs cursors.
        failed_logins: Counts the tokens that were nobody's.
        audit: Writes who did what in the workspace.
        audit_log: The file that this is written to.
        store: Where the data sources are kept.
        files: Opens files for data sources.
        pool: Starts the processes that validate.
        plugins: Loads the plugins.
        watchers: Those who are told of each validation that has ended.
        make_catalog: Makes a catalog for a set of types, of the other parts.
    """

    settings: Settings
    catalog: Catalog
    keys: KeyProvider
    live_keys: LiveKeys
    key_service: KeyService
    token: LocalToken
    authenticator: Authenticator
    limits: Limits
    signer: Signer
    failed_logins: FailedLogins
    audit: Audit
    audit_log: AuditLog
    store: FileRecordStore
    files: FileGuard
    pool: WorkerPool
    plugins: InstalledPlugins
    watchers: Watchers
    make_catalog: Callable[[TypeSet], Catalog]

    @property
    def types(self) -> TypeSet:
        """The types, and what became of each plugin."""
        return TypeSet(self.catalog.registry, self.catalog.plugins)

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
        check_plugins(self.settings, self.types)
        try:
            await self.live_keys.ring()
        except KeyRingDamagedError:
            raise
        except KeyRingError:
            return

    def renewed(self) -> Wellhead:
        """Look for plugins again, and return parts that know what is installed now.

        All but the catalog is shared with these parts, which can still be used; close either.
        """
        return replace(self, catalog=self.make_catalog(self.plugins.load()))

    @asynccontextmanager
    async def workspace(self, _name: str) -> AsyncIterator[Wellhead]:
        """Give the parts to work with in a workspace; in local mode there is one."""
        yield self

    def workspaces(self) -> list[str]:
        """Return the names of all workspaces."""
        return [str(self.settings.workspace)]

    def start_background(self) -> None:
        """Start what goes on beside requests, until this is closed."""
        self.store.start_sweeping()

    def close(self) -> None:
        """Give back what is held open, and end what runs in other processes."""
        self.pool.close()
        self.close_workspace()
        self.failed_logins.write()
        self.audit_log.close()

    def close_workspace(self) -> None:
        """Give back what is held open of the workspace alone, and not what several share."""
        self.files.close()
        self.store.close()
