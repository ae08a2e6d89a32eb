"""On whose behalf something is done: a user, in one workspace, with one role."""

from __future__ import annotations

import getpass
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cache

from wellhead.access.policy import OF_THE_SERVICE, Permission, Role, may

_USER = re.compile(r"[\x21-\x7e]{1,255}")
_WORKSPACE = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")


@dataclass(frozen=True, slots=True)
class Principal:
    """Who makes a request, as the token says.

    Attributes:
        user: The user's name.
        workspace: The name of the one workspace that there is for this user; in local mode its directory.
        role: What the user is there.
        is_operator: Whether the user runs the service: in local mode its user, else who has the token of the settings.
    """

    user: str
    workspace: str
    role: Role
    is_operator: bool = False

    def may(self, permission: Permission) -> bool:
        """Tell whether the user may do something."""
        return may(self.role, permission) and (self.is_operator or permission not in OF_THE_SERVICE)


def is_user_name(text: str) -> bool:
    """Tell whether a text may name a user: 1 to 255 visible ASCII characters, as a subject of OpenID Connect has."""
    return _USER.fullmatch(text) is not None


def is_workspace_name(text: str) -> bool:
    """Tell whether a text may name a workspace: small letters, digits and hyphens; it is the name of a directory."""
    return _WORKSPACE.fullmatch(text) is not None


_ACTING: ContextVar[Principal | None] = ContextVar("wellhead_acting", default=None)


@contextmanager
def acting_as(principal: Principal | None) -> Iterator[None]:
    """Do what follows, in this task, on behalf of a principal."""
    before = _ACTING.set(principal)
    try:
        yield
    finally:
        _ACTING.reset(before)


def acting_user() -> str:
    """Return the name of the user on whose behalf this task works: without a request, who runs this process."""
    principal = _ACTING.get()
    return local_user() if principal is None else principal.user


@cache
def local_user() -> str:
    """Return the name of the user of the operating system who runs this."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user may have no name
        return str(os.getuid())
