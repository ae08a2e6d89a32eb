"""Tests of the docs: what they show runs, and the reference says what the code says."""

from __future__ import annotations

import importlib.util
import inspect
import json
import shutil
import subprocess
import sys
import tomllib
from contextlib import ExitStack
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import typer

import wellhead
from support import docs
from support.mariadb import mariadb  # noqa: F401  # pytest finds fixtures by their names here
from support.postgres import postgres, postgres_with_tls  # noqa: F401  # pytest finds fixtures by their names here
from support.programs import missing_service
from support.redis import redis_server  # noqa: F401  # pytest finds fixtures by their names here
from support.service import running_service
from wellhead.api.operations import OPERATIONS
from wellhead.cli.main import app
from wellhead.codes import CODES
from wellhead.plugins import hookspecs
from wellhead.settings import PREFIX, Settings

PAGES = docs.pages()
REFERENCE = docs.ROOT / "docs" / "reference"


def name_of(page: Path) -> str:
    return str(page.relative_to(docs.ROOT))


def generator() -> ModuleType:
    spec = importlib.util.spec_from_file_location("generate", docs.ROOT / "docs" / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def page_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The directory that a page's blocks run in."""
    directory = tmp_path / "workspace"
    directory.mkdir()
    monkeypatch.chdir(directory)
    return directory


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_generated_parts_are_current(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert generator().generated(text) == text, "run: uv run python docs/generate.py"


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_python_blocks_run(page: Path, page_directory: Path) -> None:
    found = docs.blocks(page)
    docs.write_files(found, page_directory)
    docs.run_python(found, page)


# Each command is a process. How-to pages have the most, and the tutorial of types installs a package: those are slow.
@pytest.mark.parametrize(
    "page",
    [
        pytest.param(page, marks=pytest.mark.slow if page.parent.name == "how-to" or page.stem == "first-type" else ())
        for page in PAGES
    ],
    ids=name_of,
)
def test_commands_print_what_the_page_says(
    page: Path, page_directory: Path, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    found, text = docs.commands(docs.blocks(page)), page.read_text(encoding="utf-8")
    if docs.WITH_NODE in text and shutil.which("npm") is None:
        missing_service("npm is not there: the page was not run.")
    docs.write_files(docs.blocks(page), page_directory)
    home, instead = tmp_path / "home", {}
    home.mkdir()
    with ExitStack() as stack:
        if docs.WITH_A_SERVICE in text:
            service = stack.enter_context(running_service(page_directory, home / ".config" / "wellhead"))
            instead[docs.DEFAULT_ADDRESS] = service.url
        servers = {
            docs.WITH_A_POSTGRES: ("postgres_with_tls", docs.DEFAULT_PORT_OF_POSTGRES),
            docs.WITH_A_MARIADB: ("mariadb", docs.DEFAULT_PORT_OF_MARIADB),
            docs.WITH_A_REDIS: ("redis_server", docs.DEFAULT_PORT_OF_REDIS),
        }
        for fixture, shown in (made for mark, made in servers.items() if mark in text):
            server = request.getfixturevalue(fixture)
            instead[shown] = f"port={getattr(server, 'tls_port', server.port)}"
            (page_directory / "root.crt").write_text(server.certificates.ca)
            (page_directory / "password.txt").write_text(server.password)
        differences = docs.run_commands(found, page_directory, home, instead)
    assert not differences, "\n\n".join(differences)


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_documents_are_well_formed(page: Path) -> None:
    read: dict[str, Any] = {"json": json.loads, "toml": tomllib.loads}
    for block in docs.blocks(page):
        read.get(block.language, str)(block.text)


def test_the_runner_notices_another_output_and_a_failing_command(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("```console\n$ echo one\ntwo\n$ echo one two\none …\n$ false\n```\n")
    differences = docs.run_commands(docs.commands(docs.blocks(page)), tmp_path, tmp_path, {})
    assert [text.splitlines()[1] for text in differences] == ["printed:", "ended with 1:"]


def test_a_block_that_is_not_run_hides_no_other(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    kinds = ("not run: slow", "file: src/a.py", "not run: slow")
    page.write_text("".join(f"<!-- {kind} -->\n```sh\nfalse\n```\n\n```sh\ntrue\n```\n\n" for kind in kinds))
    found = docs.blocks(page)
    assert [command.text for command in docs.commands(found)] == ["true\n"] * 3
    docs.write_files(found, tmp_path)
    assert (tmp_path / "src" / "a.py").read_text() == "false\n"


def test_every_hook_has_a_heading_that_is_its_signature() -> None:
    text = (REFERENCE / "plugins.md").read_text(encoding="utf-8")
    hooks = [item for name, item in vars(hookspecs).items() if name.startswith("wellhead_")]
    assert hooks
    for hook in hooks:
        parameters = ", ".join(inspect.signature(hook).parameters)
        assert f"## `{hook.__name__}({parameters}" in text


@pytest.mark.parametrize("name", wellhead.__all__)
def test_every_root_name_is_described_for_plugins_or_is_one_for_programs(name: str) -> None:
    described = "".join((REFERENCE / page).read_text(encoding="utf-8") for page in ("plugins.md", "models.md"))
    headings = tuple(f"\n## `{name}{end}" for end in ("`", "("))
    is_described = any(heading in described for heading in headings) or f"\n| `wellhead.{name}` |" in described
    exempt = {"hookimpl", "DataSourceConfig"}  # what each of them is for, the pages say at their beginnings
    assert is_described or name in exempt | generator().FOR_PROGRAMS


def test_a_first_plugin_has_at_most_forty_lines_of_python_and_twelve_of_toml() -> None:
    files = {block.file: block.text.splitlines() for block in docs.blocks(docs.ROOT / "docs/tutorial/first-type.md")}
    assert 0 < len(files["src/wellhead_pop3/__init__.py"]) <= 40
    assert 0 < len(files["pyproject.toml"]) <= 12


@pytest.mark.parametrize("setting", Settings.model_fields)
def test_every_setting_is_described(setting: str) -> None:
    assert f"| `{PREFIX}{setting.upper()}` | `{setting}` |" in (REFERENCE / "settings.md").read_text(encoding="utf-8")


def test_every_command_is_described() -> None:
    text = (REFERENCE / "cli.md").read_text(encoding="utf-8")
    group: Any = typer.main.get_command(app)
    assert group.commands
    for name in group.commands:
        assert f"### `wellhead {name}" in text


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda operation: operation.name)
def test_every_operation_is_described(operation: Any) -> None:
    assert f"| `{operation.method} {operation.path}` |" in (REFERENCE / "http.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("code", CODES)
def test_every_code_is_described_once(code: str) -> None:
    texts = [(REFERENCE / page).read_text(encoding="utf-8") for page in ("errors.md", "checks.md")]
    assert sum(text.count(f"### `{code}`\n") for text in texts) == 1


@pytest.mark.parametrize("example", ["embed.py", "quickstart.sh"])
def test_every_example_runs(example: str, tmp_path: Path) -> None:
    command = [sys.executable] if example.endswith(".py") else ["bash"]
    path = f"{Path(sys.executable).parent}:/usr/local/bin:/usr/bin:/bin"
    done = subprocess.run(
        [*command, f"examples/{example}"], cwd=docs.ROOT, capture_output=True, text=True, timeout=60, check=False,
        env={"PATH": path, "HOME": str(tmp_path), "WELLHEAD_CONFIG_DIR": str(tmp_path / "config"), "LC_ALL": "C.UTF-8"},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert "passed" in done.stdout


@pytest.mark.slow  # it needs the group `docs`: uv run --group docs pytest -m slow
def test_the_docs_build_without_a_warning(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", "-d", str(tmp_path / "trees"), "docs"]
    command.append(str(tmp_path / "html"))
    done = subprocess.run(command, cwd=docs.ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
