"""Tests of the architecture: what the layers' contract in `pyproject.toml` says is true of the code."""

from __future__ import annotations

import ast
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SOURCES = sorted([*ROOT.glob("core/src/**/*.py"), *ROOT.glob("plugins/*/src/**/*.py")])

IMPORTS_INSIDE_FUNCTIONS = {
    ("wellhead/cli/session.py", "index_shown"): "what draws takes long to load, and draws for a terminal only",
    ("wellhead/parts.py", "_buckets"): "an extra, which need not be installed",
    ("wellhead/team.py", "_issuer"): "an extra, which need not be installed",
    ("wellhead/cli/serve.py", "_run"): "FastAPI is loaded for the one command that needs it",
    ("wellhead/cli/plugin_check.py", "check"): "the conformance kit is loaded for the one command that needs it",
    ("wellhead/ui/rendering.py", "_environment"): "Jinja is loaded with the first page",
    ("wellhead/api/telemetry/tracing.py", "from_environment"): "OpenTelemetry's SDK is an extra",
    ("wellhead/plugins/compatibility.py", "_contains"): "packaging takes 15 ms, for what few plugins use",
    ("wellhead_postgres/__init__.py", "validate"): "the driver is loaded when it is needed",
    ("wellhead_mysql/__init__.py", "validate"): "the driver is loaded when it is needed",
    ("wellhead_redis/__init__.py", "validate"): "the driver is loaded when it is needed",
    ("wellhead_api/__init__.py", "validate"): "the driver is loaded when it is needed",
    ("wellhead_api/__init__.py", "_get_token"): "the driver is loaded when it is needed",
}
"""The functions that may import, each with its reason."""


def name_of(path: Path) -> str:
    """Return a source file's path from its import package on."""
    return path.as_posix().rpartition("/src/")[2]


def functions_that_import(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        is_function = isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        if is_function and any(isinstance(inner, ast.Import | ast.ImportFrom) for inner in ast.walk(node)):
            yield node.name


def test_imports_keep_the_contracts() -> None:
    run = [sys.executable, "-c", "from importlinter.cli import lint_imports_command; lint_imports_command()"]
    linted = subprocess.run([*run, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert linted.returncode == 0, linted.stdout + linted.stderr
    assert "0 broken" in linted.stdout


def test_every_plugin_is_under_the_contracts() -> None:
    linter = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
    plugins = {path.parent.name for path in ROOT.glob("plugins/*/src/*/__init__.py")}
    contracts = {contract["name"]: contract for contract in linter["contracts"]}
    assert plugins == set(linter["root_packages"]) - {"wellhead"}
    assert plugins == set(contracts["Plugins import only the root names of wellhead"]["source_modules"])
    assert plugins == set(contracts["Plugins never import one another"]["modules"])
    assert plugins < set(contracts["Core imports no plugin and no driver"]["forbidden_modules"])


def test_functions_import_only_for_a_reason() -> None:
    found = {(name_of(path), function) for path in SOURCES for function in functions_that_import(path)}
    assert found == IMPORTS_INSIDE_FUNCTIONS.keys()


@pytest.mark.parametrize("path", SOURCES, ids=name_of)
def test_no_module_asserts_or_imports_for_type_checkers_only(path: Path) -> None:
    text = path.read_text()
    assert "TYPE_CHECKING" not in text
    assert not [node.lineno for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Assert)]
