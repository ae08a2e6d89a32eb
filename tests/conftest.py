"""Fixtures for the tests of core."""

from importlib.util import find_spec

from support.fixtures import (  # noqa: F401  # pytest finds fixtures by their names here
    _clean_environment,
    _clean_logging,
    _shared_workers,
    anyio_backend,
    canary,
    settings,
    wellhead_parts,
    workspace,
)

collect_ignore = [] if find_spec("playwright") else ["browser"]
"""Tests with a browser need the group `browser`, which `.ci/run` names."""
