"""A worker that several validations of a batch share."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Coroutine
from typing import Any

from wellhead.validation.worker import Worker

AT_ONCE = 16
"""Validations that share a worker at a time."""
MAX_SILENCE = 1.0
"""Seconds after which a worker whose event loop says nothing is killed."""


class SharedWorker:
    """A worker, the validations that run in it, and whether it can take more."""

    def __init__(self, worker: Worker, type_name: str, *, is_alone: bool) -> None:
        self.worker = worker
        self.type_name = type_name
        self.is_alone = is_alone
        self.is_usable = not is_alone
        self.was_blocked = False
        self.is_overdue = False
        self.running: set[asyncio.Task[None]] = set()
        self._woken = asyncio.Event()

    @property
    def room(self) -> int:
        """How many more validations it can take."""
        return AT_ONCE - len(self.running) if self.is_usable else 0

    @property
    def why_lost(self) -> str:
        """The code for what was lost with the worker."""
        if self.was_blocked:
            return "plugin_blocked"
        return "plugin_crashed" if self.worker.was_left_alone else "worker_unavailable"

    def begin(self, validation: Coroutine[Any, Any, None]) -> None:
        """Let a validation begin in it."""
        task = asyncio.create_task(validation)
        self.running.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self.running.discard(task)
        self.wake()

    def wake(self) -> None:
        """Say that one of its validations has ended, or that another one can begin."""
        self._woken.set()

    async def woken(self, seconds: float) -> None:
        """Wait until it is woken, or some seconds are over."""
        self._woken.clear()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._woken.wait()

    def look(self) -> None:
        """Kill the worker if its event loop is held up."""
        if not self.is_alone and self.worker.is_alive and self.worker.silence > MAX_SILENCE:
            self.was_blocked = self.is_overdue = True
            self.worker.close()
        self.is_usable = self.is_usable and self.worker.is_alive

    async def end(self) -> bool:
        """End it with all that runs in it, and return whether it had to be killed."""
        running = set(self.running)
        for task in running:
            task.cancel()
        self.worker.close()
        if running:
            await asyncio.wait(running)
        await self.worker.gone()
        return self.is_overdue
