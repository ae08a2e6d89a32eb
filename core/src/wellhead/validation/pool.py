"""The pool of workers: the process that they are forked from is started on demand, and again if it dies."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import Any

from wellhead.guard.files import FileGuard
from wellhead.validation.handle import PluginHungError, WorkerFailedError, WorkerHandle
from wellhead.validation.process import ServerProcess
from wellhead.validation.slots import Slots
from wellhead.validation.wire import Message


class WorkerPool:
    """Starts workers of one service."""

    def __init__(self, *, rules: Message, workers: int, waiting: int) -> None:
        """Start workers on demand.

        Args:
            rules: What holds for them, as `wellhead.forkserver` reads it.
            workers: How many there may be at once.
            waiting: How many validations may wait for one.
        """
        self.slots = Slots(workers, waiting=waiting)
        self.workers = workers
        self._rules = rules
        self._server: ServerProcess | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._starting = asyncio.Lock()
        self._hanging: set[str] = set()

    async def start(self, origin: Mapping[str, Any], files: FileGuard, *, seconds: float) -> WorkerHandle:
        """Start a worker for one type.

        Args:
            origin: Where the type comes from.
            files: Opens files for it.
            seconds: How long it may live, and compute, before it ends itself.

        Raises:
            WorkerFailedError: It could not be started.
        """
        key = json.dumps(origin, sort_keys=True)
        if key in self._hanging:
            raise WorkerFailedError("its plugin hung while it was loaded", is_plugins_fault=True)
        try:
            return await self._fork(origin, files, seconds)
        except PluginHungError:
            self._hanging.add(key)
            raise
        except OSError as error:
            raise WorkerFailedError("no process can be started") from error

    async def _fork(self, origin: Mapping[str, Any], files: FileGuard, seconds: float) -> WorkerHandle:
        server = await self.server()
        try:
            return await server.fork(origin, seconds, files)
        except OSError:  # somebody has killed it
            server.kill()
            return await (await self.server()).fork(origin, seconds, files)

    def close(self) -> None:
        """End all workers, and the process that they are forked from."""
        if self._server is not None:
            self._server.close()
            self._server = None

    async def server(self) -> ServerProcess:
        """Return the process that workers are forked from, started if need be, and heard on the loop that runs now.

        Raises:
            OSError: It could not be started.
        """
        loop = asyncio.get_running_loop()
        if self._server is not None and not self._server.is_alive:
            self._server.close()
            self._server = None
        if self._server is not None and self._server.loop is not loop:
            self._server.move_to(loop)
        if self._loop is not loop:
            self._loop, self._starting = loop, asyncio.Lock()
        async with self._starting:
            if self._server is None:
                self._server = await ServerProcess.start(self._rules)
            return self._server
