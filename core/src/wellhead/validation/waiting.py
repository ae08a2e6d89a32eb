"""Validations that wait for their turn in a batch: by type, as those share workers, and by destination.

A server is not asked by more than thirty-two at once, however many data sources are on it: many take a hundred
connections in all, and what is to be found out is not whether they can be used up.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Awaitable, Callable, Hashable, Iterable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from wellhead.model.result import ValidationResult
from wellhead.model.source import DataSourceConfig
from wellhead.validation.unlocking import Unlock

AT_ONCE_TO_ONE = 32
"""Validations that reach for one destination at a time."""


@dataclass(frozen=True, slots=True)
class Job:
    """One data source to validate.

    Attributes:
        key: What tells it from the others.
        config: The data source.
        unlock: Returns it with its stored secrets in clear.
        keep: Is given the result, before that is passed on.
    """

    key: Any
    config: DataSourceConfig
    unlock: Unlock
    keep: Callable[[ValidationResult], Awaitable[None]]


class Waiting:
    """The jobs of a batch that have not begun, and how many have for each destination."""

    def __init__(self, jobs: Iterable[Job]) -> None:
        self._jobs: dict[str, dict[Hashable, deque[Job]]] = {}
        self._numbers: Counter[str] = Counter()
        self._begun: Counter[Hashable] = Counter()
        self._alone: deque[Job] = deque()
        self.total = 0
        for job in jobs:
            of_type = self._jobs.setdefault(job.config.type, {})
            of_type.setdefault(destination_of(job.config), deque()).append(job)
            self._numbers[job.config.type] += 1
            self.total += 1

    @property
    def is_empty(self) -> bool:
        """Whether none waits."""
        return not self._alone and not any(self._numbers.values())

    @property
    def is_held(self) -> bool:
        """Whether some wait and none can begin now: their destinations are asked by enough."""
        return not self.is_empty and not self._alone and not any(self.ready(1).values())

    @property
    def alone(self) -> int:
        """How many have to be alone in a worker; they can begin at any time."""
        return len(self._alone)

    def ready(self, most: int) -> dict[str, int]:
        """Return how many others can begin now, by type.

        Args:
            most: Of each type not many more than this are counted: it is asked whenever one has ended.
        """
        return {name: self._number_ready(name, most) for name in self._jobs}

    def take(self, type_name: str) -> Job | None:
        """Let a job of a type begin; None if none can now."""
        queue = next(iter(self._ready(type_name)), None)
        if queue is None:
            return None
        job = queue.popleft()
        destination = destination_of(job.config)
        of_type = self._jobs[type_name]
        del of_type[destination]
        if queue:
            of_type[destination] = queue  # behind the others, so that each destination has its turn
        self._numbers[type_name] -= 1
        self._begun[destination] += 1
        return job

    def finish(self, job: Job) -> None:
        """Say that a job has ended."""
        self._begun[destination_of(job.config)] -= 1

    def put_back(self, job: Job) -> None:
        """Let a job that has ended without a result run again, alone."""
        self._alone.append(job)

    def take_alone(self) -> Job | None:
        """Let a job begin that has to run alone; None if there is none."""
        if not self._alone:
            return None
        job = self._alone.popleft()
        self._begun[destination_of(job.config)] += 1
        return job

    def _number_ready(self, type_name: str, most: int) -> int:
        number = 0
        for destination, queue in self._jobs[type_name].items():
            places = len(queue) if destination is None else AT_ONCE_TO_ONE - self._begun[destination]
            number += max(0, min(len(queue), places))
            if number >= most:
                break
        return number

    def _ready(self, type_name: str) -> Iterable[deque[Job]]:
        for destination, queue in self._jobs[type_name].items():
            if destination is None or self._begun[destination] < AT_ONCE_TO_ONE:
                yield queue


def destination_of(config: DataSourceConfig) -> Hashable:
    """Return what tells servers apart, as far as it can be seen; None where there is none to be seen."""
    url = getattr(config, "url", None)
    if isinstance(url, str):
        return urlsplit(url).netloc
    host = getattr(config, "host", None)
    return (host, getattr(config, "port", None)) if isinstance(host, str) else None
