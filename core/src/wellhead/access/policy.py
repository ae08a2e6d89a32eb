"""Who may do what: roles, what each permits, and the one function that decides."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

Role = Literal["viewer", "editor", "admin"]
"""What a user is in a workspace."""

Permission = Literal["read", "write", "validate", "audit", "metrics", "plugins", "tokens"]
"""What an operation needs."""

_VIEWER: frozenset[Permission] = frozenset({"read"})
_EDITOR: frozenset[Permission] = _VIEWER | {"write", "validate"}
_ADMIN: frozenset[Permission] = _EDITOR | {"audit", "metrics", "plugins", "tokens"}

PERMITTED: Mapping[Role, frozenset[Permission]] = {"viewer": _VIEWER, "editor": _EDITOR, "admin": _ADMIN}
"""What each role permits."""


OF_THE_SERVICE: frozenset[Permission] = frozenset({"metrics"})
"""What is about all workspaces together, so that it takes more than to be an administrator of one."""


def may(role: Role, permission: Permission) -> bool:
    """Tell whether a role permits something."""
    return permission in PERMITTED[role]


def least_role(permission: Permission) -> Role:
    """Return the role with the fewest rights that permits something."""
    return next(role for role in PERMITTED if may(role, permission))
