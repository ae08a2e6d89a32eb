"""The numbers of a whole service as Prometheus reads them: those of each process, and those that all share."""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from prometheus_client import Metric
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from wellhead.api.telemetry.metrics import Metrics
from wellhead.api.telemetry.peers import Peers
from wellhead.catalog.listing import ListQuery
from wellhead.errors import StorageError
from wellhead.plugins.reports import count_states
from wellhead.service import Service
from wellhead.storage.stored import STATES

_WORKER = "worker"
_COUNTED_SECONDS = 60.0


class Exposition:
    """What `/metrics` answers, whichever process is asked."""

    def __init__(self, metrics: Metrics, peers: Peers | None = None) -> None:
        """Gather numbers.

        Args:
            metrics: Those of this process.
            peers: The other processes; None if there is this one only.
        """
        self._metrics = metrics
        self._peers = peers
        self._counted: Counter[str] = Counter()
        self._counted_until = 0.0

    def of_this_process(self) -> bytes:
        """Return the numbers of this process, for another one."""
        return json.dumps([_as_document(family) for family in self._metrics.registry.collect()]).encode()

    async def write(self, service: Service, accept: str) -> tuple[bytes, str]:
        """Return the numbers of the service, and their media type.

        Args:
            service: What has the data sources and plugins to count.
            accept: The media types that the reader takes; OpenMetrics must be among them to be chosen.
        """
        families = [*await self._of_processes(), *await self._stores(service), _plugins(service)]
        encode, media_type = choose_encoder(accept)
        return encode(_Families(families)), media_type

    async def _stores(self, service: Service) -> list[Metric]:
        """Count the data sources in each state; those of several users once a minute, as that opens each workspace."""
        up = GaugeMetricFamily("wellhead_store_up", "Whether the stores can be read.")
        states = GaugeMetricFamily("wellhead_datasources", "Data sources, by state.", labels=["state"])
        try:
            if service.settings.root is None or time.monotonic() >= self._counted_until:
                self._counted = await _counts(service)
                self._counted_until = time.monotonic() + _COUNTED_SECONDS
        except StorageError:
            up.add_metric([], 0)
            return [up]
        for state in STATES:
            states.add_metric([state], self._counted[state])
        up.add_metric([], 1)
        return [up, states]

    async def _of_processes(self) -> list[Metric]:
        number = 0 if self._peers is None else self._peers.number
        answers = {} if self._peers is None else await self._peers.ask()
        told = {number: self.of_this_process(), **answers}
        up = GaugeMetricFamily(
            "wellhead_worker_up", "Whether a process of the service told its numbers.", labels=[_WORKER]
        )
        for worker, content in sorted(told.items()):
            up.add_metric([str(worker)], content is not None)
        documents = {str(worker): json.loads(content) for worker, content in told.items() if content is not None}
        return [up, *_joined(documents)]


class _Families(Collector):
    """Families that were gathered already."""

    def __init__(self, families: Iterable[Metric]) -> None:
        self._families = list(families)

    def collect(self) -> list[Metric]:
        """Return them."""
        return self._families


def _as_document(family: Metric) -> dict[str, Any]:
    samples = [[sample.name, sample.labels, sample.value] for sample in family.samples]
    return {"name": family.name, "text": family.documentation, "type": family.type, "samples": samples}


def _joined(told: Mapping[str, list[dict[str, Any]]]) -> Iterator[Metric]:
    """Put the families of all processes together; each sample says whose it is."""
    families: dict[str, Metric] = {}
    for worker, documents in sorted(told.items()):
        for document in documents:
            name = document["name"]
            family = families.setdefault(name, Metric(name, document["text"], document["type"]))
            for sample, labels, value in document["samples"]:
                if not sample.endswith("_created"):  # each as long as a counter, and of no use beside resets
                    family.add_sample(sample, {**labels, _WORKER: worker}, value)
    yield from families.values()


async def _counts(service: Service) -> Counter[str]:
    """Count the data sources of all workspaces in each state, by their indexes.

    Raises:
        StorageError: One of the stores cannot be read.
    """
    counts: Counter[str] = Counter()
    for name in await asyncio.to_thread(service.workspaces):
        async with service.workspace(name) as wellhead:
            for state in STATES:
                counts[state] += (await wellhead.catalog.list(ListQuery(states=(state,), limit=1))).total
    return counts


def _plugins(service: Service) -> Metric:
    plugins = GaugeMetricFamily("wellhead_plugins", "Plugins, by state.", labels=["state"])
    for state, number in count_states(service.types.reports).items():
        plugins.add_metric([state], number)
    return plugins
