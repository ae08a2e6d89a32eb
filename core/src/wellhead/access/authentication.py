"""Who sends a request: what every way of telling by its token has in common, and the way of local mode."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from wellhead.access.principal import Principal
from wellhead.access.token import LocalToken

MAX_TOKEN_BYTES = 8192
"""What is longer is not looked at."""


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


@dataclass(frozen=True, slots=True)
class AnyOf:
    """Asks one after the other; a text that is absurdly long is nobody's token.

    Attributes:
        ways: What is asked.
    """

    ways: Sequence[Authenticator]

    async def principal_of(self, presented: bytes) -> Principal | None:
        """Return what the first says who knows the token."""
        if len(presented) > MAX_TOKEN_BYTES:
            return None
        for way in self.ways:
            found = await way.principal_of(presented)
            if found is not None:
                return found
        return None
