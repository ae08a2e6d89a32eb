"""`wellhead plugin check`."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest

from kit.plugins import GOOD, Plugin, changed, when_loaded, without_validator
from support.command import CommandLine
from support.distributions import build_wheel


@pytest.fixture
def run(workspace: Path) -> CommandLine:
    return CommandLine(workspace)


def test_a_good_plugin_is_told_to_be_one(run: CommandLine, tmp_path: Path) -> None:
    said = run("plugin", "check", Plugin(GOOD).write(tmp_path / "plugin")).out
    assert "wellhead-greeter 1.2 keeps the rules for plugins." in said
    assert "K43" in said


def test_a_bad_plugin_is_told_by_rule_and_ends_with_1(run: CommandLine, tmp_path: Path) -> None:
    plugin = changed(', description="What is said to the server."', "", waivers={"K14": "It needs none."}, requires=())
    directory = plugin.write(tmp_path / "plugin")
    said = run("plugin", "check", directory, code=1).out
    assert "breaks 1 of" in said
    assert "What to do: Write `wellhead.field(description=…)`" in " ".join(said.split())
    assert "greeter.greeting has no description" in said
    assert "Waived: It needs none." in said
    document = run("plugin", "check", directory, "--json", code=1).document
    assert (document["distribution"], document["version"], document["passed"]) == ("wellhead-greeter", "1.2", False)
    statuses = {rule["rule"]: rule["status"] for rule in document["rules"]}
    assert (statuses["K14"], statuses["K21"], statuses["K40"]) == ("waived", "failed", "skipped")


@pytest.mark.slow
def test_a_plugin_that_hangs_does_not_hang_the_command(run: CommandLine, tmp_path: Path) -> None:
    started = time.monotonic()
    said = run("plugin", "check", when_loaded("while True: pass").write(tmp_path / "plugin"), code=1).out
    assert "Importing it took longer than 5 seconds." in said
    assert time.monotonic() - started < 40


def test_a_directory_without_a_project_is_told_with_what_to_do(run: CommandLine) -> None:
    said = " ".join(run("plugin", "check", code=2).err.split())
    assert "pyproject.toml is not there. Go to the directory of a plugin's source" in said
    assert "wellhead plugin new NAME" in said


def test_this_directory_is_what_is_checked_if_nothing_else_is_named(workspace: Path, tmp_path: Path) -> None:
    directory = Plugin(without_validator()).write(tmp_path / "plugin")
    assert "wellhead-greeter 1.2" in CommandLine(directory)("plugin", "check").out


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "pyproject.toml is not there"),
        ("[project", "cannot be read as TOML"),
        ('[project]\nname = "wellhead-x"\n', "declares no plugin"),
    ],
)
def test_a_directory_without_a_plugin_is_wrong_usage(
    content: str | None, message: str, run: CommandLine, tmp_path: Path
) -> None:
    if content is not None:
        (tmp_path / "pyproject.toml").write_text(content)
    assert message in run("plugin", "check", f"{tmp_path}/", code=2).err


def test_a_name_that_is_nobodys_is_wrong_usage_and_tells_what_there_is(run: CommandLine) -> None:
    assert "wellhead-files" in run("plugin", "check", "wellhead-nothing", code=2).err


@pytest.mark.slow
def test_a_plugin_is_found_by_the_name_of_a_type(run: CommandLine) -> None:
    document = run("plugin", "check", "json", "--json").document
    assert (document["distribution"], document["passed"]) == ("wellhead-files", True)


def test_a_snapshot_is_written_and_later_changes_are_held_against_it(run: CommandLine, tmp_path: Path) -> None:
    directory = Plugin(without_validator()).write(tmp_path / "plugin")
    assert "schema-snapshot.json" in run("plugin", "check", directory, "--snapshot").out
    fields = json.loads((directory / "schema-snapshot.json").read_text())["greeter"]["fields"]
    assert fields["password"] == {
        "type": "string", "values": None, "required": True, "secret": True, "bound": False,
    }  # fmt: skip
    (directory / "src" / "wellhead_greeter.py").write_text(without_validator().replace("greeting: str", "words: str"))
    assert "greeter.greeting is gone, and schema_version is the same" in run("plugin", "check", directory, code=1).out


def test_a_wheel_is_what_changes_are_held_against(run: CommandLine, tmp_path: Path) -> None:
    before = without_validator().replace("greeting: str", "words: str")
    wheel = build_wheel(tmp_path, "wellhead-greeter", before)
    directory = Plugin(without_validator()).write(tmp_path / "plugin")
    said = run("plugin", "check", directory, "--since", wheel, code=1).out
    assert "greeter.words is gone, and schema_version is the same" in said
    (tmp_path / "no.whl").write_text("x")
    assert "is no wheel of a plugin" in run("plugin", "check", directory, "--since", tmp_path / "no.whl", code=2).err


def test_a_plugin_that_loads_only_sometimes_is_told(run: CommandLine, tmp_path: Path) -> None:
    count = tmp_path / "count"
    fickle = f"import os\nn = os.open({str(count)!r}, os.O_CREAT | os.O_APPEND | os.O_WRONLY)\nos.write(n, b'x')\n"
    fickle += "if os.fstat(n).st_size > 2:\n    os._exit(7)\nos.close(n)"
    said = run("plugin", "check", when_loaded(fickle).write(tmp_path / "plugin"), code=2).err
    assert "at another time ended the process with exit code 7." in said
