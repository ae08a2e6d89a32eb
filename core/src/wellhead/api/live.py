"""The app of the moment: exchanged while requests go on, when plugins were installed or removed."""

from __future__ import annotations

import asyncio

from wellhead.api.app import Reload, create_app
from wellhead.api.gate import Receive, Scope, Send
from wellhead.service import Service


class LiveApp:
    """Passes each request to the app that there is when it comes (ASGI); it is answered by that one to its end."""

    def __init__(self, service: Service) -> None:
        """Serve what a service is made of, and later what is put in its place.

        Args:
            service: What it is made of.
        """
        self.service = service
        self.reload: Reload = self.renew
        """Looks for plugins in each process of the service; where there are several, something else than `renew`."""
        self._lock = asyncio.Lock()
        self._app = create_app(service, self._reload)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        await self._app(scope, receive, send)

    async def renew(self) -> Service:
        """Look for plugins in this process, put an app that knows them in place of this one, and return its service.

        The look runs in a thread; requests are answered meanwhile.
        """
        async with self._lock:
            service = await asyncio.to_thread(self.service.renewed)
            self._app = create_app(service, self._reload)
            self.service = service
            return service

    async def _reload(self) -> Service:
        return await self.reload()
