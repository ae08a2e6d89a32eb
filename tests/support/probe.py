"""A type for tests, and the storage service over real files."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pydantic

import wellhead
from wellhead.plugins.registry import DataSourceTypeRegistry, describe
from wellhead.secrets.key_file import FileKeys
from wellhead.storage.files.store import FileRecordStore
from wellhead.storage.live_keys import LiveKeys
from wellhead.storage.service import ConfigurationStorageService

NO_ID = "00000000-0000-4000-8000-000000000000"


class Proxy(pydantic.BaseModel):
    """A nested model with a secret in it."""

    model_config = pydantic.ConfigDict(extra="forbid", frozen=True)

    url: str
    token: wellhead.Secret | None = None


class ProbeSource(wellhead.DataSourceConfig):
    """A type with secrets in all places where they may be."""

    type: Literal["probe"] = "probe"
    host: str
    ratio: float = 1.0
    options: dict[str, Any] = wellhead.field(default_factory=dict)
    note: str | None = wellhead.field(None, harmless=True)
    password: wellhead.Secret | None = None
    tokens: dict[str, wellhead.Secret] = wellhead.field(default_factory=dict)
    proxy: Proxy | None = None


@dataclass
class Probe:
    """The storage service of one workspace, and what it stands on."""

    service: ConfigurationStorageService
    store: FileRecordStore
    keys: FileKeys
    directory: Path

    def path(self, config: wellhead.DataSourceConfig) -> Path:
        """Return the file of a record."""
        return self.directory / f"{config.id}.json"

    def history(self, config: wellhead.DataSourceConfig) -> Path:
        """Return the file with the former revisions of a record."""
        return self.directory / f"{config.id}.history.jsonl"

    async def clear(self, config_id: object) -> Any:
        """Return a data source with its secrets in clear."""
        return await self.service.reveal(await self.service.read(str(config_id)))

    async def state(self, config_id: object) -> str:
        """Return a data source's state."""
        return (await self.service.read(str(config_id))).state


def probe_of(
    workspace: Path,
    *,
    model: type[wellhead.DataSourceConfig] | None = ProbeSource,
    extension: wellhead.DataSourceType | None = None,
    key_file: Path | None = None,
    may_create: Callable[[], bool] = lambda: True,
    lock_timeout: float = 5.0,
    kept_revisions: int = 20,
    monotonic: Callable[[], float] = time.monotonic,
) -> Probe:
    """Make the storage service of a workspace, as a process of its own would.

    Its type is the one of an extension, or else of a model.
    """
    registry = DataSourceTypeRegistry()
    if extension is not None:
        registry.add(describe(extension))
    elif model is not None:
        registry.register_type("probe", model, None)
    store = FileRecordStore(workspace, lock_timeout=lock_timeout, kept_revisions=kept_revisions)
    path = key_file or workspace.parent / "config" / "keys.json"
    keys = FileKeys(path, may_create=may_create, not_below=workspace / ".datasources")
    service = ConfigurationStorageService(
        store, LiveKeys(keys), registry.find, acting=lambda: "tester", monotonic=monotonic
    )
    return Probe(service, store, keys, workspace / ".datasources")


async def saved(probe: Probe, name: str = "warehouse", **fields: Any) -> Any:
    """Save a data source, and return it as it was saved."""
    return await probe.service.save_config(ProbeSource(name=name, **{"host": "h", **fields}))


def open_descriptors() -> int:
    """Return how many descriptors this process has open, but for those that wait to be collected."""
    gc.collect()
    gc.freeze()  # whatever is left is not searched again: in a process that has loaded all tests, that takes a second
    return len(names_in(Path("/proc/self/fd" if Path("/proc/self/fd").exists() else "/dev/fd")))


def names_in(directory: Path) -> list[str]:
    """Return the names of what is in a directory, sorted, but for those of the index, which comes and goes."""
    return sorted(path.name for path in directory.iterdir() if not path.name.startswith(".index."))
