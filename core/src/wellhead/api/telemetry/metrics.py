"""What one process of the service counts: requests, validations, the processes that run them, and itself.

Labels have few values, and none of a client's: operations, statuses, names of types, codes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from prometheus_client import CollectorRegistry, Counter, Histogram, Metric, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from wellhead.validation.pool import WorkerPool
from wellhead.validation.run import Run

_REQUEST_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 60.0)
_VALIDATION_SECONDS = (0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
_STATUS_CLASSES = ("none", "1xx", "2xx", "3xx", "4xx", "5xx")


@dataclass(frozen=True, slots=True)
class _Series:
    """Where requests of one operation, method and class of status are counted; found once, as that takes longest."""

    requests: Counter
    seconds: Histogram


class Metrics:
    """The numbers of one process."""

    def __init__(self, pool: WorkerPool) -> None:
        """Count from zero.

        Args:
            pool: The processes that run validations.
        """
        self.registry = CollectorRegistry()
        self._requests = Counter(
            "wellhead_http_requests",
            "Requests that were answered, by operation, method and class of status.",
            ("operation", "method", "status"),
            registry=self.registry,
        )
        self._seconds = Histogram(
            "wellhead_http_request_duration_seconds",
            "Seconds from the head of a request to the end of its answer, by operation.",
            ("operation",),
            buckets=_REQUEST_SECONDS,
            registry=self.registry,
        )
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
        self._series: dict[tuple[str, str, int], _Series] = {}

    def saw_request(self, operation: str, method: str, status: int, seconds: float) -> None:
        """Count a request.

        Args:
            operation: The id of its operation.
            method: Its method, if the operation has that.
            status: The status of the answer; 0 where there was none.
            seconds: How long it took.
        """
        key = operation, method, status // 100
        series = self._series.get(key) or self._new_series(key)
        series.requests.inc()
        series.seconds.observe(seconds)

    def saw_validation(self, run: Run) -> None:
        """Count a validation that has ended."""
        result = run.result()
        self._validations.labels(run.known.name, result.status).inc()
        self._validation_seconds.labels(run.known.name).observe(result.duration_ms / 1000)

    def saw_store_error(self, code: str) -> None:
        """Count a request that failed because of the store."""
        self._store_errors.labels(code).inc()

    def _new_series(self, key: tuple[str, str, int]) -> _Series:
        operation, method, status_class = key
        requests = self._requests.labels(operation, method, _STATUS_CLASSES[status_class])
        series = self._series[key] = _Series(requests, self._seconds.labels(operation))
        return series


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
