"""Running the service in this process, and a clean end."""

from __future__ import annotations

import asyncio
import signal
import socket
from collections.abc import AsyncGenerator, Awaitable, Callable, Coroutine, Sequence
from functools import partial
from typing import Any, NoReturn

import uvicorn

from wellhead.api.listener import GRACE
from wellhead.api.live import LiveApp
from wellhead.catalog.catalog import Catalog
from wellhead.catalog.rechecks import Rechecks

Work = Coroutine[Any, Any, NoReturn]


def run(app: LiveApp, listener: socket.socket, *, announce: Callable[[], None]) -> None:
    """Serve until SIGTERM or SIGINT; requests in flight get ten seconds to finish.

    Args:
        app: What answers.
        listener: The socket to listen on.
        announce: Called when the service answers.
    """
    server = make(app, announce=announce)
    app.service.start_background()
    # uvicorn ends gracefully and then raises the signal once more, which is not to kill; one before its start counts.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, server.handle_exit)
    server.run(sockets=[listener])


def make(app: LiveApp, *, announce: Callable[[], None]) -> uvicorn.Server:
    """Make the server, ready to run; `announce` is called when it answers."""
    settings = app.service.settings
    seconds = settings.recheck_seconds
    background = [partial(Rechecks(seconds=seconds).run, partial(_catalogs, app))] if seconds > 0 else []
    config = uvicorn.Config(
        app,
        log_config=None,
        access_log=False,
        proxy_headers=settings.behind_proxy,
        forwarded_allow_ips=list(settings.trusted_proxies),
        ssl_certfile=settings.tls_certificate,
        ssl_keyfile=settings.tls_key,
        server_header=False,
        lifespan="off",
        timeout_graceful_shutdown=GRACE,
    )
    return _Server(config, announce, background, app.service.limits.close)


async def _catalogs(app: LiveApp) -> AsyncGenerator[Catalog, None]:
    """Go through the catalogs of all workspaces, each open only while it is its turn."""
    for name in await asyncio.to_thread(app.service.workspaces):
        async with app.service.workspace(name) as wellhead:
            yield wellhead.catalog


class _Server(uvicorn.Server):
    """A server that says when it answers, and does other work meanwhile."""

    def __init__(
        self,
        config: uvicorn.Config,
        announce: Callable[[], None],
        background: Sequence[Callable[[], Work]],
        at_end: Callable[[], Awaitable[None]],
    ) -> None:
        super().__init__(config)
        self._announce = announce
        self._background = background
        self._at_end = at_end
        self._tasks: list[asyncio.Task[NoReturn]] = []

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, and say so."""
        await super().startup(sockets)
        if self.started:
            self._announce()
            self._tasks = [asyncio.create_task(work()) for work in self._background]

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End the other work, then the requests, then what they used."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await super().shutdown(sockets)
        await self._at_end()
