"""`DataSourceTypeContract`, as the tests of a plugin use it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from kit.plugins import Plugin, without_validator
from support.distributions import Site
from wellhead.testing import DataSourceTypeContract
from wellhead.testing.kit.project import TargetError
from wellhead.testing.kit.rules import RULES

CONTRACT = """
from wellhead.testing import DataSourceTypeContract

class TestGreeter(DataSourceTypeContract):
    type_name = "greeter"
"""
UNDESCRIBED = without_validator().replace(', description="What is said to the server."', "")


def run_pytest(directory: Path, *options: str) -> str:
    command = [sys.executable, "-m", "pytest", "-q", "-rsf", "-p", "no:cacheprovider", *options]
    wide = {**os.environ, "COLUMNS": "200", "PYTEST_ADDOPTS": ""}
    done = subprocess.run(command, cwd=directory, capture_output=True, text=True, check=False, timeout=120, env=wide)
    return done.stdout + done.stderr


def test_each_rule_is_a_test_that_says_what_it_is_for() -> None:
    for rule in RULES:
        test = getattr(DataSourceTypeContract, f"test_{rule.number}_{rule.name.replace('-', '_')}")
        assert test.__doc__ == rule.claim


def test_a_broken_rule_is_a_failed_test_and_a_waived_one_is_skipped_with_its_reason(tmp_path: Path) -> None:
    plugin = Plugin(UNDESCRIBED, name="wellhead_greeter", waivers={"K10": "It is known by this name."})
    directory = plugin.write(tmp_path / "plugin")
    (directory / "tests").mkdir()
    (directory / "tests" / "test_contract.py").write_text(CONTRACT)
    said = run_pytest(directory)
    assert "1 failed" in said, said
    assert "TestGreeter::test_K21_descriptions" in said
    assert "AssertionError: K21 descriptions:" in said
    assert "greeter.greeting has no description" in said
    assert "waived: It is known by this name." in said
    assert (
        "contract.py" not in said.split("short test summary")[0]
    )  # the traceback is the message, and no code of the kit


@pytest.mark.slow
def test_a_type_that_the_plugin_does_not_have_is_told_and_passes_nothing(tmp_path: Path) -> None:
    directory = Plugin(without_validator()).write(tmp_path / "plugin")
    (directory / "test_contract.py").write_text(CONTRACT.replace('"greeter"', '"greter"'))
    said = run_pytest(directory)
    assert "provides no type 'greter'; its types: greeter." in said
    assert " passed" not in said


def test_an_installed_plugin_is_tested_as_it_is_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    site = Site(tmp_path / "site")
    site.install("wellhead-greeter", UNDESCRIBED)
    directory = Plugin(without_validator()).write(tmp_path / "plugin")
    (directory / "test_contract.py").write_text(CONTRACT)
    monkeypatch.setenv("PYTHONPATH", str(site.path))
    said = run_pytest(directory, "-k", "K21")
    assert "greeter.greeting has no description" in said


def test_a_type_that_is_nowhere_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    class Nobody(DataSourceTypeContract):
        type_name = "nobody-has-this"

    with pytest.raises(TargetError, match="No plugin and no type 'nobody-has-this' is installed"):
        Nobody().test_K00_waivers()  # type: ignore[attr-defined]  # made from the table of rules
