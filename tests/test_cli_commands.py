"""The commands are listed without their modules, and each imports only what it needs."""

import subprocess
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import typer

from support.command import CommandLine
from wellhead.cli import commands
from wellhead.cli.main import app

GROUP: Any = typer.main.get_command(app)
DRAWN = ("rich", "attr", "jinja2", "wellhead.cli.views", "wellhead.scaffold", "wellhead.ui.guarded")


def imported_by(program: str) -> set[str]:
    """Return the modules that are there after a program has run in a process of its own."""
    code = f"{program}\nimport sys; print('\\n'.join(sys.modules))"
    return set(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split())


def test_the_program_imports_no_command_before_it_is_wanted() -> None:
    found = imported_by("import wellhead.__main__")
    assert "wellhead.cli.commands" in found
    assert not found & {"wellhead.cli.serve", "wellhead.assembled", "wellhead.assembly", "fastapi", *DRAWN}


def test_the_service_is_there_without_what_draws() -> None:
    found = imported_by(
        "import wellhead.__main__, wellhead.cli.serve, wellhead.api.live, wellhead.api.serving.server, wellhead.service"
    )
    assert "fastapi" in found
    assert not found & set(DRAWN)


@pytest.mark.parametrize("name", GROUP.commands)
def test_a_command_is_where_the_table_says(name: str) -> None:
    assert GROUP.commands[name] is GROUP.commands[name]
    assert GROUP.commands[name].name == name


def test_every_module_of_a_command_is_in_the_table() -> None:
    places = {place.partition(":")[0] for place in commands._PLACES.values()}  # it is what is tested
    here = Path(commands.__file__).parent
    decorated = {path.stem for path in here.glob("*.py") if "app = typer.Typer(" in path.read_text()} - {"main"}
    assert decorated <= places
    for place in places:
        import_module(f"wellhead.cli.{place}")


def test_a_misspelt_command_is_told_with_the_right_one(tmp_path: Path) -> None:
    assert "'list'" in CommandLine(tmp_path)("lst", code=2).err


def test_help_lists_every_command(tmp_path: Path) -> None:
    told = CommandLine(tmp_path)("--help").out
    assert [name for name in GROUP.commands if f" {name} " not in told] == []


@pytest.mark.parametrize("option", ["--since", "--until"])
def test_an_instant_that_is_none_is_named_by_its_option(tmp_path: Path, option: str) -> None:
    assert f"  {option}: Must be an instant" in CommandLine(tmp_path)("audit", option, "yesterday", code=2).err
