"""Memory, descriptors and threads of each process of a service, over time, and how fast they grow."""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from contextlib import suppress
from dataclasses import dataclass
from statistics import median
from typing import Any

import psutil

from support.soak.processes import Processes

EVERY = 1.0
_LEAST = 12
"""Samples after the warm-up below which nothing is told of a process."""


@dataclass(frozen=True, slots=True)
class Bound:
    """What a process may gain from the first third of its samples after the warm-up to the last third.

    Attributes:
        per_minute: Where it was watched for long.
        at_all: Where it was not, but was there when the load was warmed up: caches fill, and garbage waits to be
            collected. Of one that is young little can be told: its threads are still to come.
    """

    per_minute: float
    at_all: float

    def allows(self, gain: float, minutes: float) -> bool:
        """Tell whether a gain is within the bound."""
        return gain <= (self.per_minute * minutes if minutes >= _LONG else self.at_all)


_LONG = 2.5
"""Minutes between the thirds from which a slope says more than the noise."""

BOUNDS = {"rss_mib": Bound(1.5, 12.0), "descriptors": Bound(0.5, 6.0), "threads": Bound(0.5, 6.0)}
"""A store remembers the last 1,000 data sources that it read, deleted ones too: some ten kilobytes for each new one."""

_Key = tuple[str, int, float]


class Sampler:
    """Takes samples of the processes of a service."""

    def __init__(self, processes: Processes) -> None:
        self._processes = processes
        self._samples: dict[_Key, list[tuple[float, dict[str, float]]]] = defaultdict(list)
        self._elders: set[_Key] = set()

    async def run(self) -> None:
        """Take samples until cancelled."""
        while True:
            await asyncio.to_thread(self._take)
            await asyncio.sleep(EVERY)

    def is_warm(self) -> None:
        """Say that all that there is now has been warmed up."""
        self._elders = set(self._samples)

    def slopes(self, warm_up: float) -> list[dict[str, Any]]:
        """Return how each process has grown that lived for long enough after its warm-up in seconds."""
        return [found for key in self._samples if (found := self._slopes_of(key, warm_up)) is not None]

    def _take(self) -> None:
        now = time.monotonic()
        found = [("supervisor", self._processes.supervisor)]
        found += [("worker", process) for process in self._processes.workers()]
        found += [("forkserver", process) for process in self._processes.parents()]
        for role, process in found:
            with suppress(psutil.Error), process.oneshot():
                key = role, process.pid, process.create_time()
                self._samples[key].append((now, _sample(process)))

    def _slopes_of(self, key: _Key, warm_up: float) -> dict[str, Any] | None:
        samples = self._samples[key]
        samples = [(at, values) for at, values in samples if at >= samples[0][0] + warm_up]
        if len(samples) < _LEAST:
            return None
        third = len(samples) // 3
        minutes = (samples[-1][0] - samples[0][0]) * 2 / 3 / 60
        found: dict[str, Any] = {"process": key[0], "pid": key[1], "minutes": round(minutes * 1.5, 2)}
        for name, bound in BOUNDS.items():
            first, last = (median(values[name] for _, values in part) for part in (samples[:third], samples[-third:]))
            gain = last - first
            found[name] = {
                "first": round(first, 1),
                "last": round(last, 1),
                "per_minute": round(gain / minutes, 3),
                "is_level": bound.allows(gain, minutes) or (minutes < _LONG and key not in self._elders),
            }
        return found


def _sample(process: psutil.Process) -> dict[str, float]:
    return {
        "rss_mib": process.memory_info().rss / (1 << 20),
        "descriptors": process.num_fds(),
        "threads": process.num_threads(),
    }
