"""Running the service in this process, and a clean end."""

from __future__ import annotations

import asyncio
import gc
import signal
import socket
import time
from collections.abc import Callable, Sequence
from functools import partial
from types import FrameType
from typing import Any

import uvicorn

from wellhead.api.live import LiveApp, Work
from wellhead.api.serving.connections import Connection, end_those_that_wait
from wellhead.api.serving.listener import GRACE
from wellhead.api.serving.proxies import RealAddresses
from wellhead.api.serving.taking import take_connections

_LOOK_SECONDS = 0.05
_BACKLOG = 2048


def run(app: LiveApp, listener: socket.socket, *, announce: Callable[[], None]) -> None:
    """Serve until SIGTERM or SIGINT; requests in flight get ten seconds to finish.

    Before, for the seconds of the setting `shutdown_delay`, `/readyz` answers 503 and all else goes on, so that a load
    balancer can turn away. A second signal ends that.

    Args:
        app: What answers.
        listener: The socket to listen on.
        announce: Called when the service answers.
    """
    server = make(app, announce=announce)
    gc.freeze()  # what there is now stays: who looks for garbage need not go over it
    app.service.start_background()
    # uvicorn ends gracefully and then raises the signal once more, which is not to kill; one before its start counts.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, server.handle_exit)
    server.run(sockets=[listener])
    if app.tracing is not None:
        app.tracing.close()


def make(app: LiveApp, *, announce: Callable[[], None]) -> uvicorn.Server:
    """Make the server, ready to run; `announce` is called when it answers."""
    settings = app.service.settings
    background = app.background()
    config = uvicorn.Config(
        RealAddresses(app) if settings.behind_proxy else app,
        # Always this one, and no WebSockets, whatever else is installed: what it refuses is tested.
        http=partial(Connection, most=settings.connections),  # type: ignore[arg-type]  # whatever makes a protocol
        ws="none",
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
    server = _Server(config, app, announce, background)
    background.append(partial(end_those_that_wait, server.server_state.connections, settings.body_timeout))
    return server


class _Server(uvicorn.Server):
    """A server that says when it answers, and does other work meanwhile."""

    def __init__(
        self,
        config: uvicorn.Config,
        app: LiveApp,
        announce: Callable[[], None],
        background: Sequence[Callable[[], Work]],
    ) -> None:
        super().__init__(config)
        self._app = app
        self._is_hurried = False
        self._announce = announce
        self._background = background
        self._tasks: list[asyncio.Task[None]] = []

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, and say so."""
        await super().startup([])
        for listener in sockets or ():
            listener.listen(_BACKLOG)
        work = [*(self._take(listener) for listener in sockets or ()), *(begin() for begin in self._background)]
        self._tasks = [asyncio.create_task(part) for part in work]
        self._announce()

    async def _take(self, listener: socket.socket) -> None:
        """Take connections of a socket. Of those that come at once, uvicorn would take all."""
        protocol: Any = self.config.http_protocol_class
        settings, state = self._app.service.settings, self.server_state
        await take_connections(
            listener,
            partial(protocol, config=self.config, server_state=state, app_state=self.lifespan.state),
            state.connections,
            is_shared=settings.workers > 1,
            tls=self.config.ssl,
            seconds=settings.body_timeout,
        )

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Wait until load balancers have turned away; then end the other work, the requests, and what they used."""
        self._app.is_stopping = True
        until = time.monotonic() + self._app.service.settings.shutdown_delay
        while not self._is_hurried and time.monotonic() < until:  # noqa: ASYNC110  # a signal's handler ends it
            await asyncio.sleep(_LOOK_SECONDS)
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await super().shutdown(sockets)
        await self._app.service.limits.close()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Take in a signal: the first one ends the service, a second one makes it hurry."""
        self._is_hurried = self.should_exit
        super().handle_exit(sig, frame)
