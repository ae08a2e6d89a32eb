"""The app of the moment: exchanged while requests go on, when plugins were installed or removed."""

from __future__ import annotations

import asyncio

from wellhead.api.app import Reload, create_app
from wellhead.api.gate import Receive, Scope, Send
from wellhead.assembly import Wellhead


class LiveApp:
    """Passes each request to the app that there is when it comes (ASGI); it is answered by that one to its end."""

    def __init__(self, wellhead: Wellhead) -> None:
        """Serve the parts of a Wellhead, and later those that are put in their place.

        Args:
            wellhead: The parts.
        """
        self.wellhead = wellhead
        self.reload: Reload = self.renew
        """Looks for plugins in each process of the service; where there are several, something else than `renew`."""
        self._lock = asyncio.Lock()
        self._app = create_app(wellhead, self._reload)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        await self._app(scope, receive, send)

    async def renew(self) -> Wellhead:
        """Look for plugins in this process, put an app that knows them in the place of this one, and return its parts.

        The look runs in a thread; requests are answered meanwhile.
        """
        async with self._lock:
            wellhead = await asyncio.to_thread(self.wellhead.renewed)
            self._app = create_app(wellhead, self._reload)
            self.wellhead = wellhead
            return wellhead

    async def _reload(self) -> Wellhead:
        return await self.reload()
