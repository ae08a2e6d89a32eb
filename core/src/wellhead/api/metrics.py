"""What one process of the service counts: requests, validations, the processes that run them, and itself.

Labels have few values, and none of a client's: operations, statuses, names of types, codes.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import accumulate

from prometheus_client import CollectorRegistry, Counter, Histogram, Metric, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString

from wellhead.validation.pool import WorkerPool
from wellhead.validation.run import Run

_REQUEST_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 60.0)
_VALIDATION_SECONDS = (0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
_LIMITS = [*map(floatToGoString, _REQUEST_SECONDS), "+Inf"]
_STATUS_CLASSES = ("none", "1xx", "2xx", "3xx", "4xx", "5xx")


class Metrics:
    """The numbers of one process."""

    def __init__(self, pool: WorkerPool) -> None:
        """Count from zero.

        Args:
            pool: The processes that run validations.
        """
        self.registry = CollectorRegistry()
        self._requests = _Requests()
        self.registry.register(self._requests)
        self._validations = Counter(
            "wellhead_validations",
            "Validations that ended, by type and status.",
            ("type", "status"),
            registry=self.registry,
        )
        self._validation_seconds = Histogram(
            "wellhead_validation_duration_seconds",
            "Seconds that validations took, by type, without the wait for a process.",
            ("type",),
            buckets=_VALIDATION_SECONDS,
            registry=self.registry,
        )
        self._store_errors = Counter(
            "wellhead_store_errors",
            "Requests that failed because of the store, by code.",
            ("code",),
            registry=self.registry,
        )
        self.registry.register(_Workers(pool))
        ProcessCollector(registry=self.registry)

    def saw_request(self, operation: str, method: str, status: int, seconds: float) -> None:
        """Count a request.

        Args:
            operation: The id of its operation.
            method: Its method, if the operation has that.
            status: The status of the answer; 0 where there was none.
            seconds: How long it took.
        """
        self._requests.saw(operation, method, status, seconds)

    def saw_validation(self, run: Run) -> None:
        """Count a validation that has ended."""
        result = run.result()
        self._validations.labels(run.known.name, result.status).inc()
        self._validation_seconds.labels(run.known.name).observe(result.duration_ms / 1000)

    def saw_store_error(self, code: str) -> None:
        """Count a request that failed because of the store."""
        self._store_errors.labels(code).inc()


class _Requests(Collector):
    """Requests, in plain numbers: there are many, and the library's counters take longer than all else about one."""

    def __init__(self) -> None:
        self._counts: dict[tuple[str, str, int], int] = {}
        self._seconds: dict[str, _Durations] = {}

    def saw(self, operation: str, method: str, status: int, seconds: float) -> None:
        """Count a request."""
        key = operation, method, status // 100
        self._counts[key] = self._counts.get(key, 0) + 1
        durations = self._seconds.get(operation)
        if durations is None:
            durations = self._seconds[operation] = _Durations()
        durations.sum += seconds
        durations.counts[bisect_left(_REQUEST_SECONDS, seconds)] += 1

    def collect(self) -> Iterator[Metric]:
        """Yield how many there were, and how long they took."""
        requests = CounterMetricFamily(
            "wellhead_http_requests",
            "Requests that were answered, by operation, method and class of status.",
            labels=("operation", "method", "status"),
        )
        for (operation, method, status_class), count in list(self._counts.items()):
            requests.add_metric((operation, method, _STATUS_CLASSES[status_class]), count)
        yield requests
        seconds = HistogramMetricFamily(
            "wellhead_http_request_duration_seconds",
            "Seconds from the head of a request to the end of its answer, by operation.",
            labels=("operation",),
        )
        for operation, durations in list(self._seconds.items()):
            buckets = zip(_LIMITS, accumulate(durations.counts), strict=True)
            seconds.add_metric((operation,), [(limit, count) for limit, count in buckets], durations.sum)
        yield seconds


@dataclass(slots=True)
class _Durations:
    """How long requests of one operation took: how many up to each limit and above the one before, and all together."""

    sum: float = 0.0
    counts: list[int] = field(default_factory=lambda: [0] * len(_LIMITS))


class _Workers(Collector):
    """The processes that run validations, as they are at the moment."""

    def __init__(self, pool: WorkerPool) -> None:
        self._pool = pool

    def collect(self) -> Iterator[Metric]:
        """Yield what there is to tell."""
        pool, name = self._pool, "wellhead_validation_workers"
        yield GaugeMetricFamily(f"{name}_busy", "Processes that run validations just now.", pool.slots.taken)
        yield GaugeMetricFamily(f"{name}_limit", "The most processes that may run validations at once.", pool.workers)
        yield GaugeMetricFamily(
            "wellhead_validations_waiting", "Validations that wait for a process.", pool.slots.waiting
        )
        yield CounterMetricFamily(f"{name}_started", "Processes that were started for validations.", pool.started)
        yield CounterMetricFamily(
            f"{name}_killed", "Processes that were killed because a validation in them did not end.", pool.killed
        )
