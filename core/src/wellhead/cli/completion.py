"""What a shell completes. It reads records without validating them, and stays quiet whatever is wrong."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence

import typer

from wellhead.model.texts import name_key
from wellhead.plugins.choice import PluginChoice
from wellhead.plugins.loader import load_plugins
from wellhead.plugins.registry import DataSourceTypeRegistry
from wellhead.plugins.trial import Trials
from wellhead.settings import load_settings
from wellhead.storage.files.store import FileRecordStore
from wellhead.storage.store import Entry


def source_names(ctx: typer.Context, incomplete: str) -> list[str]:
    """Complete the name of a data source."""
    try:
        return _starting(_names(ctx), incomplete)
    except Exception:  # noqa: BLE001  # a shell that completes shows no errors; the command itself will
        return []


def type_names(incomplete: str) -> list[str]:
    """Complete the name of a type."""
    try:
        registry, settings = DataSourceTypeRegistry(), load_settings()
        choice = PluginChoice.of(settings.plugins_allow, settings.plugins_deny, settings.plugins_prefer)
        load_plugins(registry, choice=choice, trials=Trials(settings.trials_path))
        return _starting(registry.list_types(), incomplete)
    except Exception:  # noqa: BLE001  # as above
        return []


def _names(context: typer.Context) -> list[str]:
    settings = load_settings(context.params.get("config"), workspace=context.params.get("workspace"))
    store = FileRecordStore(settings.workspace.expanduser().absolute())
    try:
        entries = asyncio.run(_awaited(store))
    finally:
        store.close()
    return [entry.record.name for entry in entries if entry.record is not None]


async def _awaited(store: FileRecordStore) -> Sequence[Entry]:
    return await store.entries()


def _starting(names: Iterable[str], incomplete: str) -> list[str]:
    return sorted(name for name in names if name_key(name).startswith(name_key(incomplete)))
