"""`DataSourceValidationService`: runs the checks of a data source, and always answers by the deadline."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterable, Mapping
from typing import Any

import structlog

from wellhead.errors import TypeRefusedError
from wellhead.guard.files import FileGuard
from wellhead.model.clear import in_clear
from wellhead.model.families import APIDataSource, DatabaseDataSource, FileDataSource
from wellhead.model.result import ValidationResult
from wellhead.model.source import DataSourceConfig
from wellhead.secrets.references import References
from wellhead.validation.batch import Batch
from wellhead.validation.events import Event, result_of
from wellhead.validation.pool import WorkerPool
from wellhead.validation.run import KnownType, Run
from wellhead.validation.slots import Groups, Ticket
from wellhead.validation.unlocking import Unlock, already, resolve_references, unlock_secrets
from wellhead.validation.waiting import Job
from wellhead.validation.watching import Watchers
from wellhead.validation.worker import WorkerFailedError

__all__ = ["DataSourceValidationService", "Event", "Job", "KnownType", "Unlock"]

_GRACE = 0.1

Defects = Callable[[str, list[str]], None]
"""Is told the name of a type, and where in its code something was raised that nobody understood."""


class DataSourceValidationService:
    """Validates data sources, each in a process that is killed at its deadline."""

    def __init__(
        self,
        describe: Callable[[str], KnownType],
        *,
        locate: Callable[[str], Mapping[str, Any]],
        pool: WorkerPool,
        files: FileGuard,
        references: References,
        timeout: float = 10.0,
        defects: Defects | None = None,
        watchers: Watchers | None = None,
        groups: Callable[[], Groups] = tuple,
    ) -> None:
        """Validate data sources.

        Args:
            describe: Returns what is known of a type, or raises `UnknownTypeError`.
            locate: Says where a type comes from, or raises `TypeRefusedError`.
            pool: Starts the processes.
            files: Opens files for them.
            references: Looks references up.
            timeout: Seconds that a validation may take, if it does not say otherwise.
            defects: Is told of what nobody understood; the log if left out.
            watchers: Are told of each validation that has ended.
            groups: Returns what the processes of whoever asks now count for.
        """
        self._describe = describe
        self._locate = locate
        self._pool = pool
        self._files = files
        self._references = references
        self._timeout = timeout
        self._log = structlog.get_logger("wellhead.validation")
        self._defects = defects or self._log_defect
        self._watchers = watchers or Watchers()
        self._groups = groups

    async def validate(
        self, config: DataSourceConfig, *, timeout: float | None = None, unlock: Unlock | None = None
    ) -> ValidationResult:
        """Run all checks of a data source.

        Args:
            config: The configuration, with its secrets in clear or as references.
            timeout: Seconds that it may take, from when its turn comes.
            unlock: Returns the configuration with its stored secrets in clear, where `config` has them sealed.

        Returns:
            The result, whatever the target does.

        Raises:
            UnknownTypeError: Its type is not registered.
            ValidationBusyError: Too many validations wait already.
        """
        return await result_of(self.start(config, timeout=timeout, unlock=unlock))

    async def validate_database_connection(
        self, config: DatabaseDataSource, *, timeout: float | None = None
    ) -> ValidationResult:
        """Run all checks of a database.

        Raises:
            TypeError: It is of another family.
        """
        return await self._validate_family(config, DatabaseDataSource, timeout)

    async def validate_file_access(self, config: FileDataSource, *, timeout: float | None = None) -> ValidationResult:
        """Run all checks of a file.

        Raises:
            TypeError: It is of another family.
        """
        return await self._validate_family(config, FileDataSource, timeout)

    async def validate_api_endpoint(self, config: APIDataSource, *, timeout: float | None = None) -> ValidationResult:
        """Run all checks of a web API.

        Raises:
            TypeError: It is of another family.
        """
        return await self._validate_family(config, APIDataSource, timeout)

    def start(
        self, config: DataSourceConfig, *, timeout: float | None = None, unlock: Unlock | None = None
    ) -> AsyncGenerator[Event, None]:
        """Begin to run all checks of a data source, as `validate` does.

        Returns:
            Each check as it ends; last, the result. Whoever closes it early ends the validation.

        Raises:
            UnknownTypeError: Its type is not registered.
            ValidationBusyError: Too many validations wait already.
        """
        run = Run(self._describe(config.type), config, defect=self._logger_of(config.type))
        ticket = self._pool.slots.enter(self._groups())
        seconds = self._timeout if timeout is None else timeout
        task = asyncio.create_task(self._work(run, ticket, seconds, unlock or already(config)))
        task.add_done_callback(lambda _: ticket.leave())  # also of a task that was cancelled before it began
        return _events(run, task, self._watchers)

    def start_many(self, jobs: Iterable[Job], *, timeout: float | None = None) -> Batch:
        """Begin to validate many data sources; those of one type share processes.

        Args:
            jobs: The data sources. Each is given its process's time only when its turn comes.
            timeout: Seconds that each may take.

        Returns:
            An asynchronous iterator of pairs of a job and its result, as they end.

        Raises:
            ValidationBusyError: Too many validations wait already.
        """
        return Batch(
            jobs,
            pool=self._pool,
            files=self._files,
            describe=self._describe,
            locate=self._locate,
            references=self._references,
            seconds=self._timeout if timeout is None else timeout,
            defect=self._logger_of,
            watchers=self._watchers,
            groups=self._groups(),
        )

    def resolve(self, config: DataSourceConfig) -> DataSourceConfig:
        """Return a configuration with the values that its references point to.

        Raises:
            SecretUnavailableError: One does not resolve.
        """
        return resolve_references(self._describe(config.type).shape, config, self._references)

    async def _validate_family(
        self, config: DataSourceConfig, family: type[DataSourceConfig], timeout: float | None
    ) -> ValidationResult:
        if not isinstance(config, family):
            raise TypeError(f"a {family.__name__} is needed, not a {type(config).__name__}")
        return await self.validate(config, timeout=timeout)

    async def _work(self, run: Run, ticket: Ticket, seconds: float, unlock: Unlock) -> None:
        """Run one validation in a worker of its own; its time begins when the worker is there."""
        worker = None
        try:
            await ticket.turn()
            if run.known.validator is not None:
                worker = await self._pool.start(self._locate(run.known.name), self._files, seconds=seconds)
            run.begin()
            async with asyncio.timeout(seconds):
                if not await unlock_secrets(run, unlock, self._references):
                    run.end()
                elif worker is None:
                    run.refuse()
                else:
                    worker.give(run, in_clear(run.config), seconds=seconds)
                    await run.ended.wait()
                    run.fail("plugin_crashed" if worker.was_left_alone else "worker_unavailable")
        except TimeoutError:
            run.expire()
            self._pool.killed += worker is not None
        except TypeRefusedError as error:
            run.fail("plugin_error", error.message)
        except WorkerFailedError as error:
            self._log.error("no worker", why=error.why)
            run.fail("plugin_error" if error.is_plugins_fault else "worker_unavailable")
        finally:
            if worker is not None:
                worker.close()
            run.fail("worker_unavailable")  # which only counts where a defect of core came before
            if worker is not None:
                await worker.gone()

    def _logger_of(self, type_name: str) -> Callable[[list[str]], None]:
        """Return what is told where a plugin of a type, or its driver, failed in a way that nobody understood."""
        return lambda where: self._defects(type_name, where)

    def _log_defect(self, type_name: str, where: list[str]) -> None:
        self._log.warning("validation not understood", type=type_name, error=where)


async def _events(run: Run, task: asyncio.Task[None], watchers: Watchers) -> AsyncGenerator[Event, None]:
    try:
        while (check := await run.next_check()) is not None:
            yield check
        watchers.ended(run)
        yield run.result()
    finally:
        if not run.is_over:
            task.cancel()
        await asyncio.wait({task}, timeout=_GRACE)
