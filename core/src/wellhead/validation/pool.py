"""The pool of workers: the process that they are forked from is started on demand, and again if it dies."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import Any

from wellhead.guard.files import FileGuard
from wellhead.validation.parent import WorkerParent
from wellhead.validation.slots import Slots
from wellhead.validation.wire import Message
from wellhead.validation.worker import PluginHungError, Worker, WorkerFailedError


class WorkerPool:
    """Starts workers of one service.

    Attributes:
        started: How many were started so far.
        killed: How many of them were killed because a validation in them did not end.
    """

    def __init__(self, *, rules: Message, workers: int, waiting: int) -> None:
        """Start workers on demand.

        Args:
            rules: What holds for them, as `wellhead.forkserver` reads it.
            workers: How many there may be at once.
            waiting: How many validations may wait for one.
        """
        self.slots = Slots(workers, waiting=waiting)
        self.workers = workers
        self.started = 0
        self.killed = 0
        self._rules = rules
        self._server: WorkerParent | None = None
        self._is_closed = False
        self._hanging: set[str] = set()

    async def start(self, origin: Mapping[str, Any], files: FileGuard, *, seconds: float) -> Worker:
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
            worker = await self._fork(origin, files, seconds)
        except PluginHungError:
            self._hanging.add(key)
            raise
        except OSError as error:
            raise WorkerFailedError("no process can be started") from error
        self.started += 1
        return worker

    async def _fork(self, origin: Mapping[str, Any], files: FileGuard, seconds: float) -> Worker:
        server = self.server()
        try:
            return await server.fork(origin, seconds, files)
        except OSError:  # somebody has killed it
            server.kill()
            return await self.server().fork(origin, seconds, files)

    def close(self) -> None:
        """End all workers, and the process that they are forked from; no other is started."""
        self._is_closed = True
        if self._server is not None:
            self._server.close()
            self._server = None

    def server(self) -> WorkerParent:
        """Return the process that workers are forked from, started if need be, and heard on the loop that runs now.

        Raises:
            OSError: It could not be started.
            WorkerFailedError: The pool is closed.
        """
        if self._is_closed:
            raise WorkerFailedError("the service is being closed")
        loop = asyncio.get_running_loop()
        if self._server is not None and not self._server.is_alive:
            self._server.kill()  # if it still runs, it does not listen
            self._server.close()
            self._server = None
        if self._server is None:
            self._server = WorkerParent.start(self._rules)
        elif self._server.loop is not loop:
            self._server.move_to(loop)
        return self._server
