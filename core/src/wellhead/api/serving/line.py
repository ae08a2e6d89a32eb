"""The line between a worker of the service and the supervisor: single bytes, each a message."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import threading
from collections import deque
from contextlib import suppress

import structlog

from wellhead import logs
from wellhead.api.live import LiveApp
from wellhead.api.problems import HttpProblem
from wellhead.api.serving.rounds import DONE, FAILED, READY, RELOAD
from wellhead.service import Service

_SECONDS = 120.0
"""How long a request waits until all workers have looked for plugins."""


class Line:
    """A worker's end of the line. When it breaks, the supervisor is gone, and the worker ends."""

    def __init__(self, end: socket.socket) -> None:
        """Listen at an end of a line, in a thread.

        Args:
            end: The socket.
        """
        self._end = end
        self._app: LiveApp | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._waiting: deque[asyncio.Future[bool]] = deque()
        self._tasks: set[asyncio.Task[None]] = set()
        threading.Thread(target=self._listen, name="wellhead-line", daemon=True).start()

    def serve(self, app: LiveApp) -> None:
        """Let an app look for plugins when the supervisor says so, and ask the supervisor when a request does."""
        self._app = app
        app.reload = self._reload_everywhere

    def announce(self) -> None:
        """Say that this worker answers; to be called in its event loop."""
        self._loop = asyncio.get_running_loop()
        self._end.sendall(READY)

    async def _reload_everywhere(self) -> Service:
        """Have all workers look for plugins, this one among them, and return its service once all have."""
        done = asyncio.get_running_loop().create_future()
        self._waiting.append(done)
        self._end.sendall(RELOAD)
        try:
            is_done = await asyncio.wait_for(asyncio.shield(done), _SECONDS)
        except TimeoutError:
            is_done = False
        if not is_done or self._app is None:
            raise HttpProblem(503, "reload_unfinished", {"Retry-After": "5"})
        return self._app.service

    def _listen(self) -> None:
        with suppress(OSError):
            while message := self._end.recv(1):
                # The supervisor says nothing before this worker has said that it answers, so there is a loop.
                if self._loop is not None:
                    self._loop.call_soon_threadsafe(self._heard, message)
        os.kill(os.getpid(), signal.SIGTERM)

    def _heard(self, message: bytes) -> None:
        if message == RELOAD:
            task = asyncio.create_task(self._renew())
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        elif self._waiting and not (done := self._waiting.popleft()).done():
            done.set_result(message == DONE)

    async def _renew(self) -> None:
        """Look for plugins, and say how that went."""
        answer = FAILED
        try:
            if self._app is not None:
                await self._app.renew()
                answer = DONE
        except Exception as error:  # noqa: BLE001  # whatever happens, the others are not to wait for it
            structlog.get_logger("wellhead.plugins").error("reload failed", error=logs.where(error))
        with suppress(OSError):
            self._end.sendall(answer)
