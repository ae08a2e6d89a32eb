"""What runs inside a worker: validators, with a context that tells the service what they find."""

from __future__ import annotations

import asyncio
import inspect
import json
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any, BinaryIO

from wellhead import logs
from wellhead.errors import CheckFailedError
from wellhead.guard import confinement
from wellhead.guard.enforcement import Refusals, enforce, refusals
from wellhead.guard.files import counted_file
from wellhead.guard.threads import in_thread
from wellhead.model.result import Check
from wellhead.model.source import DataSourceConfig
from wellhead.model.validator import ValidationContext
from wellhead.validation import wire
from wellhead.validation.inside.context import RunContext
from wellhead.validation.inside.forkserver import MARGIN, Rules
from wellhead.validation.inside.steps import Reports
from wellhead.validation.run import KnownType, wording_for
from wellhead.validation.wire import Lines, Message

BEAT_SECONDS = 0.25
"""How often a worker says that its event loop runs."""


def work(known: KnownType, channel: socket.socket, files: socket.socket, rules: Rules) -> None:
    """Validate what the service sends, until it has nothing more.

    Args:
        known: The type of all that is validated here.
        channel: Where jobs come from, and what is found goes to.
        files: Where opened files come from.
        rules: Where connections may go.
    """
    loop = asyncio.SelectorEventLoop()  # never another one: what dials past Python is not seen by the guard
    asyncio.set_event_loop(loop)
    enforce(rules.policy, hidden=rules.hidden)
    loop.run_until_complete(_Worker(known, channel, files, rules).run())


class _Worker:
    """Takes jobs, runs each as a task, and reports. It ends when the service closes the channel."""

    def __init__(self, known: KnownType, channel: socket.socket, files: socket.socket, rules: Rules) -> None:
        self.known = known
        self.rules = rules
        self.files = _Files(files)
        self._channel = channel
        self._saying = threading.Lock()
        self._lines = Lines(wire.MAX_JOB_LINE)
        self._tasks: dict[int, asyncio.Task[None]] = {}

    async def run(self) -> None:
        """Work until there is nothing more."""
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda *_: None)  # its texts may hold what nobody should read
        over = loop.create_future()
        loop.add_reader(self._channel, self._listen, over)
        self._beat()
        await over

    def say(self, message: Message) -> None:
        """Tell the service something, at once, from whatever thread."""
        with self._saying, suppress(OSError):
            self._channel.sendall(wire.encode(message))

    def _beat(self) -> None:
        self.say({"alive": True})
        asyncio.get_running_loop().call_later(BEAT_SECONDS, self._beat)

    def _listen(self, over: asyncio.Future[None]) -> None:
        try:
            is_open = self._lines.receive(self._channel)
        except OSError:
            is_open = False
        if not is_open:
            over.set_result(None)
            asyncio.get_running_loop().remove_reader(self._channel)
            return
        for message in self._lines:
            if "cancel" in message:
                if (task := self._tasks.get(message["cancel"])) is not None:
                    task.cancel()
            else:
                self._begin(message)

    def _begin(self, message: Message) -> None:
        number: int = message["job"]
        confinement.more_time(message["seconds"] + MARGIN)
        task = asyncio.create_task(_Job(self, number, message).run())
        self._tasks[number] = task
        task.add_done_callback(lambda _: self._tasks.pop(number))


class _Job:
    """One validation."""

    def __init__(self, worker: _Worker, number: int, message: Message) -> None:
        self._worker = worker
        self._number = number
        self._config = message["config"]
        self._deadline = time.monotonic() + message["seconds"]
        self._failed = False

    async def run(self) -> None:
        """Run the validator, and tell how it ended; whatever it raises is told as a code."""
        refusals.set(Refusals())
        how = "error"
        try:
            known = self._worker.known
            config = known.shape.model.model_validate_json(json.dumps(self._config), strict=True)
            self._wording = wording_for(known, config)
            self._context = RunContext(
                files=self._worker.files,
                wording=self._wording,
                errors=known.errors,
                deadline=self._deadline,
                policy=self._worker.rules.policy,
                package=str(getattr(known.validator, "__module__", "")).partition(".")[0],
                reports=Reports(
                    check=self._emit,
                    begin=lambda name, fields: self._say(begin=[name, list(fields)]),
                    fact=lambda name, value: self._say(fact=[name, value]),
                    dial=lambda: self._say(dialled=True),
                    defect=lambda where: self._say(defect=where),
                    texts=self._worker.rules.texts,
                ),
            )
            how = await self._validate(known.validator, config)
        except BaseException as error:  # noqa: BLE001  # where a plugin's model is made
            self._say(defect=self._where(error))
        finally:
            self._say(end=how)

    async def _validate(self, validator: Any, config: DataSourceConfig) -> str:
        context = self._context
        try:
            await run_validator(validator, config, context)
        except CheckFailedError as error:
            if error.check_code == "plugin_error":
                return "error"
            if not self._failed:  # it was raised outside a check
                self._emit(self._wording.failure("validator", error))
        except BaseException as error:  # noqa: BLE001  # where a plugin is called: it may even raise `SystemExit`
            self._say(defect=self._where(error))
            context.end("failed", "plugin_error")
            return "error"
        finally:
            context.close()
        return "done"

    def _emit(self, check: Check) -> None:
        self._failed = self._failed or check.status == "failed"
        self._say(check=check.as_document())

    def _where(self, error: BaseException) -> list[str]:
        return logs.where(error, texts=self._worker.rules.texts)

    def _say(self, **message: Any) -> None:
        self._worker.say({"job": self._number, **message})


async def run_validator(validator: Any, config: DataSourceConfig, context: ValidationContext) -> None:
    """Run a validator of whatever form: a class, an object with a method `validate`, a function, plain or not.

    Raises:
        BaseException: Whatever the validator raises.
    """
    made: Any = validator() if inspect.isclass(validator) else validator
    function: Callable[[DataSourceConfig, ValidationContext], Any] = getattr(made, "validate", made)
    if inspect.iscoroutinefunction(function):
        await function(config, context)
        return
    returned = await in_thread(function, config, context)
    if inspect.isawaitable(returned):  # a wrapper around a coroutine function, such as a lambda
        await returned


class _Files:
    """Gets files from the service, which opens them: the worker may not, and knows no directory."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection
        self._turn = threading.Lock()

    def open(self, path: str) -> BinaryIO:
        """Open a file for reading.

        Raises:
            CheckFailedError: The service did not.
        """
        with self._turn:
            wire.send(self._connection, {"open": str(path)})
            lines = Lines(wire.MAX_LINE)
            answer: Message | None = None
            while answer is None:
                if not lines.receive(self._connection):
                    raise CheckFailedError("file_unreadable")
                answer = next(iter(lines), None)
        if not lines.descriptors:
            raise CheckFailedError(answer["code"])
        return counted_file(lines.descriptors.popleft(), answer["most"])
