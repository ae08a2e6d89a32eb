"""Validating against changed conversations: whatever a server says, the result is one that can be shown."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass

from support.canary import Canary
from wellhead.codes import CODES
from wellhead.model.result import ValidationResult
from wellhead.testing import servers

AT_ONCE = 16
DEADLINE = 0.4
"""Seconds for a validation; most servers that are changed leave it waiting for the rest of a message."""
LATEST = 20.0
"""Seconds after which a validation hangs, also on a machine that is busy."""

Validate = Callable[[int], Awaitable[ValidationResult]]
"""Validates against a port, within `DEADLINE`."""

_WORD = re.compile(r"[A-Za-z0-9_.-]{6,}")


@dataclass(frozen=True)
class Claims:
    """What holds of each result.

    Attributes:
        canary: Has given out the secrets that are sent; no result has them.
        hides_login: The servers do not get to know the secret, either.
        own_texts: Texts that a result may have: the plugin's own.
    """

    canary: Canary
    hides_login: bool
    own_texts: str

    def hold(self, turns: Sequence[servers.Turn], result: ValidationResult, received: bytes) -> None:
        """Claim it."""
        shown = json.dumps(result.as_document(), ensure_ascii=False)
        codes = {check.code for check in result.checks if check.code is not None}
        assert codes <= CODES.keys() - {"plugin_error", "check_failed"}, (turns, codes)
        assert result.status in {"passed", "warning", "failed", "timeout"}, turns
        assert not self._leaked(turns, result, shown), turns
        self.canary.saw(shown)
        if self.hides_login:
            self.canary.saw(received)

    def _leaked(self, turns: Sequence[servers.Turn], result: ValidationResult, shown: str) -> set[str]:
        """Return the server's words that are shown, but for facts that are made sure of, and words of ours."""
        ours = self.own_texts + str(CODES) + str(list(result.details.values()))
        said = _WORD.findall(b" ".join(turn.says for turn in turns).decode("latin-1"))
        return {word for word in said if word in shown and word not in ours}


async def withstand(conversations: Iterable[Sequence[servers.Turn]], validate: Validate, claims: Claims) -> set[str]:
    """Validate against each conversation, several at once, and return the codes that came."""
    turn, codes = asyncio.Semaphore(AT_ONCE), set()

    async def one(turns: Sequence[servers.Turn]) -> None:
        async with turn:
            with servers.replaying(turns) as server:
                async with asyncio.timeout(LATEST):
                    result = await validate(server.port)
        claims.hold(turns, result, server.received)
        codes.update(check.code for check in result.checks if check.code)

    await asyncio.gather(*(one(turns) for turns in conversations))
    return codes
