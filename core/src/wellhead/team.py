"""The parts of a service for several users: their workspaces below one root, opened when they are needed."""

from __future__ import annotations

import asyncio
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, replace
from pathlib import Path

from wellhead import durable
from wellhead.access.authentication import AnyOf, Authenticator, LocalAuthenticator
from wellhead.access.failed_logins import FailedLogins
from wellhead.access.issued_tokens import IssuedTokens
from wellhead.access.principal import Principal, is_workspace_name
from wellhead.access.signing import RingKeys, Signer
from wellhead.access.token import LocalToken
from wellhead.access.token_store import TokenStore
from wellhead.assembled import Wellhead
from wellhead.assembly import Shared
from wellhead.errors import KeyRingMissingError, SettingsError, StoreUnavailableError
from wellhead.parts import (
    audit_log,
    check_plugins,
    egress_policy,
    installed_plugins,
    key_provider,
    limits,
    reference_rules,
    worker_pool,
)
from wellhead.plugins.installed import TypeSet
from wellhead.secrets.references import References
from wellhead.settings import Settings
from wellhead.storage.live_keys import KeysState, LiveKeys
from wellhead.validation.watching import Watchers

ADMINISTRATOR = Principal("admin", "admin", "admin", is_operator=True)
"""Whose the token of the settings is."""

_IDLE = 64
"""How many workspaces are kept open that nobody uses at the moment."""


@dataclass(slots=True)
class _Opened:
    """A workspace that is open.

    Attributes:
        parts: Its parts.
        users: How many requests work in it.
    """

    parts: Wellhead
    users: int = 0


class Team:
    """Several users, each in one of several workspaces; nothing leads from one workspace to another."""

    def __init__(self, root: Path, shared: Shared) -> None:
        """Open workspaces below a root.

        Args:
            root: Their directory.
            shared: What they have in common.
        """
        self.settings = shared.settings
        self.authenticator = shared.authenticator
        self.pool = shared.pool
        self.watchers = shared.watchers
        self.limits = shared.limits
        self.failed_logins = shared.failed_logins
        self.types: TypeSet = shared.plugins.load()
        self._root = root
        self._shared = shared
        self._opened: dict[str, _Opened] = {}
        self._turn = asyncio.Lock()
        self._sweeps = False

    async def check(self) -> KeysState:
        """Look whether the root and the key ring can be used.

        Raises:
            StoreUnavailableError: The root cannot.
            KeyRingError: The key ring cannot.
        """
        if not await asyncio.to_thread(self._root.is_dir):
            raise StoreUnavailableError(f"The root {self._root} was moved or removed. Put it back.")
        await self._shared.live_keys.ring()  # having none yet is all right in local mode only
        return await self._shared.live_keys.state()

    async def check_start(self) -> None:
        """Look whether a service may start; it makes no key ring by itself.

        Raises:
            SettingsError: A plugin is bad, and the settings are strict.
            KeyRingError: There is no key ring that can be used.
        """
        check_plugins(self.settings, self.types)
        try:
            await self._shared.live_keys.ring()
        except KeyRingMissingError as error:
            raise KeyRingMissingError(
                f"{error.message} A service for several users makes none by itself: 'wellhead keys add --primary' "
                "makes one. Keep a copy of it elsewhere."
            ) from error

    def renewed(self) -> Team:
        """Look for plugins again; workspaces know them from their next request on."""
        self.types = self._shared.plugins.load()
        return self

    def workspace(self, name: str) -> AbstractAsyncContextManager[Wellhead]:
        """Give the parts to work with in a workspace, which stays open meanwhile.

        Args:
            name: Its name. A directory is made for one that is new.

        Raises:
            StorageError: It cannot be opened.
        """
        return _Visit(self, name)

    def workspaces(self) -> list[str]:
        """Return the names of all workspaces."""
        return sorted(path.name for path in self._root.iterdir() if is_workspace_name(path.name) and path.is_dir())

    def start_background(self) -> None:
        """Sweep the index of each workspace that is open, until it is closed."""
        self._sweeps = True

    def close(self) -> None:
        """Give back what is held open, and end what runs in other processes."""
        self._shared.pool.close()
        while self._opened:
            self._opened.popitem()[1].parts.close_workspace()
        self.failed_logins.write()
        self._shared.audit_log.close()

    async def enter(self, name: str) -> _Opened:
        """Count a user into a workspace; open it, if it is not."""
        if name not in self._opened:
            async with self._turn:
                if name not in self._opened:
                    self._opened[name] = _Opened(await asyncio.to_thread(self._open, name))
        opened = self._opened.pop(name)
        self._opened[name] = opened  # at the end: the one that was used last
        opened.users += 1
        if opened.parts.types.registry is not self.types.registry:
            opened.parts = replace(opened.parts, catalog=opened.parts.make_catalog(self.types))
        return opened

    async def leave(self, left: _Opened) -> None:
        """Count a user out; close workspaces that nobody has used for the longest time, until few are left."""
        left.users -= 1
        if len(self._opened) <= _IDLE:
            return
        idle = [name for name, opened in self._opened.items() if not opened.users]
        for name in idle[: max(0, len(idle) - _IDLE)]:
            opened = self._opened.pop(name)
            await asyncio.to_thread(opened.parts.close_workspace)

    def _open(self, name: str) -> Wellhead:
        if not is_workspace_name(name):
            raise StoreUnavailableError("No workspace can have this name.")
        path = self._root / name
        try:
            if not self._root.is_dir():
                raise FileNotFoundError
            durable.make_directory(path)
            parts = self._shared.furnish(path, self.types)
        except (OSError, SettingsError) as error:
            raise StoreUnavailableError(f"The workspace {name} cannot be opened.") from error
        if self._sweeps:
            parts.start_background()
        return parts


class _Visit(AbstractAsyncContextManager[Wellhead]):
    """The use of one workspace."""

    def __init__(self, team: Team, name: str) -> None:
        self._team = team
        self._name = name

    async def __aenter__(self) -> Wellhead:
        self._opened = await self._team.enter(self._name)
        return self._opened.parts

    async def __aexit__(self, *_raised: object) -> None:
        await self._team.leave(self._opened)


def assemble_team(settings: Settings) -> Team:
    """Make the parts of a service for several users from the settings.

    Raises:
        SettingsError: The settings do not allow it.
    """
    root = _root(settings)
    keys = key_provider(settings, may_create=lambda: False, not_below=root)
    live_keys, log = LiveKeys(keys), audit_log(settings)
    token = LocalToken(settings.token_path, settings.token)
    hidden = (*settings.private_files, root)
    shared = Shared(
        settings=settings,
        keys=keys,
        live_keys=live_keys,
        token=token,
        authenticator=_authenticator(settings, root, token),
        limits=limits(settings),
        signer=Signer(RingKeys(live_keys)),
        failed_logins=FailedLogins(log, ""),
        audit_log=log,
        references=References(mode="server", rules=reference_rules(settings), forbidden=hidden),
        forbidden=settings.private_files,
        pool=worker_pool(settings, egress_policy(settings, public_only=True), hidden),
        plugins=installed_plugins(settings),
        watchers=Watchers(),
    )
    return Team(root, shared)


def _root(settings: Settings) -> Path:
    if settings.root is None or not settings.root.is_dir():
        raise SettingsError(f"The root {settings.root} is not a directory. Make it, or name another with --root.")
    root = settings.root.resolve()
    for place in map(Path.resolve, settings.file_roots):
        if place.is_relative_to(root) or root.is_relative_to(place):
            message = f"WELLHEAD_FILE_ROOTS: {place} overlaps with the root {root}, so that workspaces could be read."
            raise SettingsError(message)
    return root


def _authenticator(settings: Settings, root: Path, token: LocalToken) -> Authenticator:
    """Return what knows issued tokens, and, if the settings have them, their token and an issuer's."""
    ways: list[Authenticator] = [IssuedTokens(TokenStore(root))]
    if settings.token is not None:
        ways.append(LocalAuthenticator(token, ADMINISTRATOR))
    if settings.oidc_issuer is not None:
        ways.append(_issuer(settings))
    return AnyOf(ways)


def _issuer(settings: Settings) -> Authenticator:
    try:
        from wellhead.access.oidc import OpenIdConnect  # noqa: PLC0415  # an extra, of which few have need
    except ImportError as error:
        message = "WELLHEAD_OIDC_ISSUER needs a library that is not installed: pip install 'wellhead[oidc]'"
        raise SettingsError(message) from error
    return OpenIdConnect(settings)
