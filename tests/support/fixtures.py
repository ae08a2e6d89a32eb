"""Fixtures that the tests of core and of the plugins share."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from support.canary import Canary
from support.validating import SHARED, started
from wellhead.assembled import Wellhead
from wellhead.assembly import assemble
from wellhead.settings import Settings


@pytest.fixture
def anyio_backend() -> str:
    """Run asynchronous tests on asyncio, which is what Wellhead runs on."""
    return "asyncio"


@pytest.fixture(scope="session", autouse=True)
def _shared_workers() -> Iterator[None]:
    """Start the pool of processes that tests share, and end it."""
    asyncio.run(started(SHARED))
    yield
    SHARED.close()


@pytest.fixture(autouse=True)
def _clean_environment(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Keep the settings and the directories of whoever runs the tests out of them.

    What trial imports found is shared by all tests, as it is by all that one user does: it holds nothing of a test's.
    """
    for name in os.environ:
        if name.startswith("WELLHEAD_") and name != "WELLHEAD_REQUIRE_SERVICES":
            monkeypatch.delenv(name)
    monkeypatch.setenv("WELLHEAD_CONFIG_DIR", str(tmp_path / "config"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.getbasetemp() / "cache"))


@pytest.fixture(autouse=True)
def _clean_logging() -> Iterator[None]:
    """Take back what a test did to the log: the next one has another standard error."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:], root.level = handlers, level
    structlog.reset_defaults()


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    """An empty workspace."""
    path = tmp_path / "workspace"
    path.mkdir()
    return path


@pytest.fixture
def canary(tmp_path: Path, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]) -> Iterator[Canary]:
    """Unique secrets; after the test, files, logs at DEBUG, output and processes are searched for them."""
    caplog.set_level("DEBUG")
    canary = Canary(tmp_path)
    yield canary
    output = capfd.readouterr()
    canary.saw(output.out + output.err)
    canary.saw(caplog.text)
    canary.search()


@pytest.fixture
def settings(workspace: Path, tmp_path: Path) -> Settings:
    """Settings with directories of the test's own."""
    return Settings(workspace=workspace, config_dir=tmp_path / "config")


@pytest.fixture
def wellhead_parts(settings: Settings) -> Iterator[Wellhead]:
    """All parts of a Wellhead, with the plugins that are installed."""
    made = assemble(settings)
    yield made
    made.close()
