"""A token that was issued: its form, and what is kept of it, from which nobody can make it again."""

from __future__ import annotations

import hashlib
import json
import re
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, get_args

from wellhead import clock, strict_json
from wellhead.access.policy import Role
from wellhead.access.principal import Principal, is_user_name, is_workspace_name
from wellhead.errors import MalformedJSONError

TOKEN_ID = re.compile(r"[0-9a-f]{16}")
_FORM = re.compile(rb"wh_([0-9a-f]{16})_[A-Za-z0-9_-]{43}")
_DIGEST = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class IssuedToken:
    """What is kept of a token.

    Attributes:
        id: The part of the token that is no secret.
        principal: Whose it is.
        created_at: When it was issued.
        expires_at: When it ends.
        digest: The SHA-256 of the whole token, as hexadecimal digits.
    """

    id: str
    principal: Principal
    created_at: datetime
    expires_at: datetime
    digest: str

    def as_document(self) -> dict[str, Any]:
        """Return what an administrator may see of it."""
        return {
            "id": self.id,
            "user": self.principal.user,
            "workspace": self.principal.workspace,
            "role": self.principal.role,
            "created_at": clock.to_text(self.created_at),
            "expires_at": clock.to_text(self.expires_at),
        }

    def to_bytes(self) -> bytes:
        """Write it as it is kept."""
        return json.dumps({**self.as_document(), "sha256": self.digest}, indent=2).encode() + b"\n"

    @classmethod
    def from_bytes(cls, content: bytes) -> IssuedToken:
        """Read what `to_bytes` has written.

        Raises:
            ValueError: It is something else.
        """
        try:
            found = strict_json.parse_object(content)
            token_id, user, workspace, role, digest = (
                str(found[name]) for name in ("id", "user", "workspace", "role", "sha256")
            )
            created_at, expires_at = (clock.from_text(str(found[name])) for name in ("created_at", "expires_at"))
        except (MalformedJSONError, KeyError) as error:
            raise ValueError("not what is kept of a token") from error
        known_role = next((known for known in get_args(Role) if known == role), None)
        is_named = is_user_name(user) and is_workspace_name(workspace)
        if known_role is None or not is_named or not TOKEN_ID.fullmatch(token_id) or not _DIGEST.fullmatch(digest):
            raise ValueError("not what is kept of a token")
        return cls(token_id, Principal(user, workspace, known_role), created_at, expires_at, digest)


def issue(principal: Principal, lifetime: timedelta) -> tuple[str, IssuedToken]:
    """Make a token of 256 random bits.

    Args:
        principal: Whose it is.
        lifetime: How long it is good for.

    Returns:
        The token, which is not kept anywhere, and what is kept of it.

    Raises:
        OverflowError: It would end after the year 9999.
    """
    token_id, now = secrets.token_hex(8), clock.now()
    token = f"wh_{token_id}_{secrets.token_urlsafe(32)}"
    return token, IssuedToken(token_id, principal, now, now + lifetime, digest_of(token.encode()))


def digest_of(presented: bytes) -> str:
    """Return the SHA-256 of a token, as hexadecimal digits."""
    return hashlib.sha256(presented).hexdigest()


def id_in(presented: bytes) -> str | None:
    """Return the id in what may be a token; None if it has not the form of one."""
    match = _FORM.fullmatch(presented)
    return None if match is None else match[1].decode()
