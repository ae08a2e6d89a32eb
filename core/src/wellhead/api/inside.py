"""The workspace of a request: opened before the request is routed, and kept open until it is answered to its end."""

from __future__ import annotations

from wellhead.api.gate import App, Receive, Scope, Send
from wellhead.service import Service


class InWorkspace:
    """Puts the parts of the workspace of whoever sends a request into its state, as `wellhead` (ASGI)."""

    def __init__(self, app: App, service: Service) -> None:
        """Open workspaces for an app.

        Args:
            app: What answers.
            service: What opens them.
        """
        self._app = app
        self._service = service

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; one that anybody may send has no workspace."""
        principal = scope["state"]["principal"] if scope["type"] == "http" else None
        if principal is None:
            await self._app(scope, receive, send)
            return
        async with self._service.workspace(principal.workspace) as wellhead:
            scope["state"]["wellhead"] = wellhead
            await self._app(scope, receive, send)
