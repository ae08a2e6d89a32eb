"""What a reverse proxy says of its clients."""

from __future__ import annotations

import ipaddress
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

Scope = MutableMapping[str, Any]
App = Callable[[Scope, Any, Any], Awaitable[None]]


class RealAddresses:
    """Takes for the address of a client what is one: a proxy may pass on whatever the client wrote (ASGI)."""

    def __init__(self, app: App) -> None:
        """Stand in front of an app, behind what reads `X-Forwarded-For`."""
        self._app = app

    async def __call__(self, scope: Scope, receive: Any, send: Any) -> None:
        """Pass a request on."""
        if scope.get("client") is not None and not _is_address(scope["client"][0]):
            scope["client"] = None
        await self._app(scope, receive, send)


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
