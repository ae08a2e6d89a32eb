"""The app of the moment: exchanged while requests go on, when plugins were installed or removed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine
from functools import partial
from typing import Any

from wellhead.api.app import Reload, create_app
from wellhead.api.gate import App, Message, Receive, Scope, Send
from wellhead.api.telemetry.exposition import Exposition
from wellhead.api.telemetry.metrics import Metrics
from wellhead.api.telemetry.peers import Peers
from wellhead.api.telemetry.tracing import Tracing
from wellhead.catalog.catalog import Catalog
from wellhead.catalog.rechecks import Rechecks
from wellhead.service import Service

Work = Coroutine[Any, Any, None]


class LiveApp:
    """Passes each request to the app that there is when it comes (ASGI); it is answered by that one to its end."""

    def __init__(self, service: Service, peers: Peers | None = None, tracing: Tracing | None = None) -> None:
        """Serve what a service is made of, and later what is put in its place.

        Args:
            service: What it is made of.
            peers: The other processes of the service, where there are several.
            tracing: Traces requests and validations, where that is wanted.
        """
        self.service = service
        self.is_stopping = False
        """Whether the service is about to end: `/readyz` says so, and no connection is kept."""
        self.peers = peers
        self.metrics = Metrics(service.pool)
        self.exposition = Exposition(self.metrics, peers)
        self.tracing = tracing
        service.watchers.add(self.metrics.saw_validation)
        if tracing is not None:
            service.watchers.add(tracing.saw_validation)
        self.reload: Reload = self.renew
        """Looks for plugins in each process of the service; where there are several, something else than `renew`."""
        self._lock = asyncio.Lock()
        self._app = self._make(service)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if self.is_stopping:
            scope.setdefault("state", {})["is_stopping"] = True
            send = _last(send)
        await self._app(scope, receive, send)

    async def renew(self) -> Service:
        """Look for plugins in this process, put an app that knows them in place of this one, and return its service.

        The look runs in a thread; requests are answered meanwhile.
        """
        async with self._lock:
            service = await asyncio.to_thread(self.service.renewed)
            self._app = self._make(service)
            self.service = service
            return service

    def background(self) -> list[Callable[[], Work]]:
        """Return what begins each work that goes on beside requests in this process."""
        works: list[Callable[[], Work]] = []
        if (seconds := self.service.settings.recheck_seconds) > 0:
            works.append(partial(Rechecks(seconds=seconds).run, self.catalogs))
        if self.peers is not None:
            works.append(partial(self.peers.serve, self.exposition.of_this_process))
        return works

    async def catalogs(self) -> AsyncGenerator[Catalog, None]:
        """Go through the catalogs of all workspaces, each open only while it is its turn."""
        for name in await asyncio.to_thread(self.service.workspaces):
            async with self.service.workspace(name) as wellhead:
                yield wellhead.catalog

    def _make(self, service: Service) -> App:
        return create_app(service, self._reload, metrics=self.metrics, exposition=self.exposition, tracing=self.tracing)

    async def _reload(self) -> Service:
        return await self.reload()


def _last(send: Send) -> Send:
    """Close the connection after an answer, so that its client comes back elsewhere."""

    async def close(message: Message) -> None:
        if message["type"] == "http.response.start":
            message["headers"] = [*message["headers"], (b"connection", b"close")]
        await send(message)

    return close
