"""The oldest versions that our distributions permit: none with a known hole, and all of them work together."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from openapi_spec_validator import validate
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from support.documents import document_of, path_of
from support.service import SOURCES, running_service
from support.uv import uv_command

ROOT = Path(__file__).parents[1]
PROJECTS = [ROOT / "core/pyproject.toml", *sorted(ROOT.glob("plugins/*/pyproject.toml"))]
BEFORE = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["uv"]["exclude-newer"]
EXTRAS = ("all", "oidc", "otel", "redis-limits", "testing")

FIXED = {
    "aiohttp": ("3.14.3", "CVE-2026-69244"),
    "aiomysql": ("0.3.0", "CVE-2025-62611"),
    "cryptography": ("50.0.0", "CVE-2026-69247"),
    "h11": ("0.16.0", "CVE-2025-43859"),
    "idna": ("3.15", "CVE-2026-45409"),
    "jinja2": ("3.1.6", "CVE-2025-27516"),
    "joserfc": ("1.7.4", "CVE-2026-48990"),
    "pymysql": ("1.1.1", "CVE-2024-36039"),
    "starlette": ("1.3.1", "CVE-2026-54283"),
}
"""The first versions without what was found in them, as of November 2026, each with the last of it."""


def requirements() -> list[Requirement]:
    """Return what our distributions require of others, with the extras of core."""
    found = []
    for path in PROJECTS:
        project = tomllib.loads(path.read_text())["project"]
        extras = project.get("optional-dependencies", {})
        found += [Requirement(text) for group in (project["dependencies"], *extras.values()) for text in group]
    return [requirement for requirement in found if not requirement.name.startswith("wellhead")]


def least(requirement: Requirement) -> Version:
    """Return the oldest version that a requirement permits."""
    [bound] = [Version(part.version) for part in requirement.specifier if part.operator == ">="]
    return bound


def test_O_01_everything_has_a_lower_bound_and_none_is_older_than_the_last_fix() -> None:
    bounds = {canonicalize_name(requirement.name): least(requirement) for requirement in requirements()}
    assert FIXED.keys() <= bounds.keys()
    for name, (fixed, why) in FIXED.items():
        assert bounds[name] >= Version(fixed), f"{name}: {why}"


def test_O_01_a_distribution_has_one_lower_bound_wherever_it_is_named() -> None:
    dev = tomllib.loads((ROOT / "pyproject.toml").read_text())["dependency-groups"]["dev"]
    secure = [*requirements(), *(Requirement(text) for text in dev if re.match(r"[a-z0-9-]+", text)[0] in FIXED)]
    for name in FIXED:
        assert len({least(found) for found in secure if canonicalize_name(found.name) == name}) == 1, name


@pytest.mark.slow
def test_O_01_the_oldest_versions_that_are_permitted_serve(tmp_path: Path) -> None:
    uv, pins, python = uv_command(), tmp_path / "pins.txt", tmp_path / "venv/bin/python"
    dated = ["--exclude-newer", BEFORE]
    extras = [word for extra in EXTRAS for word in ("--extra", extra)]
    resolve = ["pip", "compile", "-q", "--resolution", "lowest-direct", "--no-header", *extras, *PROJECTS]
    subprocess.run([*uv, *resolve, *dated, "-o", pins], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    subprocess.run([*uv, "venv", "-q", "--python", sys.executable, tmp_path / "venv"], cwd=tmp_path, check=True)
    subprocess.run([*uv, "pip", "install", "-q", "--python", python, *dated, "-r", pins], cwd=tmp_path, check=True)
    imports = (
        "import importlib, pkgutil, wellhead; "
        "[importlib.import_module(found.name) for found in pkgutil.walk_packages(wellhead.__path__, 'wellhead.') "
        "if not found.name.endswith('__main__')]"
    )
    subprocess.run([python, "-W", "ignore", "-c", imports], cwd=tmp_path, check=True)
    (tmp_path / "workspace").mkdir()
    (tmp_path / "workspace/sales.csv").write_text("region,amount\nnorth,10\n")
    with running_service(tmp_path / "workspace", tmp_path / "config", python=str(python), workers=2) as service:
        validate(service.client.get("/openapi.json").json())
        states = {item["name"]: item["state"] for item in service.client.get(f"{SOURCES}/types").json()["items"]}
        assert states == dict.fromkeys(("api", "csv", "json", "mysql", "postgres", "redis"), "ready")
        source = service.client.post(SOURCES, json=document_of()).json()
        assert service.client.post(path_of(source, "validate"), timeout=120).json()["status"] == "passed"
        secret = service.client.post(SOURCES, json=document_of("postgres", password="a password"))
        assert secret.json()["password"]["is_set"]
