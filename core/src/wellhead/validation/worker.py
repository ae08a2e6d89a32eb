"""One worker, as the service sees it: it is given validations, and tells what becomes of them."""

from __future__ import annotations

import asyncio
import socket
from contextlib import suppress
from typing import Any, Protocol, Self

from wellhead.errors import CheckFailedError
from wellhead.guard.files import FileGuard
from wellhead.guard.threads import in_thread
from wellhead.validation import wire
from wellhead.validation.wire import Lines, Message, WireError

_FIRST_BEAT_SECONDS = 5.0
_FILES_OF_ONE = 100
"""Files that a worker may ask for in each validation."""
_BESIDES, _BESIDES_PER_SECOND = 64 * 1024, 1024
"""Bytes that a worker may send which belong to no validation: its beats, and what comes late."""


class WorkerFailedError(Exception):
    """No worker could be started; the text has no value of a user's.

    Attributes:
        why: That text.
        is_plugins_fault: Whether it is the type's plugin that could not be loaded.
    """

    def __init__(self, why: str, *, is_plugins_fault: bool = False) -> None:
        super().__init__(why)
        self.why = why
        self.is_plugins_fault = is_plugins_fault


class PluginHungError(WorkerFailedError):
    """The type's plugin did not come back while it was loaded. It is not to be loaded again."""


class Listener(Protocol):
    """A validation that runs in a worker."""

    def take(self, message: Message, size: int) -> None:
        """Take what the worker tells of it, and the bytes that it took to do so.

        Raises:
            WireError: It is nothing that a worker says, or too much.
        """
        ...

    def lose(self) -> None:
        """Learn that the worker is gone."""
        ...


class Origin(Protocol):
    """The process that the worker was forked from."""

    def is_running(self) -> bool:
        """Tell whether it still runs."""
        ...

    def end(self, number: int) -> None:
        """Kill a worker."""
        ...

    async def gone(self, number: int) -> None:
        """Wait until nothing of a worker is left."""
        ...


class Worker:
    """A worker process. It takes validations until it is closed, which kills it."""

    def __init__(
        self,
        origin: Origin,
        number: int,
        streams: tuple[asyncio.StreamReader, asyncio.StreamWriter],
        opening: socket.socket,
    ) -> None:
        self._origin = origin
        self._number = number
        self._reader, self._writer = streams
        self._opening = opening
        self._listeners: dict[int, Listener] = {}
        self._given = 0
        self._loop = asyncio.get_running_loop()
        self._started_at = self._loop.time()
        self._heard_at = self._started_at + _FIRST_BEAT_SECONDS
        self._besides = 0
        self._tasks: tuple[asyncio.Task[None], ...] = ()
        self.is_alive = True

    @classmethod
    async def connect(
        cls, origin: Origin, number: int, channel: socket.socket, opening: socket.socket, files: FileGuard
    ) -> Self:
        """Listen to a worker that was just forked.

        Args:
            origin: The process that it was forked from.
            number: Its number there.
            channel: What validations go out on, and what is found comes back on.
            opening: What it asks for files on.
            files: Opens them.
        """
        streams = await asyncio.open_connection(sock=channel, limit=wire.MAX_LINE)
        made = cls(origin, number, streams, opening)
        made._tasks = (asyncio.create_task(made._listen()), asyncio.create_task(made._open_files(files)))
        made._tasks[1].add_done_callback(lambda _: opening.close())  # not before: the event loop still looks at it
        return made

    @property
    def silence(self) -> float:
        """Seconds since the worker was heard of last; below 0 while it is still beginning."""
        return self._loop.time() - self._heard_at

    @property
    def was_left_alone(self) -> bool:
        """Whether nothing but itself can have ended it: what it was forked from still runs."""
        return self._origin.is_running()

    def give(self, listener: Listener, document: dict[str, Any], *, seconds: float) -> int:
        """Give it a validation.

        Args:
            listener: Learns what becomes of it.
            document: The data source, with its secrets in clear.
            seconds: How long it may take.

        Returns:
            The number of the validation here.
        """
        self._given += 1
        number = self._given
        if self.is_alive:
            self._listeners[number] = listener
            self._writer.write(wire.encode({"job": number, "config": document, "seconds": seconds}))
        else:
            listener.lose()
        return number

    def cancel(self, number: int) -> None:
        """Ask it to end one validation."""
        if self.is_alive:
            self._writer.write(wire.encode({"cancel": number}))

    def close(self) -> None:
        """Kill it."""
        if self._tasks:
            self._origin.end(self._number)
            for task in self._tasks:
                task.cancel()
            self._tasks = ()
            self._writer.transport.abort()
            self._lose()

    async def gone(self) -> None:
        """Wait until nothing of it is left."""
        await self._origin.gone(self._number)

    async def _listen(self) -> None:
        try:
            while line := await self._reader.readline():
                self._heard_at = self._loop.time()
                self._take(wire.decode(line), len(line))
        except (OSError, ValueError, WireError):  # a `ValueError` for a line that has no end
            pass
        finally:
            self._lose()

    def _take(self, message: Message, size: int) -> None:
        number = message.get("job")
        if isinstance(number, int) and (listener := self._listeners.get(number)) is not None:
            listener.take(message, size)
            if "end" in message:
                del self._listeners[number]
        else:
            self._besides += size
            if self._besides > _BESIDES + _BESIDES_PER_SECOND * (self._loop.time() - self._started_at):
                raise WireError("too much of nothing")

    def _lose(self) -> None:
        self.is_alive = False
        listeners, self._listeners = self._listeners, {}
        for listener in listeners.values():
            listener.lose()

    async def _open_files(self, files: FileGuard) -> None:
        """Open files for the worker, one after the other, in a thread: a disk may not answer.

        When it ends, the socket is closed, and the worker learns that it gets no more.
        """
        self._opening.setblocking(False)
        lines = Lines(wire.MAX_LINE)
        asked = 0
        with suppress(OSError, WireError, RuntimeError):  # a `RuntimeError` where no thread can be started
            while data := await self._loop.sock_recv(self._opening, wire.MAX_LINE):
                for message in lines.feed(data):
                    asked += 1
                    if asked > _FILES_OF_ONE * self._given:
                        return
                    await self._open_file(files, message)

    async def _open_file(self, files: FileGuard, message: Message) -> None:
        try:
            # A file, not a descriptor: if nobody waits any more when it has been opened, it is closed nevertheless.
            file = await in_thread(files.open, str(message.get("open")))
        except CheckFailedError as error:
            wire.send(self._opening, {"code": error.check_code})
            return
        with file:
            wire.send(self._opening, {"most": files.max_bytes}, [file.fileno()])
