"""What the REST API is a face of: the one workspace of local mode, or those of several users."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from typing import Protocol, Self

from wellhead.access.authentication import Authenticator
from wellhead.access.failed_logins import FailedLogins
from wellhead.access.limits import Limits
from wellhead.assembled import Wellhead
from wellhead.assembly import assemble
from wellhead.plugins.installed import TypeSet
from wellhead.settings import Settings
from wellhead.storage.live_keys import KeysState
from wellhead.team import assemble_team
from wellhead.validation.pool import WorkerPool
from wellhead.validation.watching import Watchers


class Service(Protocol):
    """What a service is made of, whatever its mode."""

    @property
    def settings(self) -> Settings:
        """What it was made from."""

    @property
    def authenticator(self) -> Authenticator:
        """What tells by a token who sends a request."""

    @property
    def limits(self) -> Limits:
        """How often who may do what."""

    @property
    def failed_logins(self) -> FailedLogins:
        """What counts the tokens that were nobody's."""

    @property
    def types(self) -> TypeSet:
        """The types, and what became of each plugin."""

    @property
    def pool(self) -> WorkerPool:
        """What starts the processes that validate."""

    @property
    def watchers(self) -> Watchers:
        """Those who are told of each validation that has ended."""

    def workspace(self, name: str, /) -> AbstractAsyncContextManager[Wellhead]:
        """Give the parts to work with in a workspace.

        Raises:
            StorageError: It cannot be opened.
        """

    def workspaces(self) -> list[str]:
        """Return the names of all workspaces."""

    async def check(self) -> KeysState:
        """Look whether the store and the key ring can be used.

        Raises:
            StorageError: The store cannot.
            KeyRingError: The key ring cannot.
        """

    async def check_start(self) -> None:
        """Look whether the service may start.

        Raises:
            SettingsError: It may not.
        """

    def renewed(self) -> Self:
        """Look for plugins again, and return what knows what is installed now; close either."""

    def start_background(self) -> None:
        """Start what goes on beside requests, until this is closed."""

    def close(self) -> None:
        """Give back what is held open, and end what runs in other processes."""


def make_service(settings: Settings) -> Service:
    """Make a service: for several users, if the settings name the root of their workspaces; else of local mode.

    Raises:
        SettingsError: The settings do not allow it.
    """
    return assemble(settings) if settings.root is None else assemble_team(settings)
