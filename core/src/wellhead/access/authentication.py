"""Who sends a request: what every way of telling by its token has in common, and the way of local mode."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from wellhead.access.principal import Principal
from wellhead.access.token import LocalToken


class Authenticator(Protocol):
    """Tells by a token who sends a request."""

    async def principal_of(self, presented: bytes) -> Principal | None:
        """Return whose token it is; None, without a reason, if it is nobody's."""


@dataclass(frozen=True, slots=True)
class LocalAuthenticator:
    """Knows one token, of one user.

    Attributes:
        token: The token.
        principal: Whose it is.
    """

    token: LocalToken
    principal: Principal

    async def principal_of(self, presented: bytes) -> Principal | None:
        """Return the user, if it is the token."""
        return self.principal if self.token.fits(presented) else None
