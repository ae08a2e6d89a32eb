"""`wellhead plugin new`: what it writes installs, loads, passes its own tests, and is clean."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tomllib
from importlib.resources import files
from pathlib import Path
from typing import get_args

import pytest
from packaging.version import Version

from support.command import CommandLine
from support.uv import uv_command
from wellhead.errors import TypeRefusedError
from wellhead.scaffold import package
from wellhead.scaffold.package import Family, write_package

ROOT = Path(__file__).parents[1]
FAMILIES: tuple[Family, ...] = get_args(Family)
STEPS = {
    "api": ["resolve", "connect", "tls", "request", "response"],
    "database": ["resolve", "connect", "tls", "greet", "authenticate"],
    "file": ["locate", "read"],
    "server": ["resolve", "connect", "tls", "greet", "authenticate"],
}


class Author:
    """Somebody who has made a package, and has installed it for working on it.

    Attributes:
        folder: The folder of the package.
    """

    def __init__(self, family: Family, home: Path) -> None:
        """Make the package, and an environment with that and all that runs the tests."""
        self.folder = write_package(f"acme-{family}", family, home)
        self._home = home
        self._python = home / "venv" / "bin" / "python"
        self.uv("venv", "-q", "--python", sys.executable, home / "venv")
        [packages] = (home / "venv").glob("lib/python*/site-packages")
        ours = [path for path in sys.path if path.endswith("site-packages")]
        (packages / "ours.pth").write_text("".join(f"import site; site.addsitedir({path!r})\n" for path in ours))
        self.uv("pip", "install", "-q", "--offline", "--no-deps", "--python", self._python, "-e", self.folder)

    def uv(self, *arguments: str | Path) -> None:
        """Run uv."""
        done = subprocess.run([*uv_command(), *arguments], cwd=self._home, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr

    def python(self, *arguments: str) -> str:
        """Run a module in the folder of the package, and return what it printed."""
        command = [str(self._python), "-m", *arguments]
        environment = {**os.environ, "HOME": str(self._home), "WELLHEAD_CONFIG_DIR": str(self._home / "config")}
        done = subprocess.run(command, cwd=self.folder, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout


@pytest.fixture(params=FAMILIES)
def author(request: pytest.FixtureRequest, tmp_path: Path) -> Author:
    """An author for each family."""
    return Author(request.param, tmp_path)


@pytest.mark.slow  # each installs a package, in an environment of its own
def test_a_package_is_installed_and_loaded_and_passes_its_own_tests(author: Author) -> None:
    items = {item["name"]: item for item in json.loads(author.python("wellhead", "types", "--json"))["items"]}
    made = items[author.folder.name.removeprefix("wellhead-")]
    assert (made["state"], made["distribution"], made["version"]) == ("ready", author.folder.name, "0.1.0")
    passed = author.python("pytest", "-q", "-p", "no:cacheprovider", "-W", "error")
    assert " passed" in passed


@pytest.mark.slow  # it needs the group `lint`: uv run --group lint pytest -m slow
@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("name", ["acme", "public-orders-of-acme"])
def test_a_package_is_clean(family: Family, name: str, tmp_path: Path) -> None:
    folder = write_package(name, family, tmp_path)
    ours = ["--no-cache", "--config", str(ROOT / "pyproject.toml"), "--config", "src=['src']"]
    checks = [["ruff", "check", *ours], ["ruff", "format", "--check", *ours]]
    checks += [["mypy", "--strict", "--cache-dir", str(tmp_path / "cache"), "src", "tests"]]
    for check in checks:
        command = [sys.executable, "-m", *check]
        environment = {**os.environ, "MYPYPATH": "src"}
        done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{check[0]}: {done.stdout}{done.stderr}"


@pytest.mark.parametrize("family", FAMILIES)
def test_a_package_is_short(family: Family, tmp_path: Path) -> None:
    folder = write_package("acme", family, tmp_path)
    assert len((folder / "src/wellhead_acme/__init__.py").read_text().splitlines()) <= 42
    assert len((folder / "pyproject.toml").read_text().splitlines()) <= 12


@pytest.mark.parametrize("family", FAMILIES)
def test_a_package_has_all_that_a_distribution_needs(family: Family, tmp_path: Path) -> None:
    folder = write_package("my-orders", family, tmp_path)
    assert {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()} == {
        ".gitignore",
        "CHANGELOG.md",
        "README.md",
        "pyproject.toml",
        "src/wellhead_my_orders/__init__.py",
        "src/wellhead_my_orders/py.typed",
        "tests/test_contract.py",
        "tests/test_my_orders.py",
    }
    about = tomllib.loads((folder / "pyproject.toml").read_text())["project"]
    assert about["entry-points"] == {"wellhead": {"my-orders": "wellhead_my_orders"}}
    assert about["name"] == folder.name == "wellhead-my-orders"


@pytest.mark.parametrize("family", FAMILIES)
def test_the_module_says_which_checks_there_are(family: Family, tmp_path: Path) -> None:
    module = write_package("acme", family, tmp_path) / "src/wellhead_acme/__init__.py"
    assert f"steps = {tuple(STEPS[family])!r}".replace("'", '"') in module.read_text()


def test_every_template_is_used(tmp_path: Path) -> None:
    words = package._words_of("acme")
    used = {f"{template}.tmpl" for family in FAMILIES for template in package._files(family, words).values()}
    templates = Path(str(files("wellhead.scaffold") / "templates"))
    assert used == {str(path.relative_to(templates)) for path in templates.rglob("*") if path.is_file()}


@pytest.mark.parametrize(
    "name", ["", "a", "Acme", "acme_orders", "acme-", "-acme", "4me", "a--b", "acme-2", "a" * 33, "../x", "a b"]
)
def test_a_name_that_no_type_can_have_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(TypeRefusedError, match="2 to 32 characters"):
        write_package(name, "file", tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("core", "expected"),
    [("0.1.0", ">=0.1,<0.2"), ("0.9.3", ">=0.9,<0.10"), ("1.4.0", ">=1.4,<2"), ("2.0.0a1", ">=2.0,<3")],
)
def test_a_package_works_with_the_core_that_made_it_and_those_that_are_compatible(core: str, expected: str) -> None:
    assert package._range_of(Version(core)) == expected


def test_the_command_says_what_to_do_next(workspace: Path) -> None:
    run = CommandLine(workspace)("plugin", "new", "acme", "--family", "file", "--directory", "my plugins")
    assert (workspace / "my plugins/wellhead-acme/src/wellhead_acme/__init__.py").is_file()
    assert "  cd 'my plugins/wellhead-acme'\n  pip install -e . pytest\n  python -m pytest\n" in run.out


def test_the_command_warns_of_a_type_that_is_installed(workspace: Path) -> None:
    note = "wellhead-files, which is installed, provides a type 'json' already"
    assert note in " ".join(CommandLine(workspace)("plugin", "new", "json").err.split())
    assert (workspace / "wellhead-json").is_dir()
    assert CommandLine(workspace)("plugin", "new", "acme").err == ""


def test_the_command_refuses_a_name_as_wrong_usage(workspace: Path) -> None:
    run = CommandLine(workspace)("plugin", "new", "Acme", code=2)
    assert "Invalid value for NAME" in run.err
    assert list(workspace.iterdir()) == []


def test_the_command_writes_over_nothing(workspace: Path) -> None:
    theirs = workspace / "wellhead-acme" / "notes.txt"
    theirs.parent.mkdir()
    theirs.write_text("mine")
    run = CommandLine(workspace)("plugin", "new", "acme", code=1)
    assert "wellhead-acme is there already, and nothing was written" in run.err
    assert [path.read_text() for path in theirs.parent.iterdir()] == ["mine"]


def test_the_command_says_why_it_cannot_write(workspace: Path) -> None:
    (workspace / "file").write_text("")
    run = CommandLine(workspace)("plugin", "new", "acme", "--directory", "file", code=1)
    assert "the package could not be written: Not a directory: file" in run.err
