"""Loading plugins, each by itself."""

import sys
from collections.abc import Callable, Iterator
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from support.types import DeepSource
from wellhead.catalog.types import type_items
from wellhead.plugins.loader import load_plugins
from wellhead.plugins.registry import DataSourceTypeRegistry
from wellhead.plugins.reports import PluginReport

GOOD = '''
from typing import Literal
import wellhead

class {name}Source(wellhead.DataSourceConfig):
    """One of the types for tests."""

    type: Literal["{name}"] = "{name}"
    host: str = "localhost"

@wellhead.hookimpl
def wellhead_data_source_types():
    return [wellhead.DataSourceType({name}Source, None)]
'''
HOOK = "import wellhead\n@wellhead.hookimpl\ndef wellhead_data_source_types():\n    "

Plugin = Callable[[str, str], EntryPoint]


@pytest.fixture
def plugin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Plugin]:
    """Writes a module and returns an entry point that names it; the modules are forgotten afterwards."""
    directory = tmp_path / "plugins"
    directory.mkdir()
    monkeypatch.syspath_prepend(str(directory))
    before = set(sys.modules)

    def write(name: str, source: str) -> EntryPoint:
        (directory / f"plugin_{name}.py").write_text(source)
        return EntryPoint(name, f"plugin_{name}", "wellhead")

    yield write
    for name in set(sys.modules) - before:
        del sys.modules[name]


def load(*points: EntryPoint) -> tuple[DataSourceTypeRegistry, dict[str, PluginReport]]:
    registry = DataSourceTypeRegistry()
    return registry, {report.entry_point: report for report in load_plugins(registry, points)}


def test_a_good_plugin_is_ready(plugin: Plugin) -> None:
    registry, reports = load(plugin("good", GOOD.format(name="good")))
    assert registry.list_types() == ["good"]
    assert (reports["good"].state, reports["good"].types, reports["good"].reason) == ("ready", ("good",), None)
    assert reports["good"].load_ms >= 0


BROKEN = {
    "raises": ("raise RuntimeError('hunter2')", "Loading it raised RuntimeError in line 1 of plugin_raises."),
    "syntax": ("def", "Loading it raised SyntaxError in line 1 of plugin_syntax.py."),
    "needs": ("import a_module_that_is_not_there", "It needs the module 'a_module_that_is_not_there'"),
    "nameless": ("raise ModuleNotFoundError", "It needs a module, which is not installed"),
    "exits": ("import sys; sys.exit(3)", "Loading it raised SystemExit"),
    "interrupts": ("raise KeyboardInterrupt", "Loading it raised KeyboardInterrupt"),
    "base": ("class Odd(BaseException): pass\nraise Odd", "Loading it raised Odd"),
    "cancelled": ("import asyncio; raise asyncio.CancelledError", "Loading it raised CancelledError"),
    "hook_raises": (
        HOOK + "raise ValueError('hunter2')",
        "Loading it raised ValueError in line 4 of plugin_hook_raises.",
    ),
    "hook_exits": (HOOK + "raise SystemExit", "Loading it raised SystemExit"),
    "none": (HOOK + "return None", "returned no list"),
    "text": (HOOK + "return 'postgres'", "returned no list"),
    "generator": (HOOK + "yield 5", "returned no list"),
    "empty": (HOOK + "return []", "provides no type"),
    "rubbish": (HOOK + "return [5]", "something that is no type"),
    "class": (HOOK + "return [wellhead.DataSourceType]", "something that is no type"),
    "no_model": (HOOK + "return [wellhead.DataSourceType(None)]", "must derive from"),
    "base_model": (HOOK + "return [wellhead.DataSourceType(wellhead.FileDataSource)]", "must name the type"),
    "no_hook": ("x = 5", "has no hook"),
    "not_marked": ("def wellhead_data_source_types():\n    return []", "write @wellhead.hookimpl above it"),
    "misspelt": (
        "import wellhead\n@wellhead.hookimpl\ndef wellhead_data_source_type():\n    return []",
        "unknown hook",
    ),
    "arguments": (
        "import wellhead\n@wellhead.hookimpl\ndef wellhead_data_source_types(registry):\n    return []",
        "registry",
    ),
}


@pytest.mark.parametrize("name", BROKEN)
def test_G_01_G_05_a_broken_plugin_does_not_stop_the_others(name: str, plugin: Plugin, tmp_path: Path) -> None:
    source, reason = BROKEN[name]
    registry, reports = load(
        plugin(name, source), plugin("zz", GOOD.format(name="zz")), plugin("aa", GOOD.format(name="aa"))
    )
    assert registry.list_types() == ["aa", "zz"]
    assert reports[name].state == "broken"
    assert reason in (reports[name].reason or "")
    assert reports[name].remedy
    assert "hunter2" not in str(reports)
    assert str(tmp_path) not in str(reports)


def test_what_a_plugin_prints_is_not_among_the_answers(plugin: Plugin, capsys: pytest.CaptureFixture[str]) -> None:
    load(
        plugin(
            "loud",
            "print('loading')\n" + GOOD.format(name="loud").replace("    return", "    print('hook')\n    return"),
        )
    )
    assert capsys.readouterr() == ("", "loading\nhook\n")


@pytest.mark.parametrize("value", ["plugin_not_there", "json:nope", "not a value", "", "json:", ":x", "a..b"])
def test_G_01_an_entry_point_that_leads_nowhere_is_reported(value: str, plugin: Plugin) -> None:
    registry, reports = load(EntryPoint("lost", value, "wellhead"), plugin("good", GOOD.format(name="good")))
    assert registry.list_types() == ["good"]
    assert reports["lost"].state == "broken"


def test_G_03_two_that_claim_a_name_are_both_left_out_and_both_named(plugin: Plugin) -> None:
    points = [plugin(name, GOOD.format(name="same")) for name in ("one", "two")]
    registry, reports = load(*points, plugin("good", GOOD.format(name="good")))
    assert registry.list_types() == ["good"]
    assert {report.state for report in reports.values() if report.types == ("same",)} == {"conflict"}
    assert "claimed by" in (reports["one"].reason or "")
    assert "neither is used" in (reports["two"].reason or "")


def test_G_03_a_name_that_was_registered_by_hand_stays_what_it_is(plugin: Plugin) -> None:
    registry = DataSourceTypeRegistry()
    registry.register_type("deep", DeepSource, None)
    reports = load_plugins(
        registry, [plugin("late", GOOD.format(name="deep")), plugin("good", GOOD.format(name="good"))]
    )
    assert registry.get_type("deep")[0] is DeepSource
    assert {report.entry_point: report.state for report in reports} == {"late": "conflict", "good": "ready"}


def test_G_03_a_plugin_that_gives_one_name_twice_is_in_conflict_with_itself(plugin: Plugin) -> None:
    source = GOOD.format(name="twice").replace("None)]", "None)] * 2")
    registry, reports = load(plugin("twice", source))
    assert registry.list_types() == []
    assert reports["twice"].state == "conflict"


def test_G_04_no_wrapper_of_one_plugin_sees_the_results_of_another(plugin: Plugin) -> None:
    thief = (
        "import wellhead\n@wellhead.hookimpl(wrapper=True, tryfirst=True)\ndef wellhead_data_source_types():\n"
        "    (yield).clear()\n    return []"
    )
    registry, reports = load(plugin("aa", thief), plugin("good", GOOD.format(name="good")), plugin("zz", thief))
    assert registry.list_types() == ["good"]
    assert reports["aa"].state == reports["zz"].state == "broken"


def test_a_plugin_for_another_interface_is_incompatible(plugin: Plugin) -> None:
    source = GOOD.format(name="later").replace("None)]", "None, requires_api='2')]")
    registry, reports = load(plugin("later", source))
    assert registry.list_types() == []
    assert reports["later"].state == "incompatible"
    assert "version 2" in (reports["later"].reason or "")


def test_an_object_can_be_a_plugin_and_give_any_type_with_the_four_methods(plugin: Plugin) -> None:
    source = GOOD.format(name="four") + (
        "class Four:\n"
        "    def get_type_name(self): return 'four'\n"
        "    def get_model_class(self): return fourSource\n"
        "    def get_validator_class(self): return None\n"
        "    def get_connection_parameters(self): return [{'name': 'host'}]\n"
        "class Holder:\n"
        "    @wellhead.hookimpl\n"
        "    def wellhead_data_source_types(self): return (Four(),)\n"
        "holder = Holder()\n"
    )
    point = plugin("four", source)
    registry, _ = load(EntryPoint("four", point.value + ":holder", "wellhead"))
    assert [parameter["name"] for parameter in registry.describe("four").parameters] == ["host"]


def test_what_a_broken_plugin_said_is_shown_among_the_types(plugin: Plugin) -> None:
    registry = DataSourceTypeRegistry()
    points = [plugin("bad", "raise RuntimeError"), plugin("good", GOOD.format(name="good"))]
    items = {item["name"]: item for item in type_items(registry, load_plugins(registry, points))}
    assert {name: item["state"] for name, item in items.items()} == {"bad": "broken", "good": "ready"}
    assert "RuntimeError" in items["bad"]["reason"]
    assert items["bad"].keys() == items["good"].keys()


def install(site: Path, name: str, *, metadata: str | None, entry_points: str, module: str | None = None) -> None:
    """Write what pip would install."""
    info = site / f"{name}-1.2.dist-info"
    info.mkdir(parents=True)
    if metadata is not None:
        (info / "METADATA").write_text(metadata)
    (info / "entry_points.txt").write_text(entry_points)
    if module is not None:
        (site / f"{name}.py").write_text(module)


def test_plugins_that_are_installed_are_found_whatever_lies_beside_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, plugin: Plugin
) -> None:
    site = tmp_path / "site"
    about = "Metadata-Version: 2.1\nName: {}\nVersion: 1.2\n"
    points = "[wellhead]\nhere = {}\n"
    install(
        site,
        "whgood",
        metadata=about.format("whgood"),
        entry_points=points.format("whgood"),
        module=GOOD.format(name="here"),
    )
    install(site, "whbad", metadata=about.format("whbad"), entry_points=points.format("whbad"), module="raise OSError")
    install(site, "whhalf", metadata=None, entry_points=points.format("whhalf"))
    install(site, "whgone", metadata="", entry_points="[wellhead]\nhere = whgone:x\n[other]\nx = y\n")
    monkeypatch.syspath_prepend(str(site))
    registry = DataSourceTypeRegistry()
    reports = {report.distribution: report for report in load_plugins(registry)}
    assert registry.describe("here").distribution == "whgood"
    assert (reports["whgood"].state, reports["whgood"].version) == ("ready", "1.2")
    assert (reports["whbad"].state, reports["whbad"].remedy) == (
        "broken",
        "Report it to the author of whbad, or remove it: pip uninstall whbad",
    )
    assert "unknown" in reports


def test_the_plugins_of_this_repository_are_ready() -> None:
    registry = DataSourceTypeRegistry()
    reports = load_plugins(registry)
    assert {report.state for report in reports} == {"ready"}
    assert {"csv", "postgres"} <= set(registry.list_types())
