"""Fixtures for the plugin's tests."""

from support.fixtures import (  # noqa: F401  # pytest finds fixtures by their names here
    _clean_environment,
    _shared_workers,
    anyio_backend,
    canary,
    settings,
    wellhead_parts,
    workspace,
)
from support.redis import redis_of_this_machine, redis_server  # noqa: F401  # as above
