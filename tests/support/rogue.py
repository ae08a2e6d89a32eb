"""The servers of `wellhead.testing`, for `async with`, where they stand beside servers of other kinds."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator

from wellhead.testing import servers
from wellhead.testing.certificates import Pair
from wellhead.testing.servers.scripts import saying, silent

__all__ = ["Rogue", "Script", "saying", "serve", "server_context", "silent"]

Rogue = servers.RunningServer
Script = servers.Script
server_context = servers.server_context


@contextlib.asynccontextmanager
async def serve(script: Script, *, tls: Pair | None = None, ask_first: bool = True) -> AsyncIterator[Rogue]:
    """Run a server.

    Args:
        script: What it does with each connection; the connection ends with it.
        tls: Its certificate; it then speaks TLS, and `script` comes after the handshake.
        ask_first: Wait for PostgreSQL's question for TLS, and say yes.
    """
    upgrade = servers.POSTGRES_UPGRADE if tls is not None and ask_first else None
    with servers.serve(script, tls=tls, upgrade=upgrade) as server:
        yield server
